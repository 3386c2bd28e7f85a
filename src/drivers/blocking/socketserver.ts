/**
 * The framework as it was, Python's socketserver: a server class that knows how to accept and nothing of
 * what is said, a handler class that knows the reverse, and mixins that override the one method between
 * them.
 */

import type { WorkerContext } from '../../worker/contract.ts';
import { type Accepted, acceptOne, giveUp } from '../accept.ts';
import { isOverAlready } from './gone.ts';
import { ReadyProcesses } from './ready-processes.ts';
import { ThreadCache } from './thread-cache.ts';

type HandlerClass = new (request: Accepted, worker: WorkerContext) => BaseRequestHandler;

/** Accepts, and has its handler class converse. */
export class TCPServer {
  readonly worker: WorkerContext;
  readonly Handler: HandlerClass;

  constructor(worker: WorkerContext, Handler: HandlerClass) {
    this.worker = worker;
    this.Handler = Handler;
  }

  serveForever(): void {
    while (!this.worker.stopping) {
      this.waitForRoom();
      const request = acceptOne(this.worker);
      if (request !== undefined && this.verifyRequest(request)) this.processRequest(request);
    }
    this.serverClose();
  }

  /** False if nothing needs to be started for this client, because it is gone: it is closed and accounted for. */
  verifyRequest(request: Accepted): boolean {
    return !isOverAlready(this.worker, request);
  }

  /** What the mixins override. */
  processRequest(request: Accepted): void {
    this.finishRequest(request);
  }

  finishRequest(request: Accepted): void {
    this.worker.row.accepted();
    new this.Handler(request, this.worker);
    this.worker.row.ended();
  }

  /** What a cap overrides: clients that come when all threads are busy wait in the kernel. */
  waitForRoom(): void {}

  serverClose(): void {}
}

type ServerClass = new (worker: WorkerContext, Handler: HandlerClass) => TCPServer;

export const ThreadingMixIn = (Server: ServerClass): ServerClass =>
  class ThreadingServer extends Server {
    readonly #threads = ThreadCache.create(this.worker.options.threadCache);

    override processRequest(request: Accepted): void {
      const { worker } = this;
      if (!this.#threads.give(request, () => worker.departure.isOver)) giveUp(request, worker);
      startIfNeeded(worker, this.#threads);
    }

    override waitForRoom(): void {
      const { worker } = this;
      const { maxThreads } = worker.options;
      if (maxThreads === 0) return;
      this.#threads.waitForRoom(maxThreads, () => worker.stopping);
      // A thread that ends is one of them until it has ended.
      if (this.#threads.idle === 0) worker.waitForAssistants(maxThreads);
    }

    override serverClose(): void {
      this.#threads.close();
    }
  };

/** What each thread runs: a client, and the next one, for as long as the cache keeps the thread. */
export function serveFromCache(server: TCPServer, memory: SharedArrayBuffer): void {
  const { worker } = server;
  const threads = new ThreadCache(memory);
  const place = threads.takePlace();
  threads.started();
  for (let hasClient = false; ; hasClient = true) {
    worker.row.state = 'asleep';
    const request = threads.take(place, hasClient);
    if (!hasClient) startIfNeeded(worker, threads);
    if (request === undefined) break;
    if (!request.hasWaited || server.verifyRequest(request)) server.finishRequest(request);
  }
  threads.freePlace(place);
}

function startIfNeeded(worker: WorkerContext, threads: ThreadCache): void {
  if (threads.claimStart()) worker.startThread({ cache: threads.memory });
}

export const ForkingMixIn = (Server: ServerClass): ServerClass =>
  class ForkingServer extends Server {
    /** Its processes accept by themselves, so that none of their clients is ever in the hands of this one. */
    override serveForever(): void {
      const { worker } = this;
      const { maxThreads: most, threadCache: cache } = worker.options;
      const processes = new ReadyProcesses(worker, { most, cache });
      while (!worker.stopping) if (processes.awaitClient()) processes.bid();
      processes.close();
    }
  };

/** A subclass says in `handle` what is done with one client. */
export class BaseRequestHandler {
  readonly request: Accepted;
  readonly worker: WorkerContext;

  constructor(request: Accepted, worker: WorkerContext) {
    this.request = request;
    this.worker = worker;
    this.handle();
  }

  handle(): void {}
}
