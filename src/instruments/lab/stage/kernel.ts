/** What the kernel says of a server: what its threads do, and who waits in its accept queue. proc(5) */

import { readFileSync, readlinkSync } from 'node:fs';
import { type Schedule, scheduleOf, stateLetter } from '../../../os/task-state.ts';
import { TCP, type TcpRow, tcpRowsAt } from '../../../os/tcp-table.ts';
import { KERNEL, type KernelState } from '../shared/records.ts';

export interface Task {
  readonly pid: number;
  readonly tid: number;
}

/** Threads of one look, each two files of 60 µs. With more threads, each look takes the next ones. */
const MOST_LOOKS = 64;
/** Part of the time in the run queue from which on a thread that does not sleep wants a processor. */
const WANTING = 0.2;

const stateOfLetter: Readonly<Record<string, KernelState>> = {
  R: KERNEL.running,
  S: KERNEL.asleep,
  I: KERNEL.asleep,
  D: KERNEL.blocked,
  T: KERNEL.stopped,
  t: KERNEL.stopped,
};

interface Known {
  readonly state: KernelState;
  /** ms. */
  readonly at: number;
  readonly schedule: Schedule | undefined;
}

/** The last known states of threads. */
export class TaskStates {
  readonly #known = new Map<number, Known>();
  #next = 0;

  of(tid: number): KernelState {
    return this.#known.get(tid)?.state ?? KERNEL.unknown;
  }

  /** Reads the states of these threads, and forgets all others. */
  look(tasks: readonly Task[]): void {
    const present = new Set(tasks.map(({ tid }) => tid));
    for (const tid of this.#known.keys()) if (!present.has(tid)) this.#known.delete(tid);
    for (let i = 0; i < Math.min(MOST_LOOKS, tasks.length); i++) {
      this.#next = (this.#next + 1) % tasks.length;
      this.#read(tasks[this.#next]!);
    }
  }

  /** Reads the states of those among these threads that are not known. */
  lookAtNew(tasks: readonly Task[]): void {
    const unknown = tasks.filter(({ tid }) => !this.#known.has(tid));
    for (const task of unknown.slice(0, MOST_LOOKS)) this.#read(task);
  }

  #read({ pid, tid }: Task): void {
    const letter = stateLetter(pid, tid);
    const [at, schedule] = [performance.now(), scheduleOf(pid, tid)];
    const before = this.#known.get(tid);
    let state = stateOfLetter[letter] ?? KERNEL.unknown;
    const isStill = state === KERNEL.unknown || state === KERNEL.stopped;
    if (!isStill && schedule !== undefined && before?.schedule !== undefined) {
      // The letter is of one moment: a thread that works 1 ms in 100 must not look busy for the time of one look.
      const part = (now: number, then: number) => (now - then) / 1e6 / (at - before.at);
      const running = part(schedule.running, before.schedule.running);
      const queued = part(schedule.queued, before.schedule.queued);
      const slept = running + queued < 0.5;
      if (!slept) state = queued > WANTING ? KERNEL.runnable : KERNEL.running;
      else if (state === KERNEL.running) state = KERNEL.asleep;
    }
    this.#known.set(tid, { state, at, schedule });
  }
}

/** A connection in an accept queue. */
export interface Waiting {
  /** `ADDRESS:PORT` of the client. */
  readonly peer: string;
  /** Bytes of it that lie in the kernel. */
  readonly bytes: number;
}

const peerOf = ({ peer, peerPort }: TcpRow): string => `${peer}:${peerPort}`;

/** The clients in the accept queue of a port, IPv4 only. It reads a line for each socket of the machine. */
export const waitingAt = (port: number): Waiting[] =>
  tcpRowsAt(port)
    // A client that has closed already waits on, too.
    .filter(({ state, inode }) => inode === 0 && (state === TCP.established || isClosed(state)))
    .map((row) => ({
      peer: peerOf(row),
      // The kernel counts the end of the stream as a byte.
      bytes: Math.max(0, isClosed(row.state) ? row.received - 1 : row.received),
    }));

const isClosed = (state: number): boolean => state === TCP.closeWait;

/**
 * The client whose socket a thread sleeps on in a system call, as `ADDRESS:PORT`. Undefined if it sleeps elsewhere, or
 * if this process may not look.
 */
export function peerOfSleeper({ pid, tid }: Task, port: number): string | undefined {
  try {
    // Number of the call, and its arguments: the first one of recv(2) and send(2) is the descriptor.
    const call = readFileSync(`/proc/${pid}/task/${tid}/syscall`, 'latin1').split(' ');
    const link = readlinkSync(`/proc/${pid}/fd/${Number(call[1])}`);
    const inode = Number(/^socket:\[(\d+)\]$/.exec(link)?.[1] ?? Number.NaN);
    const row = tcpRowsAt(port).find((one) => one.inode === inode && one.state !== TCP.listen);
    return row && peerOf(row);
  } catch {
    return undefined;
  }
}
