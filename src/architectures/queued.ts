/**
 * One thread waits in accept(2) and puts each client in a bounded queue; N workers, asleep on it,
 * each take one and wait for that client in recv(2). The queue makes visible, and bounds, what
 * `threaded` leaves to the kernel. As many silent clients as workers stop it.
 */

import { acceptOne, giveUp } from '../drivers/accept.ts';
import { SocketQueue } from '../drivers/blocking/socket-queue.ts';
import type { Architecture } from '../worker/contract.ts';
import { handleConversation } from './blocking.ts';

export const queued: Architecture = {
  name: 'queued',
  chapter: '"hands off the new client sockets to a waiting queue of workers"',
  processModel: 'one acceptor, a queue, a pool of threads',
  ioModel: 'blocking calls',
  conversations: 'one per worker thread',
  defeatedBy: 'as many silent clients as workers',
  arrangement: 'crew',
  assistants: 'threads',
  capacity: 'threads',
  threads: { default: 4, adjustable: true },
  processes: { default: 1, adjustable: false },

  /** The acceptor. */
  serve(worker) {
    const queue = SocketQueue.create(worker.options.queue);
    for (let i = 0; i < worker.threads; i++) worker.startThread({ queue: queue.memory });

    while (!worker.stopping) {
      const accepted = acceptOne(worker, () => queue.length);
      if (accepted === undefined) continue;
      // With the queue full the acceptor sleeps here, and the next clients wait in the kernel's. Whom it has
      // accepted is served as the others in the queue are, though it is to leave meanwhile.
      if (!queue.put(accepted, () => worker.departure.isOver)) giveUp(accepted, worker);
      worker.noteQueued(queue.length);
    }
    queue.close();
  },

  /** One worker of the pool. */
  assist(worker, { queue: memory }) {
    const queue = new SocketQueue(memory!);
    for (;;) {
      worker.row.state = 'asleep';
      const accepted = queue.take();
      if (accepted === undefined) return;
      worker.noteQueued(queue.length);
      worker.row.accepted();
      handleConversation(accepted.socket, accepted.peer, worker);
      worker.row.ended();
    }
  },
};
