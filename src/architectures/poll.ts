/**
 * One thread for everybody. It waits in poll(2) for all sockets at once, none of which blocks, and
 * turns to whichever is ready; a silent client costs a table entry. But the kernel and the loop walk
 * the whole list on every wait, and an answer that takes long holds up everyone.
 */

import { CLOSED, NOTHING, Sockets } from '../drivers/readiness/sockets.ts';
import { Poll } from '../os/poll.ts';
import { READABLE, WRITABLE } from '../os/readiness.ts';
import type { AloneArchitecture } from '../worker/contract.ts';

const event = { fd: -1, events: 0 };

/** Everything that happens, one at a time, until the server stops. */
function* allEventsForever(poll: Poll, sockets: Sockets) {
  // Sleeps in poll(2).
  while (sockets.wait(poll)) {
    for (let fd = poll.next(); fd >= 0; fd = poll.next()) {
      event.fd = fd;
      event.events = poll.events;
      yield event;
    }
    // Answers whose time has come.
    event.events = NOTHING;
    for (event.fd = sockets.due(); event.fd >= 0; event.fd = sockets.due()) yield event;
  }
}

export const poll: AloneArchitecture = {
  name: 'poll',
  chapter: 'srv_async',
  processModel: 'one thread',
  ioModel: 'poll, non-blocking sockets',
  conversations: 'thousands, each wait costs all of them',
  defeatedBy: 'one slow answer; very many connections',
  arrangement: 'alone',
  capacity: 'unbounded',
  threads: { default: 1, adjustable: true },
  processes: { default: 1, adjustable: true },

  serve(worker) {
    const poll = new Poll();
    // The tables: bytes received and bytes to send, by socket.
    const sockets = new Sockets(worker);

    for (const { fd, events } of allEventsForever(poll, sockets)) {
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
  },
};
