/**
 * One thread for everybody, and hardly a system call of its own: it writes down what it wants done,
 * and one io_uring_enter(2) per turn hands that over and waits for what is done meanwhile. The kernel
 * accepts, receives and sends by itself. An answer that takes long still holds up everyone.
 */

import { Completions } from '../drivers/completion/completions.ts';
import { ACCEPTED, READY, RECEIVED, SENT, SENT_SHORT, Uring } from '../os/uring.ts';
import type { Architecture } from '../worker/contract.ts';

export const uring: Architecture = {
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
    const completions = new Completions(worker, ring);

    while (!completions.isDone) {
      worker.row.state = 'waiting';
      ring.enter(completions.timeout());
      worker.row.state = 'answering';
      completions.beginTurn();
      while (ring.next()) {
        if (ring.purpose === RECEIVED) completions.received();
        else if (ring.purpose === ACCEPTED) completions.accepted();
        else if (ring.purpose === READY) completions.ready();
        else if (ring.purpose === SENT_SHORT) completions.sentShort();
        else if (ring.purpose === SENT) completions.sent();
      }
      completions.endTurn();
    }
    completions.closeAll();
    ring.close();
  },
};
