/**
 * One thread serves all clients, as in `poll`, but the kernel keeps the list of sockets and returns
 * only the ready ones: ten thousand silent clients cost only memory. An answer that takes long still
 * delays all other clients.
 */

import { CLOSED, Sockets } from '../drivers/readiness/sockets.ts';
import { Epoll, EXCLUSIVE } from '../os/epoll.ts';
import { READABLE, WRITABLE } from '../os/readiness.ts';
import type { AloneArchitecture } from '../worker/contract.ts';

export const epoll: AloneArchitecture = {
  name: 'epoll',
  chapter: '"epoll()"',
  processModel: 'one thread',
  ioModel: 'epoll, non-blocking sockets',
  conversations: 'tens of thousands',
  defeatedBy: 'one slow answer',
  arrangement: 'alone',
  capacity: 'unbounded',
  threads: { default: 1, adjustable: true },
  processes: { default: 1, adjustable: true },

  async serve(worker) {
    const epoll = new Epoll();
    // If workers share a listener, a new client wakes all of them; with EXCLUSIVE only the last that began to wait.
    const watch = READABLE | (worker.options.exclusive ? EXCLUSIVE : 0);
    const sockets = new Sockets(worker, { watch });

    const apply = (fd: number, wanted: number) => {
      if (wanted === CLOSED) {
        epoll.unregister(fd);
        sockets.close(fd);
      } else if (sockets.changeInterest(fd, wanted)) epoll.modify(fd, wanted);
    };

    // Sleeps in epoll_wait(2).
    while (sockets.wait(epoll)) {
      for (let fd = epoll.next(); fd >= 0; fd = epoll.next()) {
        if (fd === worker.listener) acceptAll();
        else if (epoll.events & WRITABLE) apply(fd, sockets.send(fd));
        else apply(fd, sockets.receive(fd, epoll.events));
      }
      // Answers that are due.
      for (let fd = sockets.due(); fd >= 0; fd = sockets.due()) apply(fd, sockets.resume(fd));
      // Promises of the service settle only while Node's own loop has the thread.
      if (sockets.owesNode) await sockets.nodesTurn();
    }
    epoll.close();

    function acceptAll() {
      for (let fd = sockets.accept(); fd >= 0; fd = sockets.accept())
        epoll.register(fd, sockets.interestOf(fd));
    }
  },
};
