/**
 * The framework's two patterns, put together: a server class that accepts, given a handler class that
 * converses. A mixin decides who runs the handler: a new thread or a new process for each client. So
 * clients decide how many are started, which is a way in for an attacker unless there is a cap.
 */
import { type Accepted, acceptOne } from './accepting.ts';
import type { Architecture, WorkerContext } from './architecture.ts';
import { handleConversation } from './blocking.ts';

type HandlerClass = new (request: Accepted, worker: WorkerContext) => BaseRequestHandler;

class TCPServer {
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
      if (request !== undefined) this.processRequest(request);
    }
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

  /** With a cap, clients that come when all threads are busy wait in the kernel. */
  waitForRoom(): void {
    const { maxThreads } = this.worker.options;
    if (maxThreads > 0) this.worker.waitForAssistants(maxThreads);
  }
}

type ServerClass = new (worker: WorkerContext, Handler: HandlerClass) => TCPServer;

const ThreadingMixIn = (Server: ServerClass): ServerClass =>
  class ThreadingServer extends Server {
    override processRequest(request: Accepted): void {
      this.worker.startThread(request);
    }
  };

const ForkingMixIn = (Server: ServerClass): ServerClass =>
  class ForkingServer extends Server {
    override processRequest(request: Accepted): void {
      this.worker.startProcess(request);
    }
  };

class BaseRequestHandler {
  readonly request: Accepted;
  readonly worker: WorkerContext;

  constructor(request: Accepted, worker: WorkerContext) {
    this.request = request;
    this.worker = worker;
    this.handle();
  }

  handle(): void {}
}

class ConversationHandler extends BaseRequestHandler {
  override handle(): void {
    handleConversation(this.request.socket, this.request.peer, this.worker);
  }
}

export const socketserver: Architecture = {
  name: 'socketserver',
  chapter: 'srv_legacy1',
  processModel: 'a thread (or a process) for each connection',
  ioModel: 'blocking calls',
  conversations: 'as many as clients come, or --max-threads',
  defeatedBy: 'a crowd: clients decide how many threads start',
  arrangement: 'crew',
  capacity: 'unbounded',
  threads: { default: 1, adjustable: false },
  processes: { default: 1, adjustable: false },

  serve(worker) {
    const { mixin, maxThreads } = worker.options;
    const plural = mixin === 'forking' ? 'processes' : 'threads';
    if (maxThreads === 0) {
      const text = `No cap: clients decide how many ${plural} start here; --max-threads N sets one`;
      worker.journal.record({ type: 'warning', text });
    }
    const MixIn = mixin === 'forking' ? ForkingMixIn : ThreadingMixIn;
    new (MixIn(TCPServer))(worker, ConversationHandler).serveForever();
  },

  /** The thread or process of one client. */
  assist(worker, { socket, peer }) {
    new TCPServer(worker, ConversationHandler).finishRequest({ socket: socket!, peer: peer! });
  },
};
