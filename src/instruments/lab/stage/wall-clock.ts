/** Times of a server's events, in ms since 1970, as times of a recording. */

/** Largest difference that is left uncorrected, in ms. */
export const ERROR_MS = 2;

/** Longest time between the readings of the two clocks, in ms; and how often they are read until it is kept. */
const NEAR_MS = 1;
const TRIES = 20;

/**
 * The time of an event on a recording's clock. Its argument is in whole ms since 1970: the event was within the ms after
 * it. The result is never later than now.
 *
 * @param now the recording's clock, in ms
 */
export function wallClock(now: () => number): (at: number) => number {
  /** The wall clock minus the recording's. */
  let offset = offsetOf(now);
  return (at) => {
    const present = offsetOf(now);
    // A step of the wall clock, or its slow correction over hours.
    if (Math.abs(present - offset) > ERROR_MS) offset = present;
    return Math.min(now(), Math.max(0, at + 0.5 - offset));
  };
}

/** A process that loses its processor between the two readings must read them again: the difference would be wrong. */
function offsetOf(now: () => number): number {
  let best = { apart: Number.POSITIVE_INFINITY, offset: 0 };
  for (let tries = 0; tries < TRIES && best.apart > NEAR_MS; tries++) {
    const before = now();
    const wall = Date.now() + 0.5;
    const after = now();
    if (after - before < best.apart) {
      best = { apart: after - before, offset: wall - (before + after) / 2 };
    }
  }
  return best.offset;
}
