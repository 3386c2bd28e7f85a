/** What each architecture is, in the few words under its picture and its name. No DOM in here. */

import { counted } from '../shared/words.ts';

/** Descriptors that `select` has room for. */
export const REGISTER = 1024;

/** Under a ring: how its thread learns which of `open` clients has something for it. */
export const ringCaptions: Readonly<Record<string, (open: number) => string>> = {
  select: (open) => `each wait asks all ${counted(open, 'socket')}`,
  poll: (open) => `each wait asks all ${counted(open, 'socket')}`,
  epoll: (open) => `the kernel keeps the list of ${counted(open, 'socket')}`,
  uring: () => 'the kernel makes the calls',
  callback: () => 'timers → poll → check → close',
  coroutine: () => 'a function for each client',
  generator: () => 'a generator for each client',
  asyncore: () => 'an object for each client',
};

/** One thread waits for all its clients: they stand on a rim. */
export const loops: ReadonlySet<string> = new Set(Object.keys(ringCaptions));

/** Under the name of an architecture. */
export const summaries: Readonly<Record<string, string>> = {
  single: 'one thread, one client at a time',
  threaded: 'a pool of threads, each accepts',
  queued: 'one thread accepts, a pool serves',
  prefork: 'a pool of processes, each accepts',
  socketserver: 'a new thread for each client',
  inetd: 'a new process for each client',
  select: 'one thread asks select who is ready',
  poll: 'one thread asks poll who is ready',
  epoll: 'one thread, and a list in the kernel',
  uring: 'one thread, and calls that complete later',
  callback: 'Node’s loop calls a function',
  coroutine: 'Node’s loop resumes async functions',
  generator: 'an epoll loop resumes generators',
  asyncore: 'a framework around poll',
};
