/**
 * Several copies of `single` as processes that inherited one listener. Each waits in accept(2), and the
 * kernel wakes one of them per client. They share only the socket: a process that dies loses only its
 * own client, and is replaced. As many silent clients as processes stop the server.
 */
import type { AloneArchitecture } from '../worker/contract.ts';
import { acceptConnectionsForever } from './blocking.ts';

export const prefork: AloneArchitecture = {
  name: 'prefork',
  chapter: '"multiprocess"',
  processModel: 'processes that accept from one listener',
  ioModel: 'blocking calls',
  conversations: 'one per process',
  defeatedBy: 'as many silent clients as processes',
  arrangement: 'alone',
  capacity: 'processes',
  threads: { default: 1, adjustable: false },
  processes: { default: 4, adjustable: true },

  serve: acceptConnectionsForever,
};
