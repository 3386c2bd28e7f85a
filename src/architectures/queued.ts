/**
 * One thread waits in accept(2) and puts each client in a bounded queue. N worker threads sleep on the
 * queue; each takes one client and waits for it in recv(2). The queue makes visible, and limits, what
 * `threaded` leaves to the kernel. As many silent clients as worker threads stop the server.
 */

import { acceptInto, takeClient } from '../drivers/blocking/pool.ts';
import { SocketQueue } from '../drivers/blocking/socket-queue.ts';
import type { CrewArchitecture } from '../worker/contract.ts';
import { handleConversation } from './blocking.ts';

export const queued: CrewArchitecture = {
  name: 'queued',
  chapter: '"hands off the new client sockets to a waiting queue of workers"',
  processModel: 'one acceptor, a queue, a pool of threads',
  ioModel: 'blocking calls',
  conversations: 'one per worker thread',
  defeatedBy: 'as many silent clients as workers',
  arrangement: 'crew',
  assistants: 'threads',
  pool: true,
  capacity: 'threads',
  threads: { default: 4, adjustable: true },
  processes: { default: 1, adjustable: false },

  /** The acceptor. */
  serve(crew) {
    const queue = SocketQueue.create(crew.options.queue);
    for (let i = 0; i < crew.threads; i++) crew.startThread({ queue: queue.memory });

    // Sleeps in accept(2). If the queue is full, it sleeps there, and the next clients wait in the kernel's queue.
    while (!crew.isLeaving) acceptInto(queue, crew);
    queue.close();
  },

  /** One worker thread of the pool. */
  assist(worker, { queue: memory }) {
    const queue = new SocketQueue(memory!);
    for (;;) {
      const client = takeClient(queue, worker); // sleeps here, in futex(2)
      if (client === undefined) return;
      handleConversation(client);
    }
  },
};
