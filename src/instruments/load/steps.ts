/** Times counted in steps of their logarithm: as many numbers however many times, right to within 2 %. */

/** Steps for each doubling. */
export const STEPS = 32;
/** The shortest time told apart is 2 ** LEAST ms, about 1 µs. */
export const LEAST = -10;
export const DOUBLINGS = 32;

/** How many steps there are. */
export const ALL_STEPS = DOUBLINGS * STEPS;

export const stepOf = (ms: number): number => {
  const step = Math.floor(STEPS * (Math.log2(ms) - LEAST));
  return step > 0 ? Math.min(step, ALL_STEPS - 1) : 0;
};

/** A time in the middle of a step, in ms. */
export const middleOf = (step: number): number => 2 ** (LEAST + (step + 0.5) / STEPS);
