/**
 * The journal between processes: events as lines of JSON. They are written with a synchronous write(2),
 * because a thread that is about to sleep in the kernel has no later in which to write them.
 *
 * All threads of a worker, and the processes it starts, write to one stream socket. Their lines stay whole as long as
 * the kernel queues each as one piece: up to 32 KiB, unix_stream_sendmsg. So texts are cut before they are written.
 */
import { writeSync } from 'node:fs';
import type { Journal, WorkerEvent } from '../architectures/architecture.ts';
import { shortened } from '../protocol/account.ts';

/** What a worker tells its supervisor about itself. */
export type StartEvent =
  | { readonly type: 'ready' }
  | { readonly type: 'fatal'; readonly text: string };

/** An event as it arrives: from which process and thread, at which moment (ms since 1970). */
export type Stamped<E> = E & { readonly at: number; readonly pid: number; readonly tid: number };

export function journalInto(fd: number, tid: number, on: boolean): Journal {
  const stamp = { pid: process.pid, tid };
  return {
    on,
    record(event) {
      if (on || event.type === 'warning') writeEvent(fd, { at: Date.now(), ...stamp, ...event });
    },
  };
}

/** As many characters of a text, such as the stack of an error, as a line has room for if JSON escapes them all. */
const MOST_TEXT = 4000;

export function writeEvent(fd: number, event: Stamped<WorkerEvent | StartEvent>): void {
  const cut = 'text' in event ? { ...event, text: shortened(event.text, MOST_TEXT) } : event;
  try {
    writeSync(fd, `${JSON.stringify(cut)}\n`);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EPIPE') throw error;
    // The supervisor is gone, and with it its server. All but one kind of process are about to be told so by the
    // kernel: an assistant whose own worker went before.
    process.kill(process.pid, 'SIGKILL');
  }
}

/**
 * Splits what comes out of the socket into events again. A service can write to its worker's descriptors, too: a line
 * that is no event is left out, and the first of them is told to `complain`.
 */
export function eventReader(
  deliver: (event: Stamped<WorkerEvent | StartEvent>) => void,
  complain: (text: string) => void,
) {
  let rest = '';
  let hasComplained = false;
  return (chunk: string): void => {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop()!;
    for (const line of lines) {
      const event = parsed(line);
      if (event !== undefined) {
        deliver(event);
      } else if (!hasComplained) {
        hasComplained = true;
        complain(
          `Cannot read ${JSON.stringify(shortened(line, 80))} in a worker's journal: it is no event; all such lines are left out`,
        );
      }
    }
  };
}

function parsed(line: string): Stamped<WorkerEvent | StartEvent> | undefined {
  try {
    const value = JSON.parse(line);
    return typeof value?.type === 'string' ? value : undefined;
  } catch {
    return undefined;
  }
}
