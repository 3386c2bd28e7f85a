/** More of the threads of a stage than their lanes say: how many clients each has accepted, and where it sleeps. */

import { sleepsIn } from '../../../os/task-state.ts';
import type { RowReading } from '../../../worker/scoreboard.ts';
import { KERNEL, type KernelState, MOST, type ThreadsRecord } from '../shared/records.ts';

type Thread = Pick<RowReading, 'row' | 'pid' | 'tid' | 'accepted'>;

const sleeps: ReadonlySet<KernelState> = new Set([KERNEL.asleep, KERNEL.blocked]);

export class Threads {
  #sent = '';

  /**
   * Each thread that sleeps costs a file of /proc, which is 60 µs. Of many threads, those of the first rows count.
   *
   * @param kernelOf what the kernel says of a thread
   * @returns the arrays of a record; undefined: they are as before
   */
  look(
    threads: readonly Thread[],
    kernelOf: (tid: number) => KernelState,
  ): Pick<ThreadsRecord, 'z' | 'channels'> | undefined {
    const channels: string[] = [];
    const first = threads.toSorted((one, other) => one.row - other.row).slice(0, MOST.threads);
    const z = first.flatMap(({ pid, tid, accepted }) => {
      const channel = sleeps.has(kernelOf(tid)) ? sleepsIn(pid, tid) : '';
      if (channel !== '' && !channels.includes(channel)) channels.push(channel);
      return [tid, accepted, channels.indexOf(channel)];
    });
    const text = JSON.stringify([z, channels]);
    if (text === this.#sent) return undefined;
    this.#sent = text;
    return { z, channels };
  }
}
