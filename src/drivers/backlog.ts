/**
 * Answers for which peers have no room, of all connections of a server together: each worker counts its own on the
 * scoreboard, and looks at the sum. One who asks much and reads nothing is bounded by `unsent`; thousands of them
 * are here. What a worker had that is killed goes with its row.
 */
import { LimitReached } from '../protocol/account.ts';
import type { WorkerContext } from '../worker/contract.ts';

type Worker = Pick<WorkerContext, 'row' | 'limits' | 'unsentOfAll' | 'exceeded'>;

export class Backlog {
  readonly #worker: Worker;

  constructor(worker: Worker) {
    this.#worker = worker;
  }

  /**
   * A connection had `before` bytes unsent, and has `now`; of one that ends those are 0.
   *
   * @throws LimitReached if that is too much of all; then its old number counts on until it has ended
   */
  note(before: number, now: number): void {
    const { row, limits, unsentOfAll, exceeded } = this.#worker;
    const more = now - before;
    if (more === 0 || limits.unsentTotal === 0) return;
    // Counted first, so that of two who do so at once at least one sees both.
    row.addUnsent(more);
    if (more < 0 || unsentOfAll() <= limits.unsentTotal || !exceeded('unsent-total')) return;
    row.addUnsent(-more);
    throw new LimitReached('unsent-total');
  }
}
