/** Which clients of a crowd are shown. It knows neither Node nor DOM. */

/**
 * Whether one client of a crowd is shown, if 1 of `every` is: then all of its story is. `every` is a power of two:
 * who is shown of 64 is shown of 32 too.
 */
export const isShown = (seed: number, client: number, every: number): boolean =>
  hashed(seed, client) % every === 0;

/** An integer below 2^32. Near numbers give far ones. */
export function hashed(seed: number, index: number): number {
  let x = (Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b) + Math.imul(index + 1, 0xc2b2ae35)) | 0;
  x = Math.imul(x ^ (x >>> 16), 0x7feb352d);
  x = Math.imul(x ^ (x >>> 15), 0x846ca68b);
  return (x ^ (x >>> 16)) >>> 0;
}
