/**
 * One thread for everybody, and hardly a system call of its own: it writes down what it wants done,
 * and one io_uring_enter(2) per turn hands that over and waits for what is done meanwhile. The kernel
 * accepts, receives and sends by itself. An answer that takes long still holds up everyone.
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

  serve(worker) {
    const ring = new Uring();
    // One request: accept all clients that come, again and again.
    const clients = new Completions(worker, ring, () => ring.accept(worker.listener));

    // io_uring_enter(2): hands over all requests of the turn at once, and sleeps until something is done.
    while (clients.wait()) {
      while (ring.next()) {
        if (ring.purpose === RECEIVED) {
          // The bytes are here already, in a buffer that the kernel chose.
          const length = clients.answer();
          if (length > 0) ring.sendNow(ring.fd, ring.generation, clients.answersAt, length);
        } else if (ring.purpose === ACCEPTED) {
          const fd = clients.accepted();
          // One request: receive all that this client will send.
          if (fd >= 0) ring.recv(fd, clients.generationOf(fd));
        } else clients.other(); // what had no room, and what has left since
      }
      clients.endTurn();
    }
    ring.close();
  },
};
