/**
 * How the completion model gets its clients. Far from the limit on connections, one multishot request lets the
 * kernel accept every client. But the kernel knows no limit, and may accept a whole queue before the request is
 * cancelled. So near the limit the kernel only reports that a client waits. The worker then reserves places, and
 * accepts as many clients.
 */
import { errnoName, SystemError } from '../../os/libc.ts';
import { ACCEPTED, READY, type Uring } from '../../os/uring.ts';
import type { Worker } from '../../worker/contract.ts';
import { backOff } from '../accept.ts';
import { ACCEPT_BATCH, ROOM_INTERVAL_MS } from '../timing.ts';

export class Accepting {
  readonly #worker: Worker;
  readonly #ring: Uring;
  readonly #acceptAll: () => void;
  /**
   * The request at the kernel that has not ended. `all`: every client. `rest`: the same, and it is being cancelled.
   * `some`: as many clients as there were places. `word`: a report that a client waits.
   */
  #asked: 'all' | 'rest' | 'some' | 'word' | 'nothing' = 'nothing';
  /** For `some`: how many results are outstanding, and whether every result so far was a client. */
  #outstanding = 0;
  #haveAllCome = true;
  /** Number of clients to accept at once. Other workers cannot use these places until the request has ended. */
  #batch = 1;
  /** Why the last accept failed. */
  #error: SystemError | undefined;
  /** When to ask again, by `performance.now`. */
  #asksAt = Number.POSITIVE_INFINITY;
  #isOpen = true;
  /**
   * The limit is far while at least this many places are left. A whole queue may be accepted in the turn that finds
   * the limit near, and another one before the cancel takes effect.
   */
  readonly #far: number;

  /** @param acceptAll submits the request to accept all clients */
  constructor(worker: Worker, ring: Uring, acceptAll: () => void) {
    this.#worker = worker;
    this.#ring = ring;
    this.#acceptAll = acceptAll;
    this.#far = 2 * worker.mostQueued;
  }

  /** True once the worker has stopped accepting, and the kernel has ended the request. */
  get isDone(): boolean {
    return !this.#isOpen && this.#asked === 'nothing';
  }

  /** Time until the next request, in ms; -1: never. */
  untilNext(now: number): number {
    return Number.isFinite(this.#asksAt) ? Math.max(0, Math.ceil(this.#asksAt - now)) : -1;
  }

  open(): void {
    const { admission, listener } = this.#worker;
    this.#asksAt = Number.POSITIVE_INFINITY;
    if (admission.hasRoomFor(this.#far)) {
      this.#asked = 'all';
      this.#acceptAll();
    } else if (admission.isFull()) this.#askLater(ROOM_INTERVAL_MS);
    else {
      this.#asked = 'word';
      this.#ring.watch(listener);
    }
  }

  /** Stops accepting, except for clients that wait at this moment. */
  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#asksAt = Number.POSITIVE_INFINITY;
    if (this.#asked === 'all') this.#cancelAll();
    else if (this.#asked === 'word') this.#ring.cancel(READY, this.#worker.listener, 0);
  }

  /** Makes the next request if it is due. */
  turn(now: number): void {
    if (now >= this.#asksAt) this.open();
  }

  /** A client waits. */
  ready(): void {
    this.#asked = 'nothing';
    if (!this.#isOpen) return;
    if (!this.#acceptSome()) this.#askLater(ROOM_INTERVAL_MS);
  }

  /** Accepts as many waiting clients as it finds places for; false if it finds none. */
  #acceptSome(): boolean {
    const { admission, listener } = this.#worker;
    let places = 0;
    while (places < this.#batch && admission.reserve()) places++;
    if (places === 0) return false;
    this.#asked = 'some';
    this.#outstanding = places;
    this.#haveAllCome = true;
    this.#ring.acceptReady(listener, places);
    return true;
  }

  /** The result of an accept: a client's socket, or -1 if none came. */
  accepted(): number {
    const { result, more } = this.#ring;
    if (result < 0 && errnoName(-result) !== 'ECANCELED') {
      this.#error = new SystemError('accept', -result);
    }
    if (this.#asked === 'some') this.#countOne(result);
    else if (!more) this.#askAgain();
    else if (this.#asked === 'all' && !this.#worker.admission.hasRoomFor(this.#far))
      this.#cancelAll();
    return Math.max(-1, result);
  }

  #cancelAll(): void {
    this.#asked = 'rest';
    this.#haveAllCome = true;
    this.#ring.cancel(ACCEPTED, this.#worker.listener, 0);
  }

  #countOne(result: number): void {
    if (result < 0) {
      this.#worker.admission.cancel();
      this.#haveAllCome = false;
    }
    if (--this.#outstanding > 0) return;
    this.#batch = this.#haveAllCome ? Math.min(this.#batch * 2, ACCEPT_BATCH) : 1;
    this.#askAgain();
  }

  /** The request has ended. */
  #askAgain(): void {
    this.#asked = 'nothing';
    const error = this.#error;
    this.#error = undefined;
    if (!this.#isOpen) {
      // For each client the kernel wakes only one of the workers that wait at the listener. If it woke this worker,
      // which has just cancelled its request, no other worker would ever hear of the client.
      if (this.#haveAllCome) this.#acceptSome();
      return;
    }
    const delay = error === undefined ? 0 : backOff(error, this.#worker);
    if (delay > 0) this.#askLater(delay);
    else this.open();
  }

  #askLater(ms: number): void {
    this.#asksAt = performance.now() + ms;
  }
}
