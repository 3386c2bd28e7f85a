/** The street of a session. If its process ends, another one takes its place; if that ends soon too, the lab ends. */

import { ServeError } from '../../../host/errors.ts';
import type { Street } from '../parts.ts';

/** A street that took another's place, and ends within this time, is not replaced. In ms. */
const SHORT_LIFE = 60_000;

export interface StreetOwner {
  readonly start: () => Promise<Street>;
  /** ms since the epoch. */
  readonly now: () => number;
  /** Carries out one act after the other. */
  readonly queue: (act: () => Promise<unknown>) => Promise<void>;
  /** Another street plays the scene from its start. */
  readonly replay: (street: Street) => Promise<unknown>;
  readonly fault: (text: string) => void;
  /** The session cannot go on. */
  readonly fail: (error: ServeError) => void;
}

export class Streets {
  readonly #owner: StreetOwner;
  #current: Street;
  /** When the current one took another's place. */
  #replacedAt = Number.NEGATIVE_INFINITY;
  #isClosed = false;

  static async start(owner: StreetOwner): Promise<Streets> {
    return new Streets(owner, await owner.start());
  }

  private constructor(owner: StreetOwner, first: Street) {
    this.#owner = owner;
    this.#current = first;
  }

  get current(): Street {
    return this.#current;
  }

  /** From now on, a street that ends is replaced. Before the scene plays, its end is an error of the start. */
  watch(): void {
    void this.#current.ended.then(() => {
      if (!this.#isClosed) this.#replace();
    });
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#current.close();
  }

  #replace(): void {
    const { now, queue, fault, fail } = this.#owner;
    if (now() - this.#replacedAt < SHORT_LIFE) {
      fail(new ServeError('failed', 'Cannot play the clients: their process ends again and again'));
      return;
    }
    fault('The process of the clients has ended: another one starts, and the scene starts again');
    queue(async () => {
      if (this.#isClosed) return;
      this.#current = await this.#owner.start();
      this.#replacedAt = now();
      await this.#owner.replay(this.#current);
      this.watch();
    }).catch(({ message }: Error) => fail(new ServeError('failed', message)));
  }
}
