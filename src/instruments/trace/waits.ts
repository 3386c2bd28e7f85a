/** What a thread waits for when it sleeps in a call, in words. */

const reasons: Readonly<Record<string, string>> = {
  accept4: 'waiting for a client to connect',
  recv: 'waiting for the client',
  send: 'waiting for the client to take its answer',
  connect: 'waiting for a connection',
  select: 'waiting for any of its sockets',
  poll: 'waiting for any of its sockets',
  epoll_wait: 'waiting for any of its sockets',
  io_uring_enter: 'waiting for anything that was asked of the kernel',
  futex: 'waiting for another thread, or for time to pass',
  loop: 'waiting for any of its sockets',
};

/** Stands for the sleep of Node's own loop, whose calls cannot be intercepted. */
export const LOOP = 'loop';

export const reasonOf = (call: string): string => reasons[call] ?? 'waiting';

/** The name of a wait in a sentence. */
export const waitName = (call: string): string => (call === LOOP ? "Node's loop" : call);
