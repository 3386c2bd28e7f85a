/**
 * A bounded queue of accepted sockets in memory that threads share. A thread that takes from an empty queue sleeps
 * (futex(2), under Atomics.wait) until a socket is put. A thread that puts into a full queue sleeps until a socket
 * is taken. It is a monitor in the textbook sense: one lock, and waits outside of it.
 */
import type { Accepted } from '../accept.ts';
import { locked, PLACE, readPlace, writePlace } from './shared-places.ts';

const LOCK = 0;
const LENGTH = 1;
const HEAD = 2;
const CLOSED = 3;
const HEADER = 4;

/** In LENGTH: the queue is closed and empty. One word says both, so no thread sees the one without the other. */
const OVER = -1;

/**
 * Interval at which a thread that waits at a full queue checks whether to give up, in ms: no signal ends that wait.
 */
const LOOK_INTERVAL_MS = 100;

export class SocketQueue {
  readonly memory: SharedArrayBuffer;
  readonly #words: Int32Array<SharedArrayBuffer>;
  readonly #bytes: Buffer;
  readonly #capacity: number;

  static create(capacity: number): SocketQueue {
    return new SocketQueue(new SharedArrayBuffer(HEADER * 4 + capacity * PLACE));
  }

  constructor(memory: SharedArrayBuffer) {
    this.memory = memory;
    this.#words = new Int32Array(memory);
    this.#bytes = Buffer.from(memory);
    this.#capacity = (memory.byteLength - HEADER * 4) / PLACE;
  }

  /** Number of sockets that wait in the queue. */
  get length(): number {
    return Math.max(0, Atomics.load(this.#words, LENGTH));
  }

  /** Puts a socket at the end. Sleeps while there is no room. False if `isOver` returns true first. */
  put(accepted: Accepted, isOver: () => boolean): boolean {
    for (;;) {
      const isPut = this.#locked(() => {
        const length = this.length;
        if (length === this.#capacity) return false;
        this.#write((this.#words[HEAD]! + length) % this.#capacity, accepted);
        Atomics.store(this.#words, LENGTH, length + 1);
        return true;
      });
      if (isPut) break;
      if (isOver()) return false;
      Atomics.wait(this.#words, LENGTH, this.#capacity, LOOK_INTERVAL_MS);
    }
    Atomics.notify(this.#words, LENGTH, 1);
    return true;
  }

  /**
   * Takes the socket that has waited longest. Sleeps while there is none. Undefined once the queue is closed and
   * empty.
   */
  take(): Accepted | undefined {
    for (;;) {
      let wasFull = false;
      const taken = this.#locked(() => {
        const length = this.#words[LENGTH]!;
        if (length === OVER) return OVER;
        if (length === 0) return undefined;
        wasFull = length === this.#capacity;
        const place = this.#words[HEAD]!;
        this.#words[HEAD] = (place + 1) % this.#capacity;
        this.#store(length - 1);
        return this.#read(place);
      });
      if (taken === OVER) return undefined;
      if (taken !== undefined) {
        // Only the acceptor at a full queue waits for this. Waking the other takers would cost each of them a look.
        if (wasFull) Atomics.notify(this.#words, LENGTH);
        return taken;
      }
      // Returns at once if a socket was put, or the queue was closed, since the look.
      Atomics.wait(this.#words, LENGTH, 0);
    }
  }

  /** No more sockets will be put: threads that sleep in `take` wake up and get nothing. */
  close(): void {
    this.#locked(() => {
      this.#words[CLOSED] = 1;
      this.#store(this.length);
    });
    Atomics.notify(this.#words, LENGTH);
  }

  #store(length: number): void {
    const isOver = length === 0 && this.#words[CLOSED] === 1;
    Atomics.store(this.#words, LENGTH, isOver ? OVER : length);
  }

  #locked<T>(section: () => T): T {
    return locked(this.#words, LOCK, section);
  }

  #write(place: number, accepted: Accepted): void {
    writePlace(this.#bytes, HEADER * 4 + place * PLACE, accepted);
  }

  #read(place: number): Accepted {
    return readPlace(this.#bytes, HEADER * 4 + place * PLACE);
  }
}
