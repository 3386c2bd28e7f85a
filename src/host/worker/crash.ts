/** Ends a worker process that cannot continue: it reports why to its supervisor, which starts another. */
import { threadId } from '../../os/signal.ts';
import { explained, scarcityOf } from '../scarcity.ts';
import { writeEvent } from './journal.ts';
import { JOURNAL_FD } from './worker-config.ts';

/**
 * For our own bug, and for a service that cannot be loaded or throws outside of a call: reports it, and ends this
 * process.
 */
export function crash(error: unknown): void {
  const lacksUring = error instanceof Error && error.name === 'UringUnavailable';
  writeEvent(JOURNAL_FD, {
    type: 'fatal',
    text: textOf(error),
    ...(lacksUring ? { lacks: 'io_uring' } : {}),
    at: Date.now(),
    pid: process.pid,
    tid: threadId(),
  });
  end();
}

/**
 * Not process.exit: it would wait for threads that sleep in the kernel, and in a thread it would end only that
 * thread.
 */
export const end = (): void => void process.kill(process.pid, 'SIGKILL');

/**
 * Ends the whole process if this thread fails or ends too early. Otherwise a service's `process.exit()` would end
 * only its thread, and those that need the thread would wait for ever.
 *
 * @returns call it once the thread may end
 */
export function crashWithThread(failed: (error: unknown) => void = crash): () => void {
  const exited = (code: number) =>
    failed(new Error(`The service has ended its thread with process.exit(${code})`));
  process.on('uncaughtException', failed).on('exit', exited);
  return () => void process.off('exit', exited);
}

/** One line for errors that the user can fix; all details for a bug. */
function textOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error.name === 'ServiceError' || error.name === 'UringUnavailable') return error.message;
  if (scarcityOf(error) !== undefined) return explained('Cannot serve', error);
  return error.stack ?? error.message;
}
