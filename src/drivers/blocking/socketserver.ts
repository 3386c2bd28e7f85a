/**
 * The framework as it was, Python's socketserver: a server class that knows how to accept and nothing of
 * what is said, a handler class that knows the reverse, and mixins that override the one method between
 * them.
 */

import type { WorkerContext } from '../../worker/contract.ts';
import { type Accepted, acceptOne } from '../accept.ts';

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

export const ThreadingMixIn = (Server: ServerClass): ServerClass =>
  class ThreadingServer extends Server {
    override processRequest(request: Accepted): void {
      this.worker.startThread(request);
    }
  };

export const ForkingMixIn = (Server: ServerClass): ServerClass =>
  class ForkingServer extends Server {
    override processRequest(request: Accepted): void {
      this.worker.startProcess(request);
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
