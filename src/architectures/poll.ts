/**
 * One thread serves all clients. It waits in poll(2) for all sockets at once, none of which blocks, and
 * serves the ready ones. A silent client costs one table entry. But the kernel and the loop walk the
 * whole list on every wait, and an answer that takes long delays all other clients.
 */

import { CLOSED, NOTHING, Sockets } from '../drivers/readiness/sockets.ts';
import { Poll } from '../os/poll.ts';
import { READABLE, WRITABLE } from '../os/readiness.ts';
import type { AloneArchitecture } from '../worker/contract.ts';

/** All events, one at a time, until Node must have a turn or the server stops. An event costs no object. */
class AllEventsForever {
  fd = -1;
  events = 0;
  done = false;
  readonly value = this;
  readonly #poll: Poll;
  readonly #sockets: Sockets;

  constructor(poll: Poll, sockets: Sockets) {
    this.#poll = poll;
    this.#sockets = sockets;
  }

  next(): this {
    for (;;) {
      this.fd = this.#poll.next();
      this.events = this.#poll.events;
      if (this.fd >= 0) return this;
      // Answers that are due.
      this.fd = this.#sockets.due();
      this.events = NOTHING;
      if (this.fd >= 0) return this;
      this.done = this.#sockets.owesNode || !this.#sockets.wait(this.#poll); // sleeps here, in poll(2)
      if (this.done) return this;
    }
  }

  [Symbol.iterator](): this {
    return this;
  }
}

export const poll: AloneArchitecture = {
  name: 'poll',
  chapter: 'srv_async',
  processModel: 'one thread',
  ioModel: 'poll, non-blocking sockets',
  conversations: 'thousands; in each wait, the kernel reads the whole list of sockets',
  defeatedBy: 'one slow answer; very many connections',
  arrangement: 'alone',
  capacity: 'unbounded',
  threads: { default: 1, adjustable: true },
  processes: { default: 1, adjustable: true },

  async serve(worker) {
    const poll = new Poll();
    // The tables: bytes received and bytes to send, by socket.
    const sockets = new Sockets(worker);
    do {
      if (sockets.owesNode) await sockets.nodesTurn(); // promises of the service settle now
      for (const { fd, events } of new AllEventsForever(poll, sockets)) {
        if (fd === worker.listener) {
          for (let client = sockets.accept(); client >= 0; client = sockets.accept())
            poll.register(client, sockets.interestOf(client));
          continue;
        }
        let wanted: number;
        if (events & WRITABLE) wanted = sockets.send(fd);
        else if (events & READABLE) wanted = sockets.receive(fd, events);
        else wanted = sockets.resume(fd);
        if (wanted === CLOSED) {
          poll.unregister(fd);
          sockets.close(fd);
        } else if (sockets.changeInterest(fd, wanted)) poll.modify(fd, wanted);
      }
    } while (sockets.owesNode);
  },
};
