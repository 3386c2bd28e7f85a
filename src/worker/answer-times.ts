/**
 * How long answers take, as a histogram that all workers share: one question in 64 is timed, from its last byte to its
 * answer. The time that it waits in the kernel before is not in it.
 */
import { COUNT_WORDS } from './counts.ts';

/** Upper ends of the buckets, in seconds. One more bucket is for all longer times. */
export const BUCKETS: readonly number[] = [
  ...[0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025],
  ...[0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
];

/** In counters of 64 bits: the buckets, the one for longer times, and the sum of the times in µs. */
const SUM = BUCKETS.length + 1;
/** Size in 32-bit words. */
export const ANSWER_TIMES_WORDS = (SUM + 1) * COUNT_WORDS;

/** One question in this many is timed. A power of two. */
const EVERY = 64;

export interface AnswerTimesReading {
  /** Number of timed questions by bucket; the last one is for longer times. */
  readonly counts: readonly number[];
  /** Sum of their times, in seconds. */
  readonly sum: number;
}

/** One thread's view of the histogram. */
export class AnswerTimes {
  readonly #counts: BigInt64Array;
  readonly #clock: () => number;
  #questions = 0;

  /** @param words memory of ANSWER_TIMES_WORDS that starts at a multiple of 8 bytes. @param clock in ms */
  constructor(words: Int32Array, clock: () => number) {
    this.#counts = countsIn(words);
    this.#clock = clock;
  }

  /** A question has arrived. Returns the time now if it is timed, else 0. */
  begin(): number {
    return (this.#questions++ & (EVERY - 1)) === 0 ? this.#clock() : 0;
  }

  /** The answer to a question that is timed. @param startedAt what `begin` has returned */
  end(startedAt: number): void {
    const ms = this.#clock() - startedAt;
    const found = BUCKETS.findIndex((seconds) => ms <= seconds * 1000);
    Atomics.add(this.#counts, found < 0 ? BUCKETS.length : found, 1n);
    Atomics.add(this.#counts, SUM, BigInt(Math.round(ms * 1000)));
  }
}

const countsIn = (words: Int32Array) =>
  new BigInt64Array(words.buffer, words.byteOffset, words.length >> 1);

export function readAnswerTimes(words: Int32Array): AnswerTimesReading {
  const counts = [...countsIn(words)].map(Number);
  return { counts: counts.slice(0, SUM), sum: counts[SUM]! / 1e6 };
}
