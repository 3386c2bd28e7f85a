/**
 * How workers wait until clients can connect. The supervisor ends its direction of the journal then, and each thread
 * sees that end. No worker accepts before, because another one may still fail to load its service.
 */
import { awaitReadable, isReadable } from '../../os/poll.ts';
import { dup } from '../../os/socket.ts';
import { JOURNAL_FD } from './worker-config.ts';

/** Sleeps until then, or until the worker must leave. */
export function sleepUntilOpen(isLeaving: () => boolean): void {
  while (!isLeaving() && !awaitReadable(JOURNAL_FD));
}

/** The same without blocking the thread, for Node's own loop. */
export function opened(): Promise<void> {
  if (isReadable(JOURNAL_FD)) return Promise.resolve();
  const { Socket } = process.getBuiltinModule('node:net');
  // Half-open: otherwise Node would end the worker's own direction too.
  const journal = new Socket({ fd: dup(JOURNAL_FD), allowHalfOpen: true });
  return new Promise((resolve) => {
    journal.once('end', () => {
      journal.destroy();
      resolve();
    });
    journal.resume();
  });
}
