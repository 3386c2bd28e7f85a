/** What a thread waits for while it sleeps in a call, in words. */

const reasons: Readonly<Record<string, string>> = {
  accept4: 'waiting for a client to connect',
  recv: 'waiting for the client',
  send: 'waiting for the client to take its answer',
  connect: 'waiting for a connection',
  select: 'waiting for any of its sockets',
  poll: 'waiting for any of its sockets',
  epoll_wait: 'waiting for any of its sockets',
  io_uring_enter: 'waiting for anything that it asked of the kernel',
  futex: 'waiting for another thread, or for time to pass',
  loop: 'waiting for any of its sockets',
};

/** The sleep of Node's own loop, which makes its calls out of sight. */
export const LOOP = 'loop';

export const reasonOf = (call: string): string => reasons[call] ?? 'waiting';

/** How sentences and the source spell some calls. */
const names: Readonly<Record<string, string>> = { accept4: 'accept', [LOOP]: "Node's loop" };

/** The name of a wait as a sentence has it. */
export const waitName = (call: string): string => names[call] ?? call;
