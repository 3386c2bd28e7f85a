/** What the processes of the lab cost, from /proc. */
import { readFileSync } from 'node:fs';
import { descendantsOf } from '../../../os/processes.ts';

/** The unit of processor time in /proc, on every Linux: 10 ms. */
const TICK = 10;

/** Processor time of a process so far, without its children, in ms. */
function processorTime(pid: number): number {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // The name of the process may have spaces and parentheses.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return (Number(fields[11]) + Number(fields[12])) * TICK;
  } catch {
    // The process has ended.
    return 0;
  }
}

export interface Groups {
  /** The processes that start the workers. They look at the servers as well, so they belong to the lab. */
  readonly supervisors: readonly number[];
  readonly clients: readonly number[];
}

/** Processor time since the last call, in % of one processor. */
export class CostMeter {
  #before = new Map<number, number>();
  #at = performance.now();

  take({ supervisors, clients }: Groups): { servers: number; clients: number; lab: number } {
    const now = performance.now();
    const elapsed = Math.max(1, now - this.#at);
    const before = this.#before;
    this.#at = now;
    this.#before = new Map();
    const share = (pids: readonly number[]): number => {
      let spent = 0;
      for (const pid of pids) {
        const time = processorTime(pid);
        this.#before.set(pid, time);
        // A process that is new may have worked before this interval.
        spent += Math.max(0, time - (before.get(pid) ?? time));
      }
      return Math.round((spent / elapsed) * 1000) / 10;
    };
    return {
      servers: share(supervisors.flatMap(descendantsOf)),
      clients: share(clients),
      lab: share([process.pid, ...supervisors]),
    };
  }
}
