/**
 * Several copies of `single` in one process. Each thread waits in accept(2) on the one listener, and
 * the kernel wakes one of them per client. A thread per conversation costs a stack and a V8 isolate. As
 * many silent clients as threads stop the server.
 */
import type { AloneArchitecture } from '../worker/contract.ts';
import { acceptConnectionsForever } from './blocking.ts';

export const threaded: AloneArchitecture = {
  name: 'threaded',
  chapter: 'srv_threaded',
  processModel: 'a pool of threads, each accepting',
  ioModel: 'blocking calls',
  conversations: 'one per thread',
  defeatedBy: 'as many silent clients as threads',
  arrangement: 'alone',
  capacity: 'threads',
  threads: { default: 4, adjustable: true },
  processes: { default: 1, adjustable: true },

  serve: acceptConnectionsForever,
};
