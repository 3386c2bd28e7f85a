/**
 * One thread serves all clients and waits in select(2), the oldest of the three calls. Its sets end at
 * descriptor 1,023, so later clients are refused. The kernel and the loop walk all sets on every wait.
 */

import { CLOSED, Sockets } from '../drivers/readiness/sockets.ts';
import { WRITABLE } from '../os/readiness.ts';
import { FD_SETSIZE, Select } from '../os/select.ts';
import type { AloneArchitecture } from '../worker/contract.ts';

export const select: AloneArchitecture = {
  name: 'select',
  chapter: '"the POSIX call select()"',
  processModel: 'one thread',
  ioModel: 'select, non-blocking sockets',
  conversations: `about ${FD_SETSIZE - 24}; in each wait, the kernel reads the whole list of sockets`,
  defeatedBy: `one slow answer; more than ${FD_SETSIZE} open descriptors`,
  arrangement: 'alone',
  capacity: 'unbounded',
  threads: { default: 1, adjustable: true },
  processes: { default: 1, adjustable: true },

  async serve(worker) {
    const select = new Select();
    const sockets = new Sockets(worker, { limit: FD_SETSIZE });

    const apply = (fd: number, wanted: number) => {
      if (wanted === CLOSED) {
        select.unregister(fd);
        sockets.close(fd);
      } else if (sockets.changeInterest(fd, wanted)) select.modify(fd, wanted);
    };

    // Sleeps in select(2).
    while (sockets.wait(select)) {
      for (let fd = select.next(); fd >= 0; fd = select.next()) {
        if (fd === worker.listener) acceptAll();
        else if (select.events & WRITABLE) apply(fd, sockets.send(fd));
        else apply(fd, sockets.receive(fd, select.events));
      }
      // Answers that are due.
      for (let fd = sockets.due(); fd >= 0; fd = sockets.due()) apply(fd, sockets.resume(fd));
      // Promises of the service settle only while Node's own loop has the thread.
      if (sockets.owesNode) await sockets.nodesTurn();
    }

    function acceptAll() {
      for (let fd = sockets.accept(); fd >= 0; fd = sockets.accept())
        select.register(fd, sockets.interestOf(fd));
    }
  },
};
