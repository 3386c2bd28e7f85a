/** The end of a worker process that cannot go on: whoever runs it is told why, and starts another. */
import { threadId } from '../../os/signal.ts';
import { explained, scarcityOf } from '../scarcity.ts';
import { writeEvent } from './journal.ts';
import { JOURNAL_FD } from './worker-config.ts';

/** Our own bug, or a service that cannot be loaded or throws where nobody waits: the supervisor is told, and this process ends. */
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

/** Not process.exit: it would wait for threads that sleep in the kernel, and in a thread end nothing but that. */
export const end = (): void => void process.kill(process.pid, 'SIGKILL');

/**
 * Has the whole process end with this thread, where that fails or ends before its time: in a thread, a
 * service's `process.exit()` ends nothing else, and whoever needs the thread would wait for ever.
 *
 * @returns to be called once the thread may end
 */
export function crashWithThread(failed: (error: unknown) => void = crash): () => void {
  const exited = (code: number) =>
    failed(new Error(`The service has ended its thread with process.exit(${code})`));
  process.on('uncaughtException', failed).on('exit', exited);
  return () => void process.off('exit', exited);
}

/** One line for what the user can mend; everything there is about a bug. */
function textOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error.name === 'ServiceError' || error.name === 'UringUnavailable') return error.message;
  if (scarcityOf(error) !== undefined) return explained('Cannot serve', error);
  return error.stack ?? error.message;
}
