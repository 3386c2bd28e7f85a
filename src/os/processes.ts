/** The kernel's data on a server's processes, from /proc: the server itself does nothing for it. proc(5) */
import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

/** One reading of a process and all its descendants. */
export interface Look {
  /** Bytes in memory that do not belong to files: what the server itself has written. */
  readonly memory: number;
  readonly descriptors: number;
  readonly threads: number;
  readonly processes: number;
  /** Processor time since the start, in ms, including processes that have ended. */
  readonly cpu: number;
}

const PAGE = 4096;
/** The unit of processor time in /proc, on every Linux: 10 ms. */
const TICK = 10;

// A process may end between two readings. Then there is nothing to read, and that is not an error.
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

/** The child processes of a process, their children, and so on. */
export function descendantsOf(pid: number): number[] {
  const children = list(`/proc/${pid}/task`).flatMap((tid) =>
    read(`/proc/${pid}/task/${tid}/children`).split(' ').filter(Boolean).map(Number),
  );
  return [...children, ...children.flatMap(descendantsOf)];
}

export function look(root: number): Look {
  const sum = { memory: 0, descriptors: 0, threads: 0, processes: 0, cpu: 0 };
  for (const pid of [root, ...descendantsOf(root)]) {
    const stat = read(`/proc/${pid}/stat`);
    // Start with the state: the name before it may contain spaces and parentheses.
    const fields = stat
      .slice(stat.lastIndexOf(')') + 2)
      .split(' ')
      .map(Number);
    if (fields.length < 20) continue;
    const [, resident = 0, shared = 0] = read(`/proc/${pid}/statm`).split(' ').map(Number);
    sum.memory += (resident - shared) * PAGE;
    sum.descriptors += list(`/proc/${pid}/fd`).length;
    sum.threads += fields[17]!;
    sum.processes++;
    // Include the times of children that have been waited for.
    sum.cpu += (fields[11]! + fields[12]! + fields[13]! + fields[14]!) * TICK;
  }
  return sum;
}

/**
 * The memory of one process in bytes, as PSS: a page that several processes share counts in parts, so a sum over
 * processes is their real use. If the kernel does not show the PSS of a process, its RSS, which counts shared pages
 * in full.
 */
export function memoryOf(pid: number): number {
  const pss = /^Pss:\s+(\d+)/m.exec(read(`/proc/${pid}/smaps_rollup`))?.[1];
  if (pss !== undefined) return Number(pss) * 1024;
  return Number(read(`/proc/${pid}/statm`).split(' ')[1] ?? 0) * PAGE;
}

/** The holdings of a process and all its descendants now; `memory` as in `memoryOf`. */
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

/**
 * Time that all processors have spent on programs since the machine was started, in ms. Interrupts do not count: those
 * of the network are the work of the program that is measured, and in no account of a process.
 */
function busy(): number {
  const [, user = 0, nice = 0, system = 0] = (read('/proc/stat').split('\n')[0] ?? '')
    .split(/ +/)
    .map(Number);
  return (user + nice + system) * TICK;
}

/**
 * Watches the processor time of all other programs from now on.
 *
 * @param roots processes that do not count, with their descendants; this process does not count either
 * @returns a function that gives the processors that other programs have kept busy since, on average. A counted process
 * that has ended since makes it too high.
 */
export function watchOthers(roots: readonly number[]): () => number {
  const own = () => {
    const { user, system } = process.cpuUsage();
    return roots.reduce((sum, root) => sum + look(root).cpu, (user + system) / 1000);
  };
  const first = { busy: busy(), own: own(), at: performance.now() };
  return () => {
    const spent = Math.max(0, own() - first.own);
    return Math.max(0, busy() - first.busy - spent) / (performance.now() - first.at);
  };
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has ended already.
  }
}

/** Time that the descendants have to end after the supervisor, in ms. */
const END_TIMEOUT_MS = 2000;

/**
 * Kills a supervisor, and then those of its descendants that have not ended with it. It does not kill all at once:
 * a killed worker cannot end a process that it is just starting, and that process is not in any list yet.
 */
export async function killWithAll(root: number): Promise<void> {
  const processes = descendantsOf(root);
  kill(root);
  const end = performance.now() + END_TIMEOUT_MS;
  while ([root, ...processes].some(isRunning) && performance.now() < end) await sleep(10);
  for (const pid of processes) if (isRunning(pid)) kill(pid);
}

/** True if there is such a process, and it is not a zombie. */
export function isRunning(pid: number): boolean {
  const stat = read(`/proc/${pid}/stat`);
  return stat !== '' && stat[stat.lastIndexOf(')') + 2] !== 'Z';
}
