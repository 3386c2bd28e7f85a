/**
 * The framework's two patterns together: a server class that accepts, and a handler class that
 * converses. A mixin decides what runs the handler: a new thread or a new process for each client. So
 * clients decide how many are started. Without a cap, an attacker can use that.
 */

import { clientsOnBid } from '../drivers/blocking/ready-processes.ts';
import {
  BaseRequestHandler,
  BaseServer,
  ForkingMixIn,
  serveFromCache,
  TCPServer,
  ThreadingMixIn,
} from '../drivers/blocking/socketserver.ts';
import type { CrewArchitecture } from '../worker/contract.ts';
import { handleConversation } from './blocking.ts';

class ConversationHandler extends BaseRequestHandler {
  override handle(): void {
    handleConversation(this.request);
  }
}

const ThreadingServer = ThreadingMixIn(TCPServer);
const ForkingServer = ForkingMixIn(TCPServer);

export const socketserver: CrewArchitecture = {
  name: 'socketserver',
  chapter: 'srv_legacy1',
  processModel: 'a thread (or a process) for each connection',
  ioModel: 'blocking calls',
  conversations: 'no fixed number; with --max-threads N, at most N',
  defeatedBy: 'a crowd: each client costs a thread, with its memory',
  arrangement: 'crew',
  assistants: 'threads',
  capacity: 'unbounded',
  threads: { default: 1, adjustable: false },
  processes: { default: 1, adjustable: false },

  serve(crew) {
    const Server = crew.options.mixin === 'forking' ? ForkingServer : ThreadingServer;
    new Server(crew, ConversationHandler).serveForever();
  },

  /** A thread, or a process, that serves one client after the other. */
  assist(worker, { cache, bids }) {
    const server = new BaseServer(worker, ConversationHandler);
    if (cache !== undefined) serveFromCache(server, worker, cache);
    else for (const request of clientsOnBid(worker, bids!)) server.finishRequest(request);
  },
};
