/** What the workers of a stage cost: memory, processor, processes and threads, from /proc. */

import { holdingsOf, look } from '../../../os/processes.ts';

export class StageCost {
  #last: { readonly at: number; readonly cpu: ReadonlyMap<number, number> } | undefined;

  /**
   * See `FrameRecord.m`. Takes some ms for each process.
   *
   * @param pids the workers; the processes that they have started count too
   */
  read(pids: readonly number[]): number[] {
    const sum = { memory: 0, processes: 0, threads: 0 };
    const cpu = new Map<number, number>();
    for (const pid of pids) {
      const { memory, processes, threads } = holdingsOf(pid);
      sum.memory += memory;
      sum.processes += processes;
      sum.threads += threads;
      cpu.set(pid, look(pid).cpu);
    }
    const [before, at] = [this.#last, performance.now()];
    this.#last = { at, cpu };
    let share = 0;
    if (before !== undefined) {
      let spent = 0;
      for (const [pid, ms] of cpu) spent += Math.max(0, ms - (before.cpu.get(pid) ?? 0));
      share = Math.round((100 * spent) / (at - before.at));
    }
    return [Math.round(sum.memory / 2 ** 20), share, sum.processes, sum.threads];
  }
}
