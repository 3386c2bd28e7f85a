/** What the kernel says of a server's processes, in /proc: nothing is asked of the server itself. proc(5) */
import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

/** One look at a process and all that it started. */
export interface Look {
  /** Bytes in memory that are not files': what the server itself has written. */
  readonly memory: number;
  readonly descriptors: number;
  readonly threads: number;
  /** Time on a processor since the start, in ms, of those that have ended too. */
  readonly cpu: number;
}

const PAGE = 4096;
/** What /proc counts processor time in, on every Linux: 10 ms. */
const TICK = 10;

// A process may end between two looks; then there is nothing to read, and that is no error.
const read = (path: string): string => {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return '';
  }
};

const list = (path: string): string[] => {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
};

/** The processes that one has started, those that they have, and so on. */
export function descendantsOf(pid: number): number[] {
  const children = list(`/proc/${pid}/task`).flatMap((tid) =>
    read(`/proc/${pid}/task/${tid}/children`).split(' ').filter(Boolean).map(Number),
  );
  return [...children, ...children.flatMap(descendantsOf)];
}

export function look(root: number): Look {
  const sum = { memory: 0, descriptors: 0, threads: 0, cpu: 0 };
  for (const pid of [root, ...descendantsOf(root)]) {
    const stat = read(`/proc/${pid}/stat`);
    // From the state on: the name before it may hold spaces and parentheses.
    const fields = stat
      .slice(stat.lastIndexOf(')') + 2)
      .split(' ')
      .map(Number);
    if (fields.length < 20) continue;
    const [, resident = 0, shared = 0] = read(`/proc/${pid}/statm`).split(' ').map(Number);
    sum.memory += (resident - shared) * PAGE;
    sum.descriptors += list(`/proc/${pid}/fd`).length;
    sum.threads += fields[17]!;
    // With the times of children that were waited for.
    sum.cpu += (fields[11]! + fields[12]! + fields[13]! + fields[14]!) * TICK;
  }
  return sum;
}

/**
 * The memory of one process in bytes, as PSS: a page that several processes share counts in parts, so that a sum over
 * processes is what they really take. If the kernel does not show that of a process, its RSS, shared pages whole.
 */
export function memoryOf(pid: number): number {
  const pss = /^Pss:\s+(\d+)/m.exec(read(`/proc/${pid}/smaps_rollup`))?.[1];
  if (pss !== undefined) return Number(pss) * 1024;
  return Number(read(`/proc/${pid}/statm`).split(' ')[1] ?? 0) * PAGE;
}

/** What a process and all that it started hold at this moment; `memory` as `memoryOf` has it. */
export function holdingsOf(root: number) {
  const sum = { memory: 0, descriptors: 0, threads: 0, processes: 0 };
  for (const pid of [root, ...descendantsOf(root)]) {
    const tasks = list(`/proc/${pid}/task`).length;
    if (tasks === 0) continue;
    sum.processes++;
    sum.threads += tasks;
    sum.memory += memoryOf(pid);
    sum.descriptors += list(`/proc/${pid}/fd`).length;
  }
  return sum;
}

/** How long all processors together have been busy since the machine was started, in ms. */
export function busy(): number {
  const [, user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0] = (
    read('/proc/stat').split('\n')[0] ?? ''
  )
    .split(/ +/)
    .map(Number);
  return (user + nice + system + irq + softirq) * TICK;
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // Gone already.
  }
}

/** How long what a process has started has to end after it, in ms. */
const PATIENCE = 2000;

/**
 * Kills a supervisor, and then those of its descendants that have not ended with it. Not all of them at once: a
 * worker that is killed cannot take along what it is just starting, and that is not in any list yet.
 */
export async function killWithAll(root: number): Promise<void> {
  const processes = descendantsOf(root);
  kill(root);
  const end = performance.now() + PATIENCE;
  while ([root, ...processes].some(isRunning) && performance.now() < end) await sleep(10);
  for (const pid of processes) if (isRunning(pid)) kill(pid);
}

/** Whether there is such a process, a zombie not counted. */
export function isRunning(pid: number): boolean {
  const stat = read(`/proc/${pid}/stat`);
  return stat !== '' && stat[stat.lastIndexOf(')') + 2] !== 'Z';
}
