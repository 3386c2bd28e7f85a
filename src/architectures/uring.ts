/**
 * One thread serves all clients with very few system calls. It notes requests, and one
 * io_uring_enter(2) per turn submits them and waits until the kernel has completed some. The kernel
 * itself accepts, receives and sends. An answer that takes long still delays all other clients.
 */

import { Completions } from '../drivers/completion/completions.ts';
import { ACCEPTED, RECEIVED, Uring } from '../os/uring.ts';
import type { AloneArchitecture } from '../worker/contract.ts';

export const uring: AloneArchitecture = {
  name: 'uring',
  chapter: '(none: newer than the chapter)',
  processModel: 'one thread',
  ioModel: 'io_uring, completions',
  conversations: 'tens of thousands',
  defeatedBy: 'one slow answer',
  arrangement: 'alone',
  capacity: 'unbounded',
  threads: { default: 1, adjustable: true },
  processes: { default: 1, adjustable: true },

  async serve(worker) {
    const ring = new Uring();
    // One request: accept all clients, until it is cancelled.
    const clients = new Completions(worker, ring, () => ring.accept(worker.listener));

    // io_uring_enter(2): submits all requests of the turn at once, and sleeps until one is complete.
    while (clients.wait()) {
      while (ring.next()) {
        if (ring.purpose === RECEIVED) {
          // The bytes have already arrived, in a buffer that the kernel chose.
          const length = clients.answer();
          if (length > 0) ring.sendNow(ring.fd, ring.generation, clients.answersAt, length);
        } else if (ring.purpose === ACCEPTED) {
          const fd = clients.accepted();
          // One request: receive all bytes from this client.
          if (fd >= 0) ring.recv(fd, clients.generationOf(fd));
        } else clients.other(); // the kernel had no room for an answer, or has sent one since
      }
      clients.endTurn();
      // Promises of the service settle only while Node's own loop has the thread.
      if (clients.owesNode) await clients.nodesTurn();
    }
    ring.close();
  },
};
