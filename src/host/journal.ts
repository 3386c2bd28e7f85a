/**
 * The journal between processes: events as lines of JSON. They are written with a synchronous write(2),
 * because a thread that is about to sleep in the kernel has no later in which to write them.
 */
import { writeSync } from 'node:fs';
import type { Journal, WorkerEvent } from '../architectures/architecture.ts';

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

export function writeEvent(fd: number, event: Stamped<WorkerEvent | StartEvent>): void {
  try {
    writeSync(fd, `${JSON.stringify(event)}\n`);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EPIPE') throw error;
    // The supervisor is gone, and with it its server. All but one kind of process are about to be told so by the
    // kernel: an assistant whose own worker went before.
    process.kill(process.pid, 'SIGKILL');
  }
}

/** Splits what comes out of the pipe into events again. */
export function eventReader(deliver: (event: Stamped<WorkerEvent | StartEvent>) => void) {
  let rest = '';
  return (chunk: string): void => {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop()!;
    for (const line of lines) deliver(JSON.parse(line));
  };
}
