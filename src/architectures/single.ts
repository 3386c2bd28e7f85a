/**
 * One thread, one conversation at a time. The thread waits in accept(2) for a client, then in recv(2)
 * for its questions. All other clients wait in the kernel's queue until that client has left. This is
 * the cheapest server of all, and one silent client stops it.
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
