/** What the workers of a stage cost: memory, processor, processes and threads, from /proc. */

import { readdirSync } from 'node:fs';
import { descendantsOf, look, memoryOf } from '../../../os/processes.ts';

const MIB = 2 ** 20;

export interface Cost {
  /** See `FrameRecord.m`. */
  readonly sum: number[];
  /** See `FrameRecord.n`. */
  readonly each: number[];
}

export class StageCost {
  #last: { readonly at: number; readonly cpu: ReadonlyMap<number, number> } | undefined;

  /**
   * Takes some ms for each process.
   *
   * @param pids the workers; the processes that they have started count too
   */
  read(pids: readonly number[]): Cost {
    const cpu = new Map(pids.map((pid) => [pid, look(pid).cpu]));
    const all = [...new Set(pids.flatMap((pid) => [pid, ...descendantsOf(pid)]))];
    const each: number[] = [];
    let [memory, threads] = [0, 0];
    for (const pid of all) {
      const tasks = threadsOf(pid);
      if (tasks === 0) continue;
      const bytes = memoryOf(pid);
      memory += bytes;
      threads += tasks;
      each.push(pid, Math.round(bytes / MIB));
    }
    const sum = [Math.round(memory / MIB), this.#shareOf(cpu), each.length / 2, threads];
    return { sum, each };
  }

  /** Processor time since the last call, in % of one processor. */
  #shareOf(cpu: ReadonlyMap<number, number>): number {
    const [before, at] = [this.#last, performance.now()];
    this.#last = { at, cpu };
    if (before === undefined) return 0;
    let spent = 0;
    for (const [pid, ms] of cpu) spent += Math.max(0, ms - (before.cpu.get(pid) ?? 0));
    return Math.round((100 * spent) / (at - before.at));
  }
}

function threadsOf(pid: number): number {
  try {
    return readdirSync(`/proc/${pid}/task`).length;
  } catch {
    // The process has ended.
    return 0;
  }
}
