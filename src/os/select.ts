/**
 * select(2): the set of descriptors is a bitmap of 1,024 bits, passed to the kernel and back on every wait. Both
 * sides walk all of it each time. There is no bit for descriptor 1,024.
 */
import { addressOf, libc, ordinary } from './libc.ts';
import { READABLE, type Selector, WRITABLE } from './readiness.ts';

/** The number of descriptors that an `fd_set` has bits for. */
export const FD_SETSIZE = 1024;

const WORDS = FD_SETSIZE / 32;

export class Select implements Selector {
  // Three bitmaps of wanted events, and three that the kernel overwrites with the ready ones: read, write, except.
  // The bit is `fd % 32` of word `fd / 32`, as in a 64-bit fd_mask on little-endian.
  readonly #wanted = new Int32Array(WORDS * 3);
  readonly #ready = new Int32Array(WORDS * 3);
  readonly #readyAddress = addressOf(new Uint8Array(this.#ready.buffer));
  /** Two 64-bit numbers whose upper halves stay 0: a BigInt would cost an object for each wait. */
  readonly #timeval = new Int32Array(4);
  readonly #timevalAddress = addressOf(new Uint8Array(this.#timeval.buffer));
  #highest = -1;
  #at = FD_SETSIZE;
  events = 0;

  register(fd: number, interest: number): void {
    if (fd >= FD_SETSIZE) {
      throw new RangeError(`Cannot select descriptor ${fd}: an fd_set ends at ${FD_SETSIZE - 1}`);
    }
    if (fd > this.#highest) this.#highest = fd;
    this.modify(fd, interest);
  }

  modify(fd: number, interest: number): void {
    const word = fd >> 5;
    const bit = 1 << (fd & 31);
    for (const [map, flag] of [
      [0, READABLE],
      [WORDS, WRITABLE],
    ] as const) {
      if (interest & flag) this.#wanted[map + word]! |= bit;
      else this.#wanted[map + word]! &= ~bit;
    }
  }

  unregister(fd: number): void {
    this.modify(fd, 0);
    // Drop the events of this wait for the descriptor: another connection may have its number now.
    this.#ready[fd >> 5]! &= ~(1 << (fd & 31));
    this.#ready[WORDS + (fd >> 5)]! &= ~(1 << (fd & 31));
  }

  wait(timeout: number): number {
    this.#ready.set(this.#wanted);
    this.#timeval[0] = Math.max(0, Math.floor(timeout / 1000));
    this.#timeval[2] = Math.max(0, (timeout % 1000) * 1000);
    const read = this.#readyAddress;
    const write = read + WORDS * 4;
    const time = timeout < 0 ? 0 : this.#timevalAddress;
    const count = libc.select(this.#highest + 1, read, write, 0, time);
    this.#at = count > 0 ? 0 : FD_SETSIZE;
    return count >= 0 ? count : ordinary('select', count);
  }

  next(): number {
    while (this.#at <= this.#highest) {
      const fd = this.#at++;
      const bit = 1 << (fd & 31);
      const readable = this.#ready[fd >> 5]! & bit;
      const writable = this.#ready[WORDS + (fd >> 5)]! & bit;
      if (readable === 0 && writable === 0) continue;
      this.events = (readable ? READABLE : 0) | (writable ? WRITABLE : 0);
      return fd;
    }
    return -1;
  }

  close(): void {}
}
