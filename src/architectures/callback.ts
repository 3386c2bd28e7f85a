/**
 * Node's own loop waits, in epoll on Linux, and calls back. Each connection is an object whose
 * methods are called as things happen to it: made, data received, lost. Nothing may be waited for
 * inside a method: an answer that comes later needs a future, or a timer, and one callback more.
 */
import type { Socket } from 'node:net';
import { accountOf, type Ending } from '../protocol/account.ts';
import type { Turn } from '../protocol/conversation.ts';
import { Outbox } from '../protocol/outbox.ts';
import type { Architecture, WorkerContext } from './architecture.ts';
import { serveOnNode } from './node-loop.ts';

/** One connection. The callbacks come as: connectionMade (dataReceived | eofReceived)* connectionLost. */
class Protocol {
  readonly #worker: WorkerContext;
  readonly #conversation;
  readonly #out = new Outbox();
  #transport!: Socket;
  /** What was last written, until the kernel has it. */
  #unsent: Buffer | undefined;
  #waiting = false;
  #halfClosed = false;

  constructor(worker: WorkerContext) {
    this.#worker = worker;
    this.#conversation = worker.conversation();
  }

  connectionMade(transport: Socket): void {
    this.#transport = transport;
    this.#goOn(this.#conversation.open(this.#out));
  }

  dataReceived(data: Buffer): void {
    const turn = this.#conversation.receive(data, 0, data.length, this.#out);
    if (!this.#waiting) this.#goOn(turn);
  }

  eofReceived(): void {
    this.#halfClosed = true;
    if (!this.#waiting) this.#transport.end();
  }

  connectionLost(peer: string, cause: Ending['cause']): void {
    if (!this.#worker.journal.on) return;
    const unsent = this.#unsent;
    this.#worker.journal.record(accountOf(peer, this.#conversation, { cause, unsent }));
  }

  #write(bytes: Buffer): boolean {
    this.#unsent = bytes;
    return this.#transport.write(bytes, (error) => {
      if (!error && this.#unsent === bytes) this.#unsent = undefined;
    });
  }

  #goOn(turn: Turn): void {
    const hasRoom = this.#out.length === 0 || this.#write(this.#out.copy());
    const resume = () => {
      this.#waiting = false;
      if (this.#transport.destroyed) return;
      this.#transport.resume();
      this.#out.clear();
      this.#goOn(this.#conversation.resume(this.#out));
    };
    const later = (callBack: (resume: () => void) => void) => {
      this.#waiting = true;
      this.#transport.pause();
      callBack(resume);
    };
    if (turn === 'close') this.#transport.destroySoon();
    else if (typeof turn === 'number') later((resume) => setTimeout(resume, turn));
    else if (turn instanceof Promise) later((resume) => turn.then(resume));
    else if (!hasRoom) later((resume) => this.#transport.once('drain', resume));
    else if (turn === 'full') resume();
    else {
      this.#out.clear();
      if (this.#halfClosed) this.#transport.end();
    }
  }
}

export const callback: Architecture = {
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

  serve: (worker) =>
    serveOnNode(worker, (transport, peer) => {
      const protocol = new Protocol(worker);
      let cause: Ending['cause'] = 'end of stream';
      transport.on('data', (data: Buffer) => protocol.dataReceived(data));
      transport.on('end', () => protocol.eofReceived());
      transport.on('error', (error) => (cause = error));
      transport.on('close', () => protocol.connectionLost(peer, worker.stopping ? 'stop' : cause));
      protocol.connectionMade(transport);
    }),
};
