/**
 * When questions are due in the open loop. The stages give a rate at every moment, and so how many
 * questions there are to be up to it; the schedule is that function the other way round. Evenly: asked
 * for 0, 1, 2 …; as a Poisson process: asked for sums of exponential numbers, which is the way to make one
 * whose rate changes.
 */
import type { LoadPlan, Stage } from './plan.ts';
import { exponential, randomOf } from './random.ts';

export class Schedule {
  readonly #isEven: boolean;
  readonly #stages: readonly Stage[];
  readonly #gap: () => number;
  #stage = 0;
  /** When the stage at hand began, in s, and how many questions there were before it. */
  #began = 0;
  #before = 0;
  #number = 0;

  constructor({ stages, arrivals, seed }: Pick<LoadPlan, 'stages' | 'arrivals' | 'seed'>) {
    this.#stages = stages;
    const random = randomOf(seed);
    this.#isEven = arrivals === 'even';
    this.#gap = this.#isEven ? () => 1 : () => exponential(random);
    if (!this.#isEven) this.#number = this.#gap();
  }

  /** When the next question is due, in ms since the schedule began; `Infinity` when there are no more. */
  next(): number {
    for (;;) {
      const stage = this.#stages[this.#stage];
      if (stage === undefined) return Number.POSITIVE_INFINITY;
      const { seconds } = stage;
      const from = stage.from ?? 0;
      const to = stage.to ?? from;
      const wanted = this.#number - this.#before;
      const total = (seconds * (from + to)) / 2;
      if (wanted >= total) {
        this.#before += total;
        this.#began += seconds;
        this.#stage++;
        continue;
      }
      this.#number += this.#gap();
      // Solves wanted = from · t + (to - from) / (2 · seconds) · t², in the form that is exact where they are equal.
      const root = Math.sqrt(Math.max(0, from ** 2 + (2 * (to - from) * wanted) / seconds));
      const t = wanted === 0 ? 0 : (2 * wanted) / (from + root);
      return (this.#began + t) * 1000;
    }
  }

  /**
   * Passes over all questions due before `ms` that `next` has not given yet, in no time however many there are.
   *
   * @returns their number: exact for even arrivals, the expected one for a Poisson process
   */
  skipTo(ms: number): number {
    const wanted = wantedBetween(this.#stages, 0, ms / 1000);
    const skipped = Math.max(0, Math.ceil(wanted - this.#number - 1e-6));
    if (this.#isEven) this.#number += skipped;
    // The process has no memory: from any moment on, it goes on as from its beginning.
    else if (skipped > 0) this.#number = wanted + this.#gap();
    return skipped;
  }
}

/** How many questions the stages want from `from` to `to`, in s since the schedule began. */
export function wantedBetween(stages: readonly Stage[], from: number, to: number): number {
  let began = 0;
  let wanted = 0;
  for (const { seconds, from: first = 0, to: last = first } of stages) {
    const [a, b] = [Math.max(from - began, 0), Math.min(to - began, seconds)];
    if (b > a) wanted += (b - a) * (first + ((last - first) * (a + b)) / (2 * seconds));
    began += seconds;
  }
  return wanted;
}
