/**
 * Answers for which peers have no room, of all connections of a worker together: it has its share of what
 * may be unsent in all. One who asks much and reads nothing is bounded by `unsent`; thousands of them are here.
 */
import { LimitReached } from '../protocol/account.ts';
import type { WorkerContext } from './architecture.ts';

export class Backlog {
  readonly #worker: Pick<WorkerContext, 'unsentShare' | 'exceeded'>;
  #bytes = 0;

  constructor(worker: Pick<WorkerContext, 'unsentShare' | 'exceeded'>) {
    this.#worker = worker;
  }

  /**
   * A connection had `before` bytes unsent, and has `now`; of one that ends those are 0.
   *
   * @throws LimitReached if that is too much of all; then its old number counts on until it has ended
   */
  note(before: number, now: number): void {
    const bytes = this.#bytes + now - before;
    const { unsentShare } = this.#worker;
    const isTooMuch = now > before && unsentShare > 0 && bytes > unsentShare;
    if (isTooMuch && this.#worker.exceeded('unsent-total')) throw new LimitReached('unsent-total');
    this.#bytes = bytes;
  }
}
