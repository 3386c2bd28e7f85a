/**
 * When questions are due in the open loop.
 *
 * The stages give a rate at every moment, and so the number of questions due up to each moment. The
 * schedule is the inverse of that function. Even arrivals evaluate it at 0, 1, 2 and so on. A
 * Poisson process evaluates it at sums of exponential numbers, which also holds while the rate
 * changes.
 */
import type { LoadPlan, Stage } from './plan.ts';
import { exponential, randomOf } from './random.ts';

export class Schedule {
  readonly #isEven: boolean;
  readonly #stages: readonly Stage[];
  readonly #gap: () => number;
  #stage = 0;
  /** Start of the current stage, in s, and the number of questions before it. */
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

  /**
   * Due time of the next question, in ms since the schedule began; `Infinity` if there are no more.
   */
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
      // Solves wanted = from · t + (to - from) / (2 · seconds) · t². This form stays exact if both
      // rates are equal.
      const root = Math.sqrt(Math.max(0, from ** 2 + (2 * (to - from) * wanted) / seconds));
      const t = wanted === 0 ? 0 : (2 * wanted) / (from + root);
      return (this.#began + t) * 1000;
    }
  }

  /**
   * Skips all questions due before `ms` that `next` has not returned yet, in constant time.
   *
   * @returns how many: exact for even arrivals, the expected number for a Poisson process
   */
  skipTo(ms: number): number {
    const wanted = wantedBetween(this.#stages, 0, ms / 1000);
    const skipped = Math.max(0, Math.ceil(wanted - this.#number - 1e-6));
    if (this.#isEven) this.#number += skipped;
    // A Poisson process has no memory: it can start again at any moment.
    else if (skipped > 0) this.#number = wanted + this.#gap();
    return skipped;
  }
}

/**
 * Number of questions that the stages want between `from` and `to`, in s since the schedule began.
 */
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
