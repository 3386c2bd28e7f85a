/** The kernel's account of one thread at this moment, from /proc. proc(5) */
import { readFileSync } from 'node:fs';

const read = (pid: number, tid: number, file: string): string => {
  try {
    return readFileSync(`/proc/${pid}/task/${tid}/${file}`, 'latin1');
  } catch {
    // It has ended.
    return '';
  }
};

/** The state of the thread, as a letter: `R`, `S`, `D`, `T`, …; empty if it is gone. */
export const stateLetter = (pid: number, tid: number): string =>
  // Start after the name, which is in brackets and may contain anything.
  read(pid, tid, 'stat').split(') ').at(-1)!.charAt(0);

/** The kernel function that it sleeps in; empty if it does not sleep, or is gone. */
export function sleepsIn(pid: number, tid: number): string {
  const where = read(pid, tid, 'wchan');
  return where === '0' ? '' : where;
}

/** What a thread has had of processors since it started, in ns. */
export interface Schedule {
  /** Time on a processor. */
  readonly running: number;
  /** Time in which it could run and had no processor. */
  readonly queued: number;
}

/** Undefined if the thread is gone, or the kernel does not count. */
export function scheduleOf(pid: number, tid: number): Schedule | undefined {
  const [running, queued] = read(pid, tid, 'schedstat').split(' ');
  return queued === undefined ? undefined : { running: Number(running), queued: Number(queued) };
}
