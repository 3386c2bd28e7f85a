/**
 * One thread, one conversation at a time. The thread waits in accept(2) for a client and then in
 * recv(2) for that client's questions; everybody else waits in the kernel's queue until it has left.
 * Cheapest of all, and one silent client stops it.
 */
import type { AloneArchitecture } from '../worker/contract.ts';
import { acceptConnectionsForever } from './blocking.ts';

export const single: AloneArchitecture = {
  name: 'single',
  chapter: 'srv_single',
  processModel: 'one thread',
  ioModel: 'blocking calls',
  conversations: 'one',
  defeatedBy: 'one silent client',
  arrangement: 'alone',
  capacity: 'one',
  threads: { default: 1, adjustable: false },
  processes: { default: 1, adjustable: false },

  serve: acceptConnectionsForever,
};
