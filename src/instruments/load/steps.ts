/** Logarithmic steps for times: a fixed number of counters, with an error of at most 2 %. */

/** Steps per doubling. */
export const STEPS = 32;
/** The shortest distinct time is 2 ** LEAST ms, about 1 µs. */
export const LEAST = -10;
export const DOUBLINGS = 32;

/** Number of steps. */
export const ALL_STEPS = DOUBLINGS * STEPS;

export const stepOf = (ms: number): number => {
  const step = Math.floor(STEPS * (Math.log2(ms) - LEAST));
  return step > 0 ? Math.min(step, ALL_STEPS - 1) : 0;
};

/** A time in the middle of a step, in ms. */
export const middleOf = (step: number): number => 2 ** (LEAST + (step + 0.5) / STEPS);
