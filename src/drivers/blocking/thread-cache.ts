/**
 * Threads that have served a client and wait for the next one, as in MySQL's thread cache. The accepting thread
 * sleeps in accept(2) and has no loop, so it hands a client over through shared memory. It writes the client into
 * the place of a waiting thread and wakes that thread (futex(2), under Atomics.wait).
 *
 * If no thread waits, the client stands in a queue. The first free thread takes it: one that is starting for it, or
 * one that has just finished. Only a few threads start at a time, because starting threads take the processors from
 * serving ones.
 */
import { availableParallelism } from 'node:os';
import type { Accepted } from '../accept.ts';
import { locked, PLACE, readPlace, writePlace } from './shared-places.ts';

// Words of the header.
const LOCK = 0;
/** Clients that were handed over and are not finished: in the queue, or with a thread. */
const BUSY = 1;
/** Clients in the queue, and the position of the first. */
const QUEUED = 2;
const HEAD = 3;
/** Threads that wait for a client. */
const IDLE = 4;
/** Threads that were requested and do not run yet. */
const STARTING = 5;
const CLOSED = 6;
/** Threads that ever had a place of their own. */
const PLACED = 7;
/** Places of threads that have ended. */
const FREED = 8;
const MOST_IDLE = 9;
/** 1 while the acceptor waits for room. */
const IS_FULL = 10;
/** Clients that were taken from the queue so far; wraps around. */
const TAKEN = 11;
/** Threads that were requested and have not ended. */
const ALIVE = 12;
/** Changes that may make room: clients that are finished, threads that ask for a client or end; wraps around. */
const CHANGES = 13;
const HEADER = 16;

/** Threads that may wait at once. A thread beyond this number ends with its client. */
const THREADS = 4096;
/**
 * Clients that may wait for a thread. If more come, the acceptor sleeps, and the next clients wait in the kernel's
 * queue. If it accepted them, they would take the descriptors that the threads need to start.
 */
const CLIENTS = 8;

// Offsets in words: what each waiting thread was given, the stack of waiting threads, the places that are free
// again, the client given to each waiting thread, and the queue.
const GIVEN_AT = HEADER;
const STACK_AT = GIVEN_AT + THREADS;
const FREED_AT = STACK_AT + THREADS;
const PLACES_AT = FREED_AT + THREADS;
const QUEUE_AT = PLACES_AT + (THREADS * PLACE) / 4;
const SIZE = QUEUE_AT * 4 + CLIENTS * PLACE;

// Values for what a waiting thread was given.
const NOTHING = 0;
const CLIENT = 1;
const END = 2;

/** Threads, or processes, that start at the same time at most. */
export const MOST_STARTING = Math.max(2, availableParallelism());

/**
 * Time that a client waits for a thread or process that finishes before another starts, in ms. Where they finish sooner
 * than that, a start takes the processors from those that serve, and clients wait the longer for it.
 */
export const SETTLE_MS = 10;

/** Longest wait of a thread for a client, in ms, if the size of the cache follows the need. */
export const LONGEST_IDLE_MS = 60_000;

/** Interval at which an acceptor that waits for room checks whether to stop, in ms: no signal ends that wait. */
const LOOK_INTERVAL_MS = 100;

/** Value of `most`: as many threads wait as were needed at once in the last minute. */
const AS_NEEDED = -1;

export interface Waited extends Accepted {
  /** True if the client stood in the queue: it may have gone since it was accepted. */
  readonly hasWaited: boolean;
}

export class ThreadCache {
  readonly memory: SharedArrayBuffer;
  readonly #words: Int32Array<SharedArrayBuffer>;
  readonly #bytes: Buffer;

  /**
   * @param most how many threads may wait at once, without a time limit; -1: as many as were needed in the last
   *   minute
   */
  static create(most: number): ThreadCache {
    const cache = new ThreadCache(new SharedArrayBuffer(SIZE));
    cache.#words[MOST_IDLE] = most;
    return cache;
  }

  constructor(memory: SharedArrayBuffer) {
    this.memory = memory;
    this.#words = new Int32Array(memory);
    this.#bytes = Buffer.from(memory);
  }

  /**
   * Hands a client to the thread that began to wait last, or puts it in the queue. Sleeps while the queue is full.
   *
   * @returns false if `isOver` returns true before there is room
   */
  give(accepted: Accepted, isOver: () => boolean): boolean {
    const words = this.#words;
    for (;;) {
      const place = locked(words, LOCK, () => {
        if (words[IDLE]! > 0) {
          const waiting = words[STACK_AT + --words[IDLE]!]!;
          writePlace(this.#bytes, placeAt(waiting), accepted);
          Atomics.store(words, GIVEN_AT + waiting, CLIENT);
          Atomics.add(words, BUSY, 1);
          return waiting;
        }
        if (words[QUEUED] === CLIENTS) return undefined;
        writePlace(this.#bytes, queueAt(words[HEAD]! + words[QUEUED]!), accepted);
        Atomics.add(words, QUEUED, 1);
        Atomics.add(words, BUSY, 1);
        return -1;
      });
      if (place !== undefined) {
        if (place >= 0) Atomics.notify(words, GIVEN_AT + place);
        return true;
      }
      if (isOver()) return false;
      Atomics.wait(words, QUEUED, CLIENTS, LOOK_INTERVAL_MS);
    }
  }

  /** True if the caller must start a thread now: more clients wait than threads start, and few threads start. */
  claimStart(): boolean {
    const words = this.#words;
    return locked(words, LOCK, () => {
      const isNeeded = words[QUEUED]! > words[STARTING]! && words[STARTING]! < MOST_STARTING;
      if (!isNeeded) return false;
      words[STARTING]!++;
      words[ALIVE]!++;
      return true;
    });
  }

  /**
   * Position of the last client in the queue, for `isTaken`. Undefined if no thread that finishes will take it: none
   * has taken a client yet, or none waits for a second one.
   */
  get lastQueued(): number | undefined {
    const words = this.#words;
    return locked(words, LOCK, () => {
      const isReused = words[TAKEN] !== 0 && words[MOST_IDLE] !== 0;
      return isReused ? (words[TAKEN]! + words[QUEUED]!) | 0 : undefined;
    });
  }

  /** True once that client, and all before it, were taken from the queue. */
  isTaken(position: number): boolean {
    return ((Atomics.load(this.#words, TAKEN) - position) | 0) >= 0;
  }

  /** A requested thread runs, is not needed, or cannot be started. In the last case its client waits for another thread. */
  started(): void {
    locked(this.#words, LOCK, () => void this.#words[STARTING]!--);
  }

  /** A thread that was claimed has ended, or was never started. */
  ended(): void {
    const words = this.#words;
    locked(words, LOCK, () => {
      words[ALIVE]!--;
      Atomics.add(words, CHANGES, 1);
    });
    this.#reportChange();
  }

  /**
   * Sleeps until the next client finds a thread, and no more than `most` threads exist. Returns early once `isOver`
   * returns true.
   */
  waitForRoom(most: number, isOver: () => boolean): void {
    const words = this.#words;
    if (this.#hasRoom(most)) return;
    Atomics.store(words, IS_FULL, 1);
    for (;;) {
      // Read before the look: a change between the look and the wait ends that wait at once.
      const changes = Atomics.load(words, CHANGES);
      if (this.#hasRoom(most) || isOver()) break;
      Atomics.wait(words, CHANGES, changes, LOOK_INTERVAL_MS);
    }
    Atomics.store(words, IS_FULL, 0);
  }

  /** No more clients come: waiting threads end, and the others once the queue is empty. */
  close(): void {
    const words = this.#words;
    locked(words, LOCK, () => {
      words[CLOSED] = 1;
      for (let i = 0; i < words[IDLE]!; i++) {
        const given = GIVEN_AT + words[STACK_AT + i]!;
        // A thread that is about to sleep finds that the word has changed, and does not sleep.
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
   * Returns the next client for a thread. Sleeps until there is one. Undefined if the thread must end: enough
   * others wait, it was not needed for a long time, or the cache is closed.
   *
   * @param hasClient true if the thread has just finished a client
   */
  take(place: number, hasClient: boolean): Waited | undefined {
    const words = this.#words;
    const taken = locked(words, LOCK, () => {
      if (hasClient) Atomics.sub(words, BUSY, 1);
      Atomics.add(words, CHANGES, 1);
      if (hasClient && words[MOST_IDLE] === 0) return undefined;
      if (words[QUEUED]! > 0) return this.#unqueue();
      if (words[CLOSED] === 1 || place < 0) return undefined;
      if (words[MOST_IDLE] !== AS_NEEDED && words[IDLE]! >= words[MOST_IDLE]!) return undefined;
      words[STACK_AT + words[IDLE]!++] = place;
      Atomics.store(words, GIVEN_AT + place, NOTHING);
      return 'wait';
    });
    this.#reportChange();
    if (taken !== 'wait') return taken;
    const timeout = words[MOST_IDLE] === AS_NEEDED ? LONGEST_IDLE_MS : Number.POSITIVE_INFINITY;
    this.#sleep(GIVEN_AT + place, timeout);
    return locked(words, LOCK, () => {
      if (words[GIVEN_AT + place] === CLIENT) {
        return { ...readPlace(this.#bytes, placeAt(place)), hasWaited: false };
      }
      this.#leaveStack(place);
      return undefined;
    });
  }

  /**
   * A thread that ends still counts until it has ended. A thread that starts may find its client taken by another
   * one: then it waits for a client, and ends only much later. So room is a waiting thread, or one that may start.
   */
  #hasRoom(most: number): boolean {
    const words = this.#words;
    return locked(
      words,
      LOCK,
      () => words[BUSY]! < most && (words[IDLE]! > 0 || words[ALIVE]! < most),
    );
  }

  #reportChange(): void {
    if (Atomics.load(this.#words, IS_FULL) === 1) Atomics.notify(this.#words, CHANGES);
  }

  /** Sleeps until something is given at this word, for `timeout` ms at most. */
  #sleep(given: number, timeout: number): void {
    const words = this.#words;
    const end = performance.now() + timeout;
    for (let left = timeout; left > 0; left = end - performance.now()) {
      Atomics.wait(words, given, NOTHING, left);
      // The acceptor notifies after it has given. Before that, this thread may have served that client and wait again.
      if (Atomics.load(words, given) !== NOTHING) return;
    }
  }

  #unqueue(): Waited {
    const words = this.#words;
    const accepted = readPlace(this.#bytes, queueAt(words[HEAD]!));
    words[HEAD] = (words[HEAD]! + 1) % CLIENTS;
    Atomics.sub(words, QUEUED, 1);
    Atomics.add(words, TAKEN, 1);
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
