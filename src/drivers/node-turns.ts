/**
 * Gives the thread of one of our loops to Node, for one turn at a time, so that promises settle. Node gets a turn
 * only when it has something to do: its own epoll is readable, one of its timers is due, or the service has just
 * begun an answer. While a service answers without promises, none of this runs.
 */

import { type NodeLoop, nodeLoop } from '../os/libuv.ts';
import type { Worker } from '../worker/contract.ts';

/**
 * Code of the service may leave something for Node that neither its epoll nor its timers show, as
 * `process.nextTick` does. So Node gets a turn at most this long after such code, in ms.
 */
const LATEST_MS = 1;

/**
 * Steps of the microtasks that a loop waits for a new answer, before it gives Node a whole turn. An async function
 * that only computes needs two, and one more for each `await`.
 */
const STEPS = 8;

/** The longest interval of a timer, in ms. */
const FAR_MS = 2 ** 31 - 1;

interface Settled<T> {
  readonly value: T;
}

/** @typeParam T what identifies an answer for the driver */
export class NodeTurns<T> {
  readonly #worker: Pick<Worker, 'journal'>;
  readonly #loopOf: () => NodeLoop | undefined;
  #loop: NodeLoop | undefined;
  /** True from the start for a service that answers with promises, otherwise from the first promise on. */
  isOn = false;
  /** Descriptor that the loop must watch for `READABLE`; -1: none. */
  fd = -1;
  /** Set it when that descriptor is readable. */
  isReady = false;
  /** Promises that have not settled, and those of them that were made since Node's last turn. */
  #pending = 0;
  #fresh = 0;
  #turn = 0;
  /** When Node must have its next turn, by `performance.now`. */
  #due = Number.POSITIVE_INFINITY;
  #isTouched = false;
  #settled: Settled<T>[] = [];
  #taken = 0;
  /** Without a handle that keeps its loop alive, libuv does not say when timers are due. */
  #life: NodeJS.Timeout | undefined;

  /** @param loopOf finds Node's loop of this thread */
  constructor(
    worker: Pick<Worker, 'awaits' | 'journal'>,
    loopOf: () => NodeLoop | undefined = nodeLoop,
  ) {
    this.#worker = worker;
    this.#loopOf = loopOf;
    if (worker.awaits) this.#turnOn();
  }

  /** `takeSettled` returns `value` once the promise has settled. The promise must not reject. */
  expect(promise: Promise<void>, value: T): void {
    if (!this.isOn) this.#turnOn();
    const turn = this.#turn;
    this.#pending++;
    this.#fresh++;
    void promise.then(() => {
      this.#pending--;
      if (turn === this.#turn) this.#fresh--;
      this.#settled.push({ value });
    });
  }

  /** The value of a promise that has settled, in the order in which they have; undefined if there is none. */
  takeSettled(): T | undefined {
    const next = this.#settled[this.#taken];
    if (next === undefined) return undefined;
    this.#taken++;
    if (this.#taken === this.#settled.length) {
      this.#settled.length = 0;
      this.#taken = 0;
    }
    return next.value;
  }

  /** Note that code of the service may have run without an event: a hook at a time limit, for example. */
  touch(): void {
    this.#isTouched = true;
  }

  /** True if the loop must await `turn` before it sleeps. */
  isDue(now: number): boolean {
    if (this.#isTouched) {
      this.#isTouched = false;
      this.#due = Math.min(this.#due, now + LATEST_MS);
    }
    return this.#fresh > 0 || this.isReady || this.#due <= now;
  }

  /** How long the loop may sleep, in whole ms; 0 if a promise has settled; -1: for ever. */
  untilDue(now: number): number {
    if (this.#settled.length > 0 || this.isDue(now)) return 0;
    return Number.isFinite(this.#due) ? Math.ceil(this.#due - now) : -1;
  }

  /** Lets promises settle, and gives Node a turn if that is not enough. */
  async turn(): Promise<void> {
    const isDue = this.isReady || this.#due <= performance.now();
    for (let step = 0; !isDue && this.#fresh > 0 && step < STEPS; step++) await undefined;
    if (!isDue && this.#fresh === 0) {
      this.#isTouched = true;
      return;
    }
    this.isReady = false;
    await new Promise((resolve) => setImmediate(resolve));
    this.#turn++;
    this.#fresh = 0;
    this.#isTouched = false;
    this.#due = this.#nextTurn();
  }

  /** The worker has left: Node's loop may end. */
  close(): void {
    this.isOn = false;
    clearInterval(this.#life);
  }

  #nextTurn(): number {
    const now = performance.now();
    if (this.#loop === undefined) {
      return this.#pending > 0 ? now + LATEST_MS : Number.POSITIVE_INFINITY;
    }
    // This code runs inside the callback of an immediate, and until that returns, libuv would not sleep at all. An
    // immediate that is cancelled makes Node look again.
    clearImmediate(setImmediate(() => {}));
    const ms = this.#loop.timeout();
    return ms < 0 ? Number.POSITIVE_INFINITY : now + ms;
  }

  #turnOn(): void {
    this.isOn = true;
    this.#isTouched = true;
    this.#life = setInterval(() => {}, FAR_MS);
    this.#loop = this.#loopOf();
    this.fd = this.#loop?.fd ?? -1;
    if (this.#loop !== undefined) return;
    const text = `Node ${process.version} does not show this thread when its loop has work: while answers are outstanding, it looks every ${LATEST_MS} ms; use Node 26, or --processes and not --threads`;
    this.#worker.journal.record({ type: 'warning', text });
  }
}
