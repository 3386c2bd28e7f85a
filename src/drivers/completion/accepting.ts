/**
 * How the completion model comes by its clients. Far from the limit on connections the kernel accepts
 * whoever comes, by itself; it knows of no limit, and takes a whole queue before anybody can stop it. So
 * near to the limit it only says that somebody waits, and as many are accepted as places were found for.
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
   * What the kernel was asked for, and has not ended: all who come, the `rest` of them since that is being
   * cancelled, some who are there, or word of somebody.
   */
  #asked: 'all' | 'rest' | 'some' | 'word' | 'nothing' = 'nothing';
  /** Of `some`: how many have not been told of, and whether all so far have come. */
  #untold = 0;
  #haveAllCome = true;
  /** How many to ask for: places that nobody comes for are lost to other workers for a moment. */
  #batch = 1;
  /** Why nobody could be accepted. */
  #error: SystemError | undefined;
  /** When to ask again, by `performance.now`. */
  #asksAt = Number.POSITIVE_INFINITY;
  #isOpen = true;
  /**
   * Places left, from which on the limit is far. Whole queues may come in the turn that finds it near, and as many
   * before the cancel takes effect.
   */
  readonly #far: number;

  /** @param acceptAll hands over the request for all who come */
  constructor(worker: Worker, ring: Uring, acceptAll: () => void) {
    this.#worker = worker;
    this.#ring = ring;
    this.#acceptAll = acceptAll;
    this.#far = 2 * worker.mostQueued;
  }

  /** Nobody is accepted any more, and the kernel has let go of what it was asked for. */
  get isDone(): boolean {
    return !this.#isOpen && this.#asked === 'nothing';
  }

  /** To be asked again at this time; -1 for never. */
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

  /** Accepts no client from now on but those that wait at this moment. */
  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#asksAt = Number.POSITIVE_INFINITY;
    if (this.#asked === 'all') this.#cancelAll();
    else if (this.#asked === 'word') this.#ring.cancel(READY, this.#worker.listener, 0);
  }

  /** Asks again if it is time. */
  turn(now: number): void {
    if (now >= this.#asksAt) this.open();
  }

  /** Somebody waits. */
  ready(): void {
    this.#asked = 'nothing';
    if (!this.#isOpen) return;
    if (!this.#acceptSome()) this.#askLater(ROOM_INTERVAL_MS);
  }

  /** Accepts as many of those that wait as places were found for; false if there is none. */
  #acceptSome(): boolean {
    const { admission, listener } = this.#worker;
    let places = 0;
    while (places < this.#batch && admission.reserve()) places++;
    if (places === 0) return false;
    this.#asked = 'some';
    this.#untold = places;
    this.#haveAllCome = true;
    this.#ring.acceptReady(listener, places);
    return true;
  }

  /** What became of an accept: a client's socket, or -1 if nobody came. */
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
    if (--this.#untold > 0) return;
    this.#batch = this.#haveAllCome ? Math.min(this.#batch * 2, ACCEPT_BATCH) : 1;
    this.#askAgain();
  }

  /** What was asked for has ended. */
  #askAgain(): void {
    this.#asked = 'nothing';
    const error = this.#error;
    this.#error = undefined;
    if (!this.#isOpen) {
      // For each client the kernel wakes only one of those that wait at the listener. If that was this worker,
      // which has just taken its request back, no other would ever hear of the client.
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
