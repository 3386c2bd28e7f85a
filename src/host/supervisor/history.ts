/** What has happened to the workers of a supervisor so far, as counts for the admin listener. */
import type { ExitReason, Restarts } from '../admin/view.ts';

export class History {
  readonly exits: Record<ExitReason, number> = { left: 0, late: 0, failed: 0, signal: 0 };
  #done = 0;
  #failed = 0;
  #lastAt: number | undefined;

  get restarts(): Restarts {
    return { done: this.#done, failed: this.#failed, lastAt: this.#lastAt };
  }

  /** New workers serve instead of the old ones, or could not start. */
  noteRestart(isDone: boolean): void {
    if (!isDone) {
      this.#failed++;
      return;
    }
    this.#done++;
    this.#lastAt = Date.now();
  }

  /**
   * A worker process has ended.
   *
   * @param wasOrdered true if it had the order to leave
   * @param code its exit code; null: a signal has ended it
   */
  noteExit(wasOrdered: boolean, code: number | null): void {
    if (code === null) this.exits[wasOrdered ? 'late' : 'signal']++;
    else this.exits[wasOrdered && code === 0 ? 'left' : 'failed']++;
  }
}
