/**
 * One thread for everybody, waiting in select(2): the oldest of the three calls, and the one whose
 * sets end at descriptor 1,023. A client past that is turned away; all sets are walked on every wait.
 */

import { CLOSED, Sockets } from '../drivers/readiness/sockets.ts';
import { WRITABLE } from '../os/readiness.ts';
import { FD_SETSIZE, Select } from '../os/select.ts';
import type { Architecture } from '../worker/contract.ts';

export const select: Architecture = {
  name: 'select',
  chapter: '"the POSIX call select()"',
  processModel: 'one thread',
  ioModel: 'select, non-blocking sockets',
  conversations: `about ${FD_SETSIZE - 24}, each wait costs all of them`,
  defeatedBy: `one slow answer; more than ${FD_SETSIZE} descriptors`,
  arrangement: 'alone',
  capacity: 'unbounded',
  threads: { default: 1, adjustable: true },
  processes: { default: 1, adjustable: true },

  serve(worker) {
    const select = new Select();
    const sockets = new Sockets(worker, FD_SETSIZE);

    const settle = (fd: number, wanted: number) => {
      if (wanted === CLOSED) {
        select.unregister(fd);
        sockets.close(fd);
      } else if (sockets.changeInterest(fd, wanted)) {
        select.modify(fd, wanted);
      }
    };

    while (!sockets.isDone) {
      sockets.listen(select);
      worker.row.state = 'waiting';
      select.wait(sockets.timeout());
      worker.row.state = 'answering';
      for (let fd = select.take(); fd >= 0; fd = select.take()) {
        if (fd === worker.listener) {
          for (const socket of sockets.accept())
            select.register(socket, sockets.interestOf(socket));
        } else if (select.events & WRITABLE) settle(fd, sockets.send(fd));
        else settle(fd, sockets.receive(fd, select.events));
      }
      for (const fd of sockets.due()) settle(fd, sockets.resume(fd));
    }
    sockets.closeAll();
  },
};
