/**
 * The legacy pair: one thread serves all clients and waits in the framework's loop. The loop calls
 * methods of one object per socket and hides the socket work. The price is a call to every object
 * before every wait, one send per answer, and one global map of sockets: one such server per program.
 */

import { LimitedChat, LimitedServer } from '../drivers/readiness/chat.ts';
import type { Next } from '../protocol/conversation.ts';
import type { AloneArchitecture } from '../worker/contract.ts';

class ZenServer extends LimitedServer {
  override handleAccept(): void {
    const accepted = this.accept();
    if (accepted !== undefined) new ZenChat(accepted, this).begin();
  }
}

class ZenChat extends LimitedChat {
  /** What the conversation wants once its answers are sent. */
  #next: Next;

  begin(): void {
    this.#sendAnswers(this.conversation.open(this.answers));
  }

  collectIncomingData(data: Buffer, start: number, end: number): void {
    this.#sendAnswers(this.conversation.receive(data, start, end, this.answers));
  }

  foundTerminator(): void {
    const terminator = this.getTerminator()!;
    this.collectIncomingData(terminator, 0, terminator.length);
  }

  override resume(): void {
    this.#sendAnswers(this.conversation.resume(this.answers));
  }

  override answersTaken(): void {
    this.#sendAnswers(this.#next);
  }

  /** Pushes the answers and does what the conversation wants next, until it must wait for something. */
  #sendAnswers(first: Next): void {
    for (let next = first; ; next = this.conversation.resume(this.answers)) {
      this.pushAnswers(); // the framework sends the rest later
      this.#next = next;
      if (next === 'close' && this.connected) this.closeWhenDone();
      if (next === undefined || next === 'close' || !this.readable()) return;
      if (next !== 'full') {
        this.callLater(next);
        return;
      }
    }
  }
}

export const asyncore: AloneArchitecture = {
  name: 'asyncore',
  chapter: 'srv_legacy2',
  processModel: 'one thread, one global map of sockets',
  ioModel: 'poll, called by a framework; one object for each socket',
  conversations: 'thousands; before each wait, the framework calls two methods of every connection',
  defeatedBy: 'one slow answer; very many connections',
  arrangement: 'alone',
  capacity: 'unbounded',
  threads: { default: 1, adjustable: false },
  processes: { default: 1, adjustable: false },

  serve(worker) {
    return new ZenServer(worker).serveForever();
  },
};
