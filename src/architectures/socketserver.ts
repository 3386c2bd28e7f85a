/**
 * The framework's two patterns, put together: a server class that accepts, given a handler class that
 * converses. A mixin decides who runs the handler: a new thread or a new process for each client. So
 * clients decide how many are started, which is a way in for an attacker unless there is a cap.
 */

import { serveBids } from '../drivers/blocking/ready-processes.ts';
import {
  BaseRequestHandler,
  ForkingMixIn,
  serveFromCache,
  TCPServer,
  ThreadingMixIn,
} from '../drivers/blocking/socketserver.ts';
import type { Architecture } from '../worker/contract.ts';
import { handleConversation } from './blocking.ts';

class ConversationHandler extends BaseRequestHandler {
  override handle(): void {
    handleConversation(this.request.socket, this.request.peer, this.worker);
  }
}

const ThreadingServer = ThreadingMixIn(TCPServer);
const ForkingServer = ForkingMixIn(TCPServer);

export const socketserver: Architecture = {
  name: 'socketserver',
  chapter: 'srv_legacy1',
  processModel: 'a thread (or a process) for each connection',
  ioModel: 'blocking calls',
  conversations: 'as many as clients come, or --max-threads',
  defeatedBy: 'a crowd: clients decide how many threads start',
  arrangement: 'crew',
  assistants: 'threads',
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
    const Server = mixin === 'forking' ? ForkingServer : ThreadingServer;
    new Server(worker, ConversationHandler).serveForever();
  },

  /** The thread, or the process, of one client after the other. */
  assist(worker, { cache, bids }) {
    const server = new TCPServer(worker, ConversationHandler);
    if (cache !== undefined) serveFromCache(server, cache);
    else serveBids(worker, bids!, (request) => server.finishRequest(request));
  },
};
