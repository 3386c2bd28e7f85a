/**
 * The journal between processes: events as lines of JSON. They are written at once, because a thread that is about to
 * sleep in the kernel has no later in which to write them.
 *
 * All threads of a worker, and the processes it starts, write to one stream socket. Their lines stay whole as long as
 * the kernel queues each as one piece: up to 32 KiB, unix_stream_sendmsg. So texts are cut before they are written.
 */
import { writeSync } from 'node:fs';
import { awaitWritable } from '../../os/poll.ts';
import { quoted, shortened } from '../../protocol/shown.ts';
import type { Journal, WorkerEvent } from '../../worker/contract.ts';

/** What a worker tells its supervisor about itself. */
export type StartEvent =
  | { readonly type: 'ready' }
  | { readonly type: 'fatal'; readonly text: string; readonly lacks?: 'io_uring' };

/** An event as it arrives: from which process and thread, at which moment (ms since 1970). */
export type Stamped<E> = E & { readonly at: number; readonly pid: number; readonly tid: number };

/** So long a thread waits, in ms, for a supervisor that is busy; one that is stopped must not stop its workers. */
const PATIENCE = 1000;

export function journalInto(fd: number, tid: number, on: boolean): Journal {
  const stamp = { pid: process.pid, tid };
  let dropped = 0;
  return {
    on,
    record(event) {
      if (!on && event.type !== 'warning') return;
      const at = Date.now();
      // Whoever has waited in vain does not wait again before there was room.
      const patience = dropped === 0 ? PATIENCE : 0;
      if (dropped > 0) {
        const text = `${dropped.toLocaleString('en')} events of thread ${tid} dropped: the supervisor took none for ${PATIENCE} ms`;
        if (writeEvent(fd, { at, ...stamp, type: 'warning', text }, patience)) dropped = 0;
      }
      if (dropped > 0 || !writeEvent(fd, { at, ...stamp, ...event }, patience)) dropped++;
    },
  };
}

/**
 * With Node's own write(2): whoever traces the calls of an architecture is to see none of ours among them.
 *
 * @param fd is not to block
 * @param patience how long to wait for room, in ms; default: for ever, since nobody would go on without it, where a
 *   worker says that it serves or that it ends
 * @returns false if there was none
 */
export function writeEvent(
  fd: number,
  event: Stamped<WorkerEvent | StartEvent>,
  patience = event.type === 'ready' || event.type === 'fatal' ? Number.POSITIVE_INFINITY : PATIENCE,
): boolean {
  const line = lineOf(event);
  const end = performance.now() + patience;
  for (;;) {
    try {
      writeSync(fd, line);
      return true;
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      // The supervisor is gone, and with it its server. All but one kind of process are about to be told so by the
      // kernel: an assistant whose own worker went before.
      if (code === 'EPIPE') process.kill(process.pid, 'SIGKILL');
      if (code !== 'EAGAIN') throw error;
    }
    const left = end - performance.now();
    if (left <= 0) return false;
    awaitWritable(fd, Math.min(left, PATIENCE));
  }
}

/** As many characters of a text, such as the stack of an error, as a line has room for if JSON escapes them all. */
const MOST_TEXT = 4000;

export function lineOf(event: Stamped<WorkerEvent | StartEvent>): string {
  const cut = 'text' in event ? { ...event, text: shortened(event.text, MOST_TEXT) } : event;
  return `${JSON.stringify(cut)}\n`;
}

/** As much of a line as is kept until its end comes, in characters. */
const MOST_REST = 65_536;

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
    // No event is as long.
    if (rest.length > MOST_REST) rest = '';
    for (const line of lines) {
      const event = parsed(line);
      if (event !== undefined) {
        deliver(event);
      } else if (!hasComplained) {
        hasComplained = true;
        complain(
          `Cannot read ${quoted(shortened(line, 80))} in a worker's journal: it is no event; all such lines are left out`,
        );
      }
    }
  };
}

function parsed(line: string): Stamped<WorkerEvent | StartEvent> | undefined {
  try {
    const value = JSON.parse(line);
    const isStamped = [value.at, value.pid, value.tid].every((stamp) => typeof stamp === 'number');
    return isStamped && typeof value.type === 'string' ? value : undefined;
  } catch {
    return undefined;
  }
}
