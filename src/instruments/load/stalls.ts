/**
 * Detects stalls of the asker thread: it was stopped, or had no processor. In the open loop, its
 * lag shows a stall too. The closed loop has no due times, so it would take a stall for a slow
 * server.
 */

/**
 * Largest age of the readings when a stall begins, in ms. A shorter stall looks the same as work.
 */
const MAX_AGE = 5;

export class Stalls {
  readonly #limit: number;
  readonly #cpu: () => number;
  readonly #waited: () => number;
  #readAt = Number.NEGATIVE_INFINITY;
  #cpuBefore = 0;
  #waitedBefore = 0;

  /**
   * @param limit shorter stalls are ignored, in ms
   * @param cpu returns the CPU time of the thread, in ms
   * @param waited returns how long the thread was ready to run without a processor, in ms
   */
  constructor(limit: number, cpu: () => number, waited: () => number) {
    this.#limit = Math.max(limit, MAX_AGE);
    this.#cpu = cpu;
    this.#waited = waited;
  }

  /**
   * Call it after each turn, with the turn's start, its end, and how long it was allowed to sleep.
   *
   * @returns the length of the stall, in ms; 0 if it is within the limit
   */
  turn(began: number, now: number, allowed: number): number {
    const passed = now - began;
    if (passed <= this.#limit) {
      if (now - this.#readAt > MAX_AGE) this.#read(now);
      return 0;
    }
    const [cpu, waited] = [this.#cpuBefore, this.#waitedBefore];
    this.#read(now);
    // Time neither asleep nor at work: the thread was stopped. The wait for a processor is measured
    // separately.
    const stopped = passed - allowed - (this.#cpuBefore - cpu);
    const starved = Math.min(passed, this.#waitedBefore - waited);
    const kept = Math.max(stopped, starved);
    return kept > this.#limit ? kept : 0;
  }

  #read(now: number): void {
    this.#readAt = now;
    this.#cpuBefore = this.#cpu();
    this.#waitedBefore = this.#waited();
  }
}
