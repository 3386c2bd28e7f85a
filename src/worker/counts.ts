/**
 * Counters in memory that all workers share, of 64 bits each: one of 32 bits would overflow within days, and a
 * monitoring program would see it fall. Every change is atomic.
 */

/** Size of one counter in 32-bit words. */
export const COUNT_WORDS = 2;

/** One counter for each name. */
export class Counts<Name extends string> {
  readonly #names: readonly Name[];
  readonly #counts: BigInt64Array;

  /**
   * @param at the first 32-bit word of the counters, an even number
   * @param names in the order of the counters
   */
  constructor(words64: BigInt64Array, at: number, names: readonly Name[]) {
    this.#names = names;
    this.#counts = words64.subarray(at >> 1, (at >> 1) + names.length);
  }

  add(name: Name, more = 1): void {
    Atomics.add(this.#counts, this.#names.indexOf(name), BigInt(more));
  }

  read(): Record<Name, number> {
    const counted = this.#names.map((name, i) => [name, Number(this.#counts[i])] as const);
    return Object.fromEntries(counted) as Record<Name, number>;
  }
}
