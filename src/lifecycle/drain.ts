/**
 * How a worker leaves: it accepts no more clients, and closes its connections in an order that keeps its promises.
 * The supervisor gives the order through shared memory. The caller passes the time.
 */
import { IDLE, PREAMBLE, QUESTION } from './phase.ts';
import { END, LOOK, STAY, UNFINISHED_MS } from './terms.ts';

/** The supervisor's orders for a worker; every read looks at shared memory. */
export interface Orders {
  /** `restart`: another worker has taken its place. `stop`: no worker follows. */
  readonly order: 'serve' | 'restart' | 'stop';
  /** After a restart: how long the worker may continue once it has noticed, in ms. */
  readonly drain: number;
  /** After a stop: how long the worker may continue, in ms from now. A second stop may shorten it. */
  readonly left: number;
  /** A connection was answered and then closed, or closed inside a question or an answer. */
  count(outcome: 'answered' | 'cut'): void;
}

export class Drain {
  readonly #orders: Orders;
  /**
   * True if a client that has asked nothing yet has as much time at a stop as an unfinished question. The next server
   * on the same listener would have served it, if this one had not just accepted it.
   */
  readonly sparesNewcomers: boolean;
  /** When the worker noticed that it must leave, and when it noticed a stop; -1: not yet. */
  #since = -1;
  #stopsSince = -1;
  /** Set by a restart. */
  #end = Number.POSITIVE_INFINITY;

  constructor(orders: Orders, sparesNewcomers = false) {
    this.#orders = orders;
    this.sparesNewcomers = sparesNewcomers;
  }

  /** True once this worker must leave. */
  get isLeaving(): boolean {
    return this.#orders.order !== 'serve';
  }

  /** Why it leaves, as an ending's cause. */
  get cause(): 'restart' | 'stop' {
    return this.#orders.order === 'restart' ? 'restart' : 'stop';
  }

  /** True once no connection has any time left. */
  isOver(now: number): boolean {
    const { order } = this.#orders;
    if (order === 'serve') return false;
    if (order === 'restart') {
      if (this.#since < 0) this.#since = now;
      this.#end = this.#since + this.#orders.drain;
    }
    // A stop after a restart may bring the end nearer, and postpones it for no connection.
    else if (this.#orders.left <= 0) return true;
    return now >= this.#end;
  }

  /** The decision for a connection in that phase: `STAY`, `LOOK` or `END`. */
  decide(phase: number, now: number): number {
    if (!this.isLeaving) return STAY;
    if (this.isOver(now)) return END;
    if (this.#orders.order !== 'stop') return STAY;
    if (phase === IDLE) return LOOK;
    // Count from the stop, because the worker may have been replaced long before.
    if (this.#stopsSince < 0) this.#stopsSince = now;
    const isUnfinished = phase === QUESTION || phase === PREAMBLE;
    return isUnfinished && now - this.#stopsSince >= UNFINISHED_MS ? END : STAY;
  }

  /**
   * Counts a connection that was closed because the worker leaves, if it belongs in the count.
   *
   * @param phase what the connection was doing
   * @param isAnswered true if it got an answer while the worker was leaving
   */
  note(phase: number, isAnswered: boolean): void {
    if (phase === PREAMBLE) return;
    if (phase !== IDLE) this.#orders.count('cut');
    else if (isAnswered) this.#orders.count('answered');
  }
}

/** The orders of a worker that never has to leave. */
export const alwaysServe: Orders = { order: 'serve', drain: 0, left: 0, count: () => {} };
