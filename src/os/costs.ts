/**
 * The costs of a server, read from /proc: processor time, context switches and memory of a process and all its
 * descendants. The server does nothing for it, so the same figures exist for every server. proc(5)
 */

import { readdirSync, readFileSync } from 'node:fs';
import { memoryOf } from './processes.ts';

/** One reading of a tree of processes. The difference of two is what was used. */
export interface Usage {
  processes: Map<number, ProcessUsage>;
}

interface ProcessUsage {
  userTicks: number;
  systemTicks: number;
  threads: Map<number, ThreadUsage>;
}

interface ThreadUsage {
  nanoseconds: number;
  switches: number;
}

/** The use between two readings. */
export interface Spent {
  /** Processor time, in seconds. */
  cpu: number;
  /** The same in clock ticks, which separate user from system time and are coarse: 10 ms each. */
  user: number;
  system: number;
  /** Context switches; `undefined` if threads came or went, because their counts go with them. */
  switches: number | undefined;
}

const ticksPerSecond = 100; // the unit of /proc on every Linux, for any clock of the kernel

/** The process and all its descendants, by process id. */
export function tree(root: number): number[] {
  const children = new Map<number, number[]>();
  for (const entry of readdirSync('/proc')) {
    const pid = Number(entry);
    if (!Number.isInteger(pid)) continue;
    const parent = Number(statFields(pid)?.[1]);
    if (parent > 0) children.set(parent, [...(children.get(parent) ?? []), pid]);
  }
  const found = [root];
  for (const pid of found) found.push(...(children.get(pid) ?? []));
  return found;
}

/** Start time of a process, in ticks since boot. It distinguishes the process from a later one with the same id. */
export function startOf(pid: number): string | undefined {
  const fields = statFields(pid);
  return fields === undefined || fields[0] === 'Z' ? undefined : fields[19];
}

export function usage(root: number): Usage {
  const processes = new Map<number, ProcessUsage>();
  for (const pid of tree(root)) {
    const fields = statFields(pid);
    if (fields === undefined) continue;
    const ticks = (index: number) => Number(fields[index]);
    processes.set(pid, {
      // Includes children that have ended, so a server that forks for each client pays for them too.
      userTicks: ticks(11) + ticks(13),
      systemTicks: ticks(12) + ticks(14),
      threads: threadsOf(pid),
    });
  }
  return { processes };
}

export function spent(before: Usage, after: Usage): Spent {
  const sum: Spent = { cpu: 0, user: 0, system: 0, switches: 0 };
  for (const [pid, now] of after.processes) {
    const then = before.processes.get(pid);
    const user = (now.userTicks - (then?.userTicks ?? 0)) / ticksPerSecond;
    const system = (now.systemTicks - (then?.systemTicks ?? 0)) / ticksPerSecond;
    const precise = then === undefined ? undefined : threadsSpent(then.threads, now.threads);
    sum.user += user;
    sum.system += system;
    // The nanoseconds of an ended thread are lost, but the ticks of its process still include its share.
    sum.cpu += precise?.seconds ?? user + system;
    if (precise === undefined || sum.switches === undefined) sum.switches = undefined;
    else sum.switches += precise.switches;
  }
  return sum;
}

/** Memory of a process and all its descendants in KiB, counted as in `memoryOf`. */
export function memory(root: number): number {
  return tree(root).reduce((sum, pid) => sum + memoryOf(pid), 0) / 1024;
}

function threadsSpent(before: ProcessUsage['threads'], after: ProcessUsage['threads']) {
  if (after.size === 0 || before.size !== after.size) return undefined;
  const sum = { seconds: 0, switches: 0 };
  for (const [tid, now] of after) {
    const then = before.get(tid);
    if (then === undefined) return undefined;
    sum.seconds += (now.nanoseconds - then.nanoseconds) / 1e9;
    sum.switches += now.switches - then.switches;
  }
  return sum;
}

function threadsOf(pid: number): Map<number, ThreadUsage> {
  const threads = new Map<number, ThreadUsage>();
  for (const tid of list(`/proc/${pid}/task`)) {
    const folder = `/proc/${pid}/task/${tid}`;
    const nanoseconds = Number(read(`${folder}/schedstat`).split(' ')[0] || Number.NaN);
    if (Number.isNaN(nanoseconds)) continue;
    let switches = 0;
    for (const match of read(`${folder}/status`).matchAll(
      /^(?:non)?voluntary_ctxt_switches:\s+(\d+)/gm,
    )) {
      switches += Number(match[1]);
    }
    threads.set(Number(tid), { nanoseconds, switches });
  }
  return threads;
}

/** The fields of /proc/PID/stat, starting with the state: the name before it may contain spaces and parentheses. */
function statFields(pid: number): string[] | undefined {
  const stat = read(`/proc/${pid}/stat`);
  return stat === '' ? undefined : stat.slice(stat.lastIndexOf(')') + 2).split(' ');
}

// A process may end between two readings. Then there is nothing to read, and that is not an error.
function read(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return '';
  }
}

function list(path: string): string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}
