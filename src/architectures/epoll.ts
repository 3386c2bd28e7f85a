/**
 * One thread for everybody, as `poll`, but the kernel keeps the list of sockets and hands over only
 * the ready ones: ten thousand silent clients cost nothing but memory. An answer that takes long
 * still holds up everyone.
 */

import { CLOSED, Sockets } from '../drivers/readiness/sockets.ts';
import { Epoll, EXCLUSIVE } from '../os/epoll.ts';
import { READABLE, WRITABLE } from '../os/readiness.ts';
import type { Architecture } from '../worker/contract.ts';

export const epoll: Architecture = {
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

  serve(worker) {
    const epoll = new Epoll();
    const sockets = new Sockets(worker);

    const settle = (fd: number, wanted: number) => {
      if (wanted === CLOSED) {
        epoll.unregister(fd);
        sockets.close(fd);
      } else if (sockets.changeInterest(fd, wanted)) {
        epoll.modify(fd, wanted);
      }
    };

    // Of several workers on one listener, a new client wakes all, or with EXCLUSIVE the last to wait.
    const forClients = READABLE | (worker.options.exclusive ? EXCLUSIVE : 0);
    while (!sockets.isDone) {
      sockets.listen(epoll, forClients);
      worker.row.state = 'waiting';
      epoll.wait(sockets.timeout());
      worker.row.state = 'answering';
      for (let fd = epoll.take(); fd >= 0; fd = epoll.take()) {
        if (fd === worker.listener) {
          for (const socket of sockets.accept()) epoll.register(socket, sockets.interestOf(socket));
        } else if (epoll.events & WRITABLE) settle(fd, sockets.send(fd));
        else settle(fd, sockets.receive(fd, epoll.events));
      }
      for (const fd of sockets.due()) settle(fd, sockets.resume(fd));
    }
    sockets.closeAll();
    epoll.close();
  },
};
