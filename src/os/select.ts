/**
 * select(2): the set of descriptors is a bitmap of 1,024 bits, handed to the kernel and back on every
 * wait. Both walk all of it each time; and there is no bit for descriptor 1,024.
 */
import { addressOf, libc, ordinary } from './libc.ts';
import { READABLE, type Selector, WRITABLE } from './readiness.ts';

/** How many descriptors an `fd_set` has bits for. */
export const FD_SETSIZE = 1024;

const WORDS = FD_SETSIZE / 32;

export class Select implements Selector {
  // Three maps for what is wanted and three that the kernel overwrites with what is ready:
  // read, write, except. Bit `fd % 32` of word `fd / 32`, as a 64-bit fd_mask has it on little-endian.
  readonly #wanted = new Int32Array(WORDS * 3);
  readonly #ready = new Int32Array(WORDS * 3);
  readonly #readyAddress = addressOf(new Uint8Array(this.#ready.buffer));
  /** Two numbers of 64 bits, of which the upper halves stay 0: a BigInt would be an object for each wait. */
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
    // What this wait told of the descriptor is void: the number may be somebody else's by now.
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
