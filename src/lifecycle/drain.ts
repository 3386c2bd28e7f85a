/**
 * How a worker leaves. It is told to in memory that it shares with whoever runs it, accepts nobody from
 * then on, and ends its connections in an order that keeps what was promised: an answer that is owed is
 * given, up to the drain's last moment. Every architecture asks here whether a connection is to end.
 */
import { IDLE, QUESTION } from './phase.ts';

/** What whoever runs a worker tells it; read anew each time. */
export interface Orders {
  /** `restart`: another worker has taken its place. `stop`: there is none after it. */
  readonly order: 'serve' | 'restart' | 'stop';
  /** At a restart, how long those have who are owed an answer, in ms from the moment the worker noticed. */
  readonly drain: number;
  /** At a stop, how long they have left, in ms; a second one may shorten it. */
  readonly left: number;
  /** A connection was answered and then ended, or ended inside a question or an answer. */
  count(outcome: 'answered' | 'cut'): void;
}

/** A peer that asks on and on while it is to be ended is answered so many times before others have their turn. */
export const LAST_LOOKS = 16;

/**
 * When the server stops, or a connection is too old, how long a question may take that had begun, in ms: an
 * unfinished question is no promise, and Ctrl-C is to be quick whatever dangles.
 */
export const HALFWAY = 250;

export class Departure {
  readonly #orders: Orders;
  /** When it was noticed that it is due, and that the server stops; -1 before. */
  #since = -1;
  #stopsSince = -1;
  /** Set at a restart. */
  #end = Number.POSITIVE_INFINITY;

  constructor(orders: Orders) {
    this.#orders = orders;
  }

  /** True once this worker is to leave. */
  get isDue(): boolean {
    return this.#orders.order !== 'serve';
  }

  /** Why, as an ending's cause. */
  get cause(): 'restart' | 'stop' {
    return this.#orders.order === 'restart' ? 'restart' : 'stop';
  }

  /** True once nobody has any time left. */
  get isOver(): boolean {
    if (!this.isDue) return false;
    if (this.#orders.order === 'restart') this.#end = this.#noticed + this.#orders.drain;
    // A stop that comes after a restart may bring the end nearer, and puts it off for nobody.
    else if (this.#orders.left <= 0) return true;
    return performance.now() >= this.#end;
  }

  /** True if a connection that is at rest, and was told all it asked, is to be ended. */
  get endsIdle(): boolean {
    return this.isDue && (this.#orders.order === 'stop' || this.isOver);
  }

  /**
   * Whether a connection is to be ended now.
   *
   * @param phase what it is doing: see phases.ts
   */
  ends(phase: number): boolean {
    if (!this.isDue) return false;
    if (phase === IDLE) return this.endsIdle;
    if (this.isOver) return true;
    if (this.#orders.order !== 'stop') return false;
    // From that moment on: it may have been replaced long before.
    if (this.#stopsSince < 0) this.#stopsSince = performance.now();
    return phase === QUESTION && performance.now() - this.#stopsSince >= HALFWAY;
  }

  /**
   * Counts a connection that was ended for it, if there is anything to be told of it.
   *
   * @param phase what it was doing
   * @param isAnswered whether it was given an answer since
   */
  note(phase: number, isAnswered: boolean): void {
    if (phase !== IDLE) this.#orders.count('cut');
    else if (isAnswered) this.#orders.count('answered');
  }

  get #noticed(): number {
    if (this.#since < 0) this.#since = performance.now();
    return this.#since;
  }
}

/** Of a worker that is never told to leave. */
export const neverLeaves = (): Departure =>
  new Departure({ order: 'serve', drain: 0, left: 0, count: () => {} });
