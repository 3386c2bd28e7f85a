/** Answers per second, of a counter that only grows. Pure. */

/** Over this time, in ms: long enough for a number that a person can read. */
const SPAN = 2000;

export class Rate {
  #seen: (readonly [t: number, count: number])[] = [];

  /** @returns answers per second in the last 2 s; undefined: too early to say */
  at(t: number, count: number): number | undefined {
    const last = this.#seen.at(-1);
    // A viewer has gone back, or the server has started again.
    if (last !== undefined && (t < last[0] || count < last[1])) this.#seen = [];
    if (last === undefined || t > last[0]) this.#seen.push([t, count]);
    while (this.#seen.length > 2 && t - this.#seen[1]![0] >= SPAN) this.#seen.shift();
    const [first] = this.#seen;
    if (first === undefined || t - first[0] < SPAN / 4) return;
    return ((count - first[1]) * 1000) / (t - first[0]);
  }
}
