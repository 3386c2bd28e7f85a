/**
 * Node's own loop waits, in epoll on Linux, and calls back. Each connection is an object; the loop
 * calls its methods when it is made, receives data, or may go on. A method must never wait. An answer
 * that comes later needs a future or a timer, and one more callback.
 */
import { serveOnNode } from '../drivers/node/gate.ts';
import { NodeProtocol } from '../drivers/node/protocol.ts';
import type { Next } from '../protocol/conversation.ts';
import type { NodeArchitecture } from '../worker/contract.ts';

/** One connection. Node's loop calls connectionMade (dataReceived | resumed | eofReceived)*. */
class ZenProtocol extends NodeProtocol {
  override connectionMade(): void {
    this.#sendAnswers(this.conversation.open(this.answers));
  }

  override dataReceived(data: Buffer): void {
    this.#sendAnswers(this.conversation.receive(data, 0, data.length, this.answers));
  }

  override resumed(): void {
    this.#sendAnswers(this.conversation.resume(this.answers));
  }

  override eofReceived(): void {
    this.closeWhenSent();
  }

  #sendAnswers(next: Next): void {
    this.write(); // never waits: Node sends the rest later
    if (next === 'close') this.closeWhenSent();
    else if (next === undefined)
      this.readOn(); // called back with `dataReceived`
    else this.later(next); // a time, a promise, or room to write: called back with `resumed`
  }
}

export const callback: NodeArchitecture = {
  name: 'callback',
  chapter: 'srv_asyncio1',
  processModel: 'one thread',
  ioModel: "Node's own loop, callbacks",
  conversations: 'tens of thousands',
  defeatedBy: 'one slow answer',
  arrangement: 'node',
  capacity: 'unbounded',
  threads: { default: 1, adjustable: true },
  processes: { default: 1, adjustable: true },

  serve(host) {
    return serveOnNode(host, (...client) => new ZenProtocol(...client).connectionMade());
  },
};
