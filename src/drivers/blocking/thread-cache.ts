/**
 * Threads that have served a client and wait for the next one, as in MySQL's thread cache. The thread that accepts
 * sleeps in accept(2) and has no loop, so it hands a client over through memory: it writes the client into the place of
 * a waiting thread and wakes that one (futex(2), under Atomics.wait).
 *
 * A client that finds no thread waiting stands in a queue. Whichever thread is free first takes it: one that is being
 * started for it, or one that has just finished. Threads are started a few at a time, because those that start take
 * the processors from those that serve.
 */
import { availableParallelism } from 'node:os';
import type { Accepted } from '../accept.ts';
import { locked, PLACE, readPlace, writePlace } from './shared-places.ts';

// Words of the header.
const LOCK = 0;
/** Clients that were handed over and are not finished: in the queue, or with a thread. */
const BUSY = 1;
/** Clients in the queue, and where the first of them stands. */
const QUEUED = 2;
const HEAD = 3;
/** Threads that wait for a client. */
const IDLE = 4;
/** Threads that were asked for and do not run yet. */
const STARTING = 5;
const CLOSED = 6;
/** Threads that have ever had a place of their own. */
const PLACED = 7;
/** Places of threads that have ended. */
const FREED = 8;
const MOST_IDLE = 9;
/** 1 while the acceptor waits for room. */
const IS_FULL = 10;
const HEADER = 16;

/** Threads that may wait at once; a thread beyond those ends with its client. */
const THREADS = 4096;
/**
 * Clients that may wait for a thread. With more the acceptor sleeps, and the next clients wait in the kernel's queue:
 * accepted, they would take the descriptors that the threads need to start.
 */
const CLIENTS = 8;

// Where things lie, in words: what a thread waits for by place, the stack of waiting threads, the places that are
// free again, what each waiting thread was given, and the queue.
const GIVEN_AT = HEADER;
const STACK_AT = GIVEN_AT + THREADS;
const FREED_AT = STACK_AT + THREADS;
const PLACES_AT = FREED_AT + THREADS;
const QUEUE_AT = PLACES_AT + (THREADS * PLACE) / 4;
const SIZE = QUEUE_AT * 4 + CLIENTS * PLACE;

// What a waiting thread was given.
const NOTHING = 0;
const CLIENT = 1;
const END = 2;

/** Threads, or processes, that start at the same time. */
export const MOST_STARTING = Math.max(2, availableParallelism());

/** Longest wait of a thread for a client, in ms, where the size of the cache follows the need. */
export const NEEDED = 60_000;

/** Interval between two looks whether to stop, in ms, while the acceptor waits for room: no signal ends that wait. */
const GLANCE = 100;

/** For `most`: as many threads wait as were needed at once in the last minute. */
const AS_NEEDED = -1;

export interface Waited extends Accepted {
  /** Whether it stood in the queue: it may have gone since it was accepted. */
  readonly hasWaited: boolean;
}

export class ThreadCache {
  readonly memory: SharedArrayBuffer;
  readonly #words: Int32Array<SharedArrayBuffer>;

  /** @param most how many threads may wait at once, for as long as it takes; or -1: as many as were needed at once in the last minute */
  static create(most: number): ThreadCache {
    const cache = new ThreadCache(new SharedArrayBuffer(SIZE));
    cache.#words[MOST_IDLE] = most;
    return cache;
  }

  constructor(memory: SharedArrayBuffer) {
    this.memory = memory;
    this.#words = new Int32Array(memory);
  }

  /** How many threads wait for a client. */
  get idle(): number {
    return Atomics.load(this.#words, IDLE);
  }

  /**
   * Hands a client to the thread that began to wait last, or puts it in the queue; sleeps while that is full.
   *
   * @returns false if `isOver` before there was room
   */
  give(accepted: Accepted, isOver: () => boolean): boolean {
    const words = this.#words;
    for (;;) {
      const place = locked(words, LOCK, () => {
        if (words[IDLE]! > 0) {
          const waiting = words[STACK_AT + --words[IDLE]!]!;
          writePlace(words, placeAt(waiting), accepted);
          Atomics.store(words, GIVEN_AT + waiting, CLIENT);
          Atomics.add(words, BUSY, 1);
          return waiting;
        }
        if (words[QUEUED] === CLIENTS) return undefined;
        writePlace(words, queueAt(words[HEAD]! + words[QUEUED]!), accepted);
        Atomics.add(words, QUEUED, 1);
        Atomics.add(words, BUSY, 1);
        return -1;
      });
      if (place !== undefined) {
        if (place >= 0) Atomics.notify(words, GIVEN_AT + place);
        return true;
      }
      if (isOver()) return false;
      Atomics.wait(words, QUEUED, CLIENTS, GLANCE);
    }
  }

  /** True if the caller must start a thread now: more clients wait than threads start, and few of those do. */
  claimStart(): boolean {
    const words = this.#words;
    return locked(words, LOCK, () => {
      const isNeeded = words[QUEUED]! > words[STARTING]! && words[STARTING]! < MOST_STARTING;
      if (isNeeded) words[STARTING]!++;
      return isNeeded;
    });
  }

  /** A thread that was claimed runs, or cannot be started: then its client waits for another one. */
  started(): void {
    locked(this.#words, LOCK, () => void this.#words[STARTING]!--);
  }

  /** Waits until fewer than `most` clients are with a thread or on their way to one, or `isOver`. */
  waitForRoom(most: number, isOver: () => boolean): void {
    const words = this.#words;
    if (Atomics.load(words, BUSY) < most) return;
    Atomics.store(words, IS_FULL, 1);
    for (let busy = Atomics.load(words, BUSY); busy >= most && !isOver(); ) {
      Atomics.wait(words, BUSY, busy, GLANCE);
      busy = Atomics.load(words, BUSY);
    }
    Atomics.store(words, IS_FULL, 0);
  }

  /** No client comes any more: threads that wait end, and the others once the queue is empty. */
  close(): void {
    const words = this.#words;
    locked(words, LOCK, () => {
      words[CLOSED] = 1;
      for (let i = 0; i < words[IDLE]!; i++) {
        const given = GIVEN_AT + words[STACK_AT + i]!;
        // A thread that does not sleep yet finds another word than the one it would sleep on.
        Atomics.store(words, given, END);
        Atomics.notify(words, given);
      }
    });
  }

  /** A place for a thread to wait at; -1 if there is none. */
  takePlace(): number {
    const words = this.#words;
    return locked(words, LOCK, () => {
      if (words[FREED]! > 0) return words[FREED_AT + --words[FREED]!]!;
      return words[PLACED]! < THREADS ? words[PLACED]!++ : -1;
    });
  }

  freePlace(place: number): void {
    if (place < 0) return;
    const words = this.#words;
    locked(words, LOCK, () => {
      words[FREED_AT + words[FREED]!++] = place;
    });
  }

  /**
   * The next client of a thread, which sleeps until there is one. Undefined if the thread must end: enough others wait,
   * it was not needed for long, or the cache is closed.
   *
   * @param hasClient whether it has just served one, which is finished with this
   */
  take(place: number, hasClient: boolean): Waited | undefined {
    const words = this.#words;
    const taken = locked(words, LOCK, () => {
      if (hasClient) Atomics.sub(words, BUSY, 1);
      if (hasClient && words[MOST_IDLE] === 0) return undefined;
      if (words[QUEUED]! > 0) return this.#unqueue();
      if (words[CLOSED] === 1 || place < 0) return undefined;
      if (words[MOST_IDLE] !== AS_NEEDED && words[IDLE]! >= words[MOST_IDLE]!) return undefined;
      words[STACK_AT + words[IDLE]!++] = place;
      Atomics.store(words, GIVEN_AT + place, NOTHING);
      return 'wait';
    });
    if (Atomics.load(words, IS_FULL) === 1) Atomics.notify(words, BUSY);
    if (taken !== 'wait') return taken;
    const patience = words[MOST_IDLE] === AS_NEEDED ? NEEDED : Number.POSITIVE_INFINITY;
    Atomics.wait(words, GIVEN_AT + place, NOTHING, patience);
    return locked(words, LOCK, () => {
      if (words[GIVEN_AT + place] === CLIENT) {
        return { ...readPlace(words, placeAt(place)), hasWaited: false };
      }
      this.#leaveStack(place);
      return undefined;
    });
  }

  #unqueue(): Waited {
    const words = this.#words;
    const accepted = readPlace(words, queueAt(words[HEAD]!));
    words[HEAD] = (words[HEAD]! + 1) % CLIENTS;
    Atomics.sub(words, QUEUED, 1);
    Atomics.notify(words, QUEUED);
    return { ...accepted, hasWaited: true };
  }

  #leaveStack(place: number): void {
    const words = this.#words;
    const at = words.indexOf(place, STACK_AT);
    words.copyWithin(at, at + 1, STACK_AT + words[IDLE]!--);
  }
}

const placeAt = (place: number): number => PLACES_AT * 4 + place * PLACE;
const queueAt = (position: number): number => QUEUE_AT * 4 + (position % CLIENTS) * PLACE;
