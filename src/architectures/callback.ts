/**
 * Node's own loop waits, in epoll on Linux, and calls back. Each connection is an object whose
 * methods are called as things happen to it: made, data received, lost. Nothing may be waited for
 * inside a method: an answer that comes later needs a future, or a timer, and one callback more.
 */
import type { Socket } from 'node:net';
import type { TimeLimit } from '../drivers/deadlines.ts';
import { serveOnNode } from '../drivers/node/loop.ts';
import { phaseOf, StreamWriter } from '../drivers/node/streams.ts';
import type { Watch, Watched } from '../drivers/node/watch.ts';
import { IDLE } from '../lifecycle/phase.ts';
import { accountOf, type Ending } from '../protocol/account.ts';
import type { Turn } from '../protocol/conversation.ts';
import { Outbox } from '../protocol/outbox.ts';
import type { Architecture, WorkerContext } from '../worker/contract.ts';

/** The answers of whichever connection is being called back: a callback never stops half-way. */
const out = new Outbox();

/** One connection. The callbacks come as: connectionMade (dataReceived | eofReceived)* connectionLost. */
class Protocol implements Watched {
  readonly #worker: WorkerContext;
  readonly #conversation;
  #transport!: Socket;
  #writer!: StreamWriter;
  #waiting = false;
  #halfClosed = false;
  readonly #watch: Watch;
  readonly #place: number;
  /** Why it was ended, if not by its peer. */
  #endedFor: Ending['cause'] | undefined;

  constructor(worker: WorkerContext, watch: Watch) {
    this.#worker = worker;
    this.#conversation = worker.conversation();
    this.#watch = watch;
    this.#place = watch.add(this);
  }

  connectionMade(transport: Socket): void {
    this.#transport = transport;
    this.#writer = new StreamWriter(transport, this.#watch.backlog);
    this.#goOn(this.#conversation.open(out));
  }

  dataReceived(data: Buffer): void {
    const turn = this.#conversation.receive(data, 0, data.length, out);
    if (!this.#waiting) this.#goOn(turn);
  }

  eofReceived(): void {
    this.#halfClosed = true;
    if (!this.#waiting) this.#transport.end();
  }

  connectionLost(peer: string, lostTo: Ending['cause']): void {
    this.#writer.forget();
    this.#watch.remove(this.#place);
    if (!this.#worker.journal.on) return;
    const ending = { cause: this.#endedFor ?? lostTo, unsent: this.#writer.unsent };
    this.#worker.journal.record(accountOf(peer, this.#conversation, ending));
  }

  phase(): number {
    return phaseOf(this.#conversation, this.#writer);
  }

  endAfterAnswer(limit: TimeLimit): void {
    this.#conversation.endAfterAnswer(limit);
  }

  endFor(cause: Ending['cause']): void {
    this.#endedFor = cause;
    this.#transport.destroy();
  }

  #goOn(turn: Turn): void {
    if (out.length > 0 || this.#conversation.heldLength === 0) this.#watch.mark(this.#place);
    const isAnswered = out.length > 0;
    const hasRoom = !isAnswered || this.#send();
    if (turn === 'close') this.#transport.destroySoon();
    else if (!hasRoom) {
      const drained = (goOn: () => void) => this.#transport.once('drain', goOn);
      this.#later(drained, () => turn);
    }
    // A timer of 0 ms would take one.
    else if (turn === 0) this.#later((resume) => setImmediate(resume));
    else if (typeof turn === 'number') this.#later((resume) => setTimeout(resume, turn));
    else if (turn instanceof Promise) this.#later((resume) => turn.then(resume));
    else if (turn === 'full') this.#resume();
    else if (this.#halfClosed) this.#transport.end();
    else if (isAnswered && this.#worker.departure.endsIdle) this.#leave();
  }

  /** Whoever has its answer is ended before it asks again, as the worker leaves. */
  #leave(): void {
    if (this.phase() !== IDLE) return;
    this.#watch.noteAnswered(this.#place);
    this.#endedFor = this.#worker.departure.cause;
    this.#transport.destroySoon();
  }

  #send(): boolean {
    try {
      return this.#writer.write(out);
    } catch (error) {
      // Too much is unsent in all.
      this.endFor(error as Error);
      return true;
    }
  }

  /** Nothing more is taken from this client until `callBack` calls back; then it goes on with what `next` gives. */
  #later(callBack: (goOn: () => void) => void, next = () => this.#conversation.resume(out)): void {
    this.#waiting = true;
    this.#transport.pause();
    callBack(() => this.#resume(next));
  }

  #resume(next = () => this.#conversation.resume(out)): void {
    this.#waiting = false;
    if (this.#transport.destroyed) return;
    this.#transport.resume();
    this.#goOn(next());
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

  serve(worker) {
    return serveOnNode(worker, (transport, peer, watch) => {
      const protocol = new Protocol(worker, watch);
      let cause: Ending['cause'] = 'end of stream';
      transport.on('data', (data: Buffer) => protocol.dataReceived(data));
      transport.on('end', () => protocol.eofReceived());
      transport.on('error', (error) => (cause = error));
      transport.on('close', () => protocol.connectionLost(peer, cause));
      protocol.connectionMade(transport);
    });
  },
};
