/** Pseudo-random numbers: the same seed gives the same numbers on every machine. */

/**
 * Returns a generator of numbers in [0, 1): Mulberry32, with 32 bits of state. Good enough for
 * times, not for secrets.
 */
export function randomOf(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/**
 * Draws from the exponential distribution with mean 1, the time between two events of a Poisson
 * process.
 */
export const exponential = (random: () => number): number => -Math.log1p(-random());
