/**
 * Whether the thread that asks was kept from asking: stopped, or without a processor. In the open loop its lag shows
 * that too; the closed loop has no times to be late for, and would take the pause for a slow server.
 */

/** Readings are at most this old when a stall begins, in ms. What is shorter cannot be told from work. */
const FRESH = 5;

export class Stalls {
  readonly #limit: number;
  readonly #cpu: () => number;
  readonly #waited: () => number;
  #readAt = Number.NEGATIVE_INFINITY;
  #cpuBefore = 0;
  #waitedBefore = 0;

  /**
   * @param limit stalls up to this length are none, in ms
   * @param cpu how long the thread has been on a processor, in ms
   * @param waited how long it could run and had none, in ms
   */
  constructor(limit: number, cpu: () => number, waited: () => number) {
    this.#limit = Math.max(limit, FRESH);
    this.#cpu = cpu;
    this.#waited = waited;
  }

  /**
   * Call it after each turn, with when it began, when it ended, and how long it was allowed to sleep.
   *
   * @returns how long the thread was kept, in ms; 0 for what is within the limit
   */
  turn(began: number, now: number, allowed: number): number {
    const passed = now - began;
    if (passed <= this.#limit) {
      if (now - this.#readAt > FRESH) this.#read(now);
      return 0;
    }
    const [cpu, waited] = [this.#cpuBefore, this.#waitedBefore];
    this.#read(now);
    // Neither asleep nor at work: stopped. What it waited for a processor is known by itself.
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
