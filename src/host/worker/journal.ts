/**
 * The journal between processes: events as lines of JSON. They are written at once, because a thread that is about
 * to sleep in the kernel cannot write them later.
 *
 * All threads of a worker, and the processes it starts, write to one stream socket. Their lines stay whole as long
 * as the kernel queues each as one piece: up to 32 KiB, unix_stream_sendmsg. So texts are shortened before they are
 * written.
 */
import { writeSync } from 'node:fs';
import { awaitWritable } from '../../os/poll.ts';
import { grouped, quoted, shortened } from '../../protocol/shown.ts';
import type { Journal, WorkerEvent } from '../../worker/contract.ts';

/** A worker's reports about itself to its supervisor. */
export type StartEvent =
  /** `undeclared`: the service does not say what it shares. */
  | { readonly type: 'ready'; readonly undeclared?: boolean }
  | { readonly type: 'fatal'; readonly text: string; readonly lacks?: 'io_uring' };

/** An event as it arrives: with its process, its thread, and its time (ms since 1970). */
export type Stamped<E> = E & { readonly at: number; readonly pid: number; readonly tid: number };

/** Time that a thread waits for a busy supervisor, in ms. A stopped supervisor must not stop its workers. */
const WRITE_TIMEOUT_MS = 1000;

/** @param countDropped called for each event for which there was no room */
export function journalInto(
  fd: number,
  tid: number,
  on: boolean,
  countDropped: () => void = () => {},
): Journal {
  const stamp = { pid: process.pid, tid };
  let dropped = 0;
  return {
    on,
    record(event) {
      if (!on && event.type !== 'warning') return;
      const at = Date.now();
      // After a wait without success, do not wait again until there was room.
      const timeout = dropped === 0 ? WRITE_TIMEOUT_MS : 0;
      if (dropped > 0) {
        const text = `${grouped(dropped)} events of thread ${tid} dropped: the supervisor took none for ${WRITE_TIMEOUT_MS} ms`;
        if (writeEvent(fd, { at, ...stamp, type: 'warning', text }, timeout)) dropped = 0;
      }
      if (dropped === 0 && writeEvent(fd, { at, ...stamp, ...event }, timeout)) return;
      dropped++;
      countDropped();
    },
  };
}

/**
 * Writes with Node's own write(2), so that a trace of an architecture's calls does not show the journal.
 *
 * @param fd must not block
 * @param timeout how long to wait for room, in ms. Default: for ever if the worker reports that it serves or that
 *   it ends, because the supervisor waits for that
 * @returns false if there was no room
 */
export function writeEvent(
  fd: number,
  event: Stamped<WorkerEvent | StartEvent>,
  timeout = event.type === 'ready' || event.type === 'fatal'
    ? Number.POSITIVE_INFINITY
    : WRITE_TIMEOUT_MS,
): boolean {
  const line = lineOf(event);
  const end = performance.now() + timeout;
  for (;;) {
    try {
      writeSync(fd, line);
      return true;
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      // The supervisor is gone, and its server ends. The kernel kills all processes except one kind: an assistant
      // whose own worker ended before.
      if (code === 'EPIPE') process.kill(process.pid, 'SIGKILL');
      if (code !== 'EAGAIN') throw error;
    }
    const left = end - performance.now();
    if (left <= 0) return false;
    awaitWritable(fd, Math.min(left, WRITE_TIMEOUT_MS));
  }
}

/** Longest text, such as the stack of an error, in characters: it fits into a line even if JSON escapes all of it. */
const MOST_TEXT = 4000;

export function lineOf(event: Stamped<WorkerEvent | StartEvent>): string {
  const cut = 'text' in event ? { ...event, text: shortened(event.text, MOST_TEXT) } : event;
  return `${JSON.stringify(cut)}\n`;
}

/** Longest start of a line that is kept until its end comes, in characters. */
const MOST_REST = 65_536;

/**
 * Splits the bytes from the socket into events. A service can write to its worker's descriptors, too. So lines that
 * are not events are left out, and the first of them is passed to `complain`.
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
    // No event has this length.
    if (rest.length > MOST_REST) rest = '';
    for (const line of lines) {
      const event = parsed(line);
      if (event !== undefined) {
        deliver(event);
      } else if (!hasComplained) {
        hasComplained = true;
        complain(
          `Cannot read ${quoted(shortened(line, 80))} in a worker's journal: it is not an event; all such lines are left out`,
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
