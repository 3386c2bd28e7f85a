/**
 * The limits on time for connections on Node's own loop, and their ends when the worker leaves: one timer
 * looks at all of them, see deadlines.ts.
 */
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import { GONE, IDLE } from '../../lifecycle/phase.ts';
import type { Ending } from '../../protocol/account.ts';
import type { WorkerContext } from '../../worker/contract.ts';
import { Backlog } from '../backlog.ts';
import { Deadlines, type TimeLimit } from '../deadlines.ts';

export interface Watched {
  /** What the connection is doing now, see phases.ts. */
  phase(): number;
  /** Its time is up once it has the answer that it waits for. */
  endAfterAnswer(limit: TimeLimit): void;
  /** Its time is up. */
  endFor(cause: Ending['cause']): void;
}

/** How often it is looked who of those that are still there may be ended as the worker leaves, in ms. */
const GLANCE = 10;

export class Watch {
  readonly #worker: WorkerContext;
  readonly #watched: (Watched | undefined)[] = [];
  readonly #free: number[] = [];
  readonly #deadlines: Deadlines;
  /** By place: who ends by itself as the worker leaves. */
  readonly #ending = new Set<number>();
  /** What is written to sockets and unsent. */
  readonly backlog: Backlog;
  #timer: NodeJS.Timeout | undefined;

  constructor(worker: WorkerContext) {
    this.#worker = worker;
    this.backlog = new Backlog(worker);
    this.#deadlines = new Deadlines(
      worker.limits,
      {
        phaseOf: (place) => this.#watched[place]?.phase() ?? GONE,
        endAfterAnswer: (place, limit) => this.#watched[place]?.endAfterAnswer(limit),
      },
      (limit) => worker.exceeded(limit),
    );
  }

  /** Returns the connection's place, for `mark` and `remove`. */
  add(connection: Watched): number {
    const place = this.#free.pop() ?? this.#watched.length;
    this.#watched[place] = connection;
    this.#deadlines.begin(place);
    if (this.#timer === undefined) this.#wait();
    return place;
  }

  /** One of its questions was answered. */
  mark(place: number): void {
    this.#deadlines.mark(place);
  }

  /** As the worker leaves, it has its answer and ends by itself. */
  noteAnswered(place: number): void {
    this.#worker.departure.note(IDLE, true);
    this.#ending.add(place);
  }

  remove(place: number): void {
    this.#watched[place] = undefined;
    this.#ending.delete(place);
    this.#free.push(place);
  }

  /** Ends the connections in the order that the worker's departure wants; resolves when none is left. */
  async leave(): Promise<void> {
    const { departure } = this.#worker;
    /** Who was owed something. */
    const busy = new Set<Watched>();
    // What has come by now is read in the next turn, and answered.
    await nextTurn();
    await nextTurn();
    for (;;) {
      // Looked at before them all: it may become true among them, and none is to be left out.
      const { isOver } = departure;
      let left = 0;
      for (const [place, connection] of this.#watched.entries()) {
        const phase = connection?.phase() ?? GONE;
        if (connection === undefined || phase === GONE) continue;
        left++;
        if (phase !== IDLE) busy.add(connection);
        if (this.#ending.has(place) || !departure.ends(phase)) continue;
        departure.note(phase, busy.has(connection));
        connection.endFor(departure.cause);
      }
      if (left === 0 || isOver) return;
      await sleep(GLANCE);
    }
  }

  #wait(): void {
    const open = this.#watched.length - this.#free.length;
    const ms = this.#deadlines.untilNext(performance.now(), open);
    this.#timer = ms < 0 ? undefined : setTimeout(() => this.#look(), ms).unref();
  }

  #look(): void {
    for (const { fd, cause } of this.#deadlines.overdue(performance.now())) {
      this.#watched[fd]?.endFor(cause);
    }
    this.#wait();
  }
}
