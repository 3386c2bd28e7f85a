/**
 * The original framework, Python's socketserver. A server class knows how to accept, and nothing of the
 * conversation. A handler class knows the conversation, and nothing of accepting. Mixins override the one method
 * between them.
 */

import type { Assistant, Crew, Worker } from '../../worker/contract.ts';
import { states } from '../../worker/states.ts';
import { type Accepted, acceptOne, giveUp } from '../accept.ts';
import { BlockingClient } from './client.ts';
import { isOverAlready } from './gone.ts';
import { ReadyProcesses } from './ready-processes.ts';
import { ThreadCache } from './thread-cache.ts';

type HandlerClass = new (request: BlockingClient) => BaseRequestHandler;

/** Lets its handler class converse with one client. */
export class BaseServer {
  readonly worker: Worker;
  readonly Handler: HandlerClass;

  constructor(worker: Worker, Handler: HandlerClass) {
    this.worker = worker;
    this.Handler = Handler;
  }

  /** False if the client is gone, so no thread or process must start for it: it is closed and accounted for. */
  verifyRequest(request: Accepted): boolean {
    return !isOverAlready(this.worker, request);
  }

  finishRequest(request: Accepted): void {
    new this.Handler(new BlockingClient(request, this.worker));
  }
}

/** Accepts clients. */
export class TCPServer extends BaseServer {
  readonly crew: Crew;

  constructor(crew: Crew, Handler: HandlerClass) {
    super(crew, Handler);
    this.crew = crew;
  }

  serveForever(): void {
    this.warnOfNoCap();
    while (!this.crew.isLeaving) {
      this.waitForRoom();
      const request = acceptOne(this.crew);
      if (request !== undefined && this.verifyRequest(request)) this.processRequest(request);
    }
    this.serverClose();
  }

  /** The method that the mixins override. */
  processRequest(request: Accepted): void {
    this.finishRequest(request);
  }

  /** The method that a cap overrides: clients that come while all threads are busy wait in the kernel. */
  waitForRoom(): void {}

  serverClose(): void {}

  warnOfNoCap(): void {
    const { mixin, maxThreads } = this.crew.options;
    if (maxThreads > 0) return;
    const plural = mixin === 'forking' ? 'processes' : 'threads';
    const text = `No cap: clients decide how many ${plural} start here; --max-threads N sets one`;
    this.crew.journal.record({ type: 'warning', text });
  }
}

type ServerClass = new (crew: Crew, Handler: HandlerClass) => TCPServer;

export const ThreadingMixIn = (Server: ServerClass): ServerClass =>
  class ThreadingServer extends Server {
    readonly #threads = ThreadCache.create(this.crew.options.threadCache);

    override processRequest(request: Accepted): void {
      const { crew } = this;
      const isOver = () => crew.clients.isOver(performance.now());
      if (!this.#threads.give(request, isOver)) giveUp(request, crew);
      startIfNeeded(crew, this.#threads);
    }

    override waitForRoom(): void {
      const { crew } = this;
      const { maxThreads } = crew.options;
      if (maxThreads > 0) this.#threads.waitForRoom(maxThreads, () => crew.isLeaving);
    }

    override serverClose(): void {
      this.#threads.close();
    }
  };

/** The body of each thread: it serves one client after the other, as long as the cache keeps the thread. */
export function serveFromCache(
  server: BaseServer,
  assistant: Assistant,
  memory: SharedArrayBuffer,
): void {
  const threads = new ThreadCache(memory);
  const place = threads.takePlace();
  threads.started();
  for (let hasClient = false; ; hasClient = true) {
    assistant.row.state = states.asleep;
    const request = threads.take(place, hasClient);
    if (!hasClient) startIfNeeded(assistant, threads);
    if (request === undefined) break;
    if (!request.hasWaited || server.verifyRequest(request)) server.finishRequest(request);
  }
  threads.freePlace(place);
}

/** A thread that the cache has started may have to start the next one. */
function startIfNeeded(starter: Pick<Assistant, 'startThread'>, threads: ThreadCache): void {
  if (threads.claimStart()) starter.startThread?.({ cache: threads.memory });
}

export const ForkingMixIn = (Server: ServerClass): ServerClass =>
  class ForkingServer extends Server {
    /** Its processes accept by themselves, so this process never holds one of their clients. */
    override serveForever(): void {
      const { crew } = this;
      const { maxThreads: most, threadCache: cache } = crew.options;
      this.warnOfNoCap();
      const processes = new ReadyProcesses(crew, { most, cache });
      while (!crew.isLeaving) if (processes.awaitClient()) processes.bid();
      processes.close();
    }
  };

/** A subclass defines in `handle` how one client is served. */
export class BaseRequestHandler {
  readonly request: BlockingClient;

  constructor(request: BlockingClient) {
    this.request = request;
    this.handle();
  }

  handle(): void {}
}
