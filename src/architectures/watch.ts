/** The limits on time for connections on Node's own loop: one timer looks at all of them, see deadlines.ts. */

import type { WorkerContext } from './architecture.ts';
import { Deadlines, GONE } from './deadlines.ts';

export interface Watched {
  /** What the connection is doing now: a phase of deadlines.ts. */
  phase(): number;
  /** Its time is up. */
  endFor(limit: string): void;
}

export class Watch {
  readonly #watched: (Watched | undefined)[] = [];
  readonly #free: number[] = [];
  readonly #deadlines: Deadlines;
  #timer: NodeJS.Timeout | undefined;

  constructor(worker: WorkerContext) {
    this.#deadlines = new Deadlines(
      worker.limits,
      (place) => this.#watched[place]?.phase() ?? GONE,
      (limit) => worker.exceeded(limit),
    );
  }

  /** Returns the connection's place, for `mark` and `remove`. */
  add(connection: Watched): number {
    const place = this.#free.pop() ?? this.#watched.length;
    this.#watched[place] = connection;
    this.#deadlines.mark(place);
    if (this.#timer === undefined) this.#wait();
    return place;
  }

  /** One of its questions was answered. */
  mark(place: number): void {
    this.#deadlines.mark(place);
  }

  remove(place: number): void {
    this.#watched[place] = undefined;
    this.#free.push(place);
  }

  #wait(): void {
    const open = this.#watched.length - this.#free.length;
    const ms = this.#deadlines.untilNext(performance.now(), open);
    this.#timer = ms < 0 ? undefined : setTimeout(() => this.#look(), ms).unref();
  }

  #look(): void {
    for (const { fd, limit } of this.#deadlines.overdue(performance.now())) {
      this.#watched[fd]?.endFor(limit);
    }
    this.#wait();
  }
}
