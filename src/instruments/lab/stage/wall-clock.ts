/** Times of a server's events, in ms since 1970, as times of a recording. */

/** Largest difference that is left uncorrected, in ms. */
const ERROR_MS = 2;

/**
 * The time of an event on a recording's clock. Its argument is in whole ms since 1970: the event was within the ms after
 * it. The result is never later than now.
 *
 * @param now the recording's clock, in ms
 */
export function wallClock(now: () => number): (at: number) => number {
  /** The wall clock minus the recording's. */
  let offset = performance.timeOrigin + performance.now() - now();
  return (at) => {
    const present = now();
    const wall = Date.now() + 0.5;
    // A step of the wall clock, or its slow correction over hours.
    if (Math.abs(wall - offset - present) > ERROR_MS) offset = wall - present;
    return Math.min(present, Math.max(0, at + 0.5 - offset));
  };
}
