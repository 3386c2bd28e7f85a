/**
 * poll(2): the set of descriptors is an array that the caller keeps and the kernel walks on every wait. Only memory
 * limits it. The cost grows with all descriptors, ready or not.
 */
import { addressOf, libc, ordinary } from './libc.ts';
import { ERROR, HANGUP, INVALID, READABLE, type Selector, WRITABLE } from './readiness.ts';

/** `struct pollfd` is 8 bytes: the descriptor, then `events` in the low and `revents` in the high half. */
const FIELDS = 2;

export class Poll implements Selector {
  #fds = new Int32Array(64 * FIELDS);
  #address = addressOf(new Uint8Array(this.#fds.buffer));
  #count = 0;
  /** By descriptor: its index in the array. */
  readonly #slots: number[] = [];
  #at = 0;
  #remaining = 0;
  events = 0;

  register(fd: number, interest: number): void {
    const slot = this.#count++;
    if (slot * FIELDS === this.#fds.length) this.#grow();
    this.#fds[slot * FIELDS] = fd;
    this.#fds[slot * FIELDS + 1] = interest;
    this.#slots[fd] = slot;
  }

  modify(fd: number, interest: number): void {
    this.#fds[this.#slots[fd]! * FIELDS + 1] = interest;
  }

  unregister(fd: number): void {
    const slot = this.#slots[fd]!;
    const last = --this.#count;
    const moved = this.#fds[last * FIELDS]!;
    // The last entry moves here, without its events of this wait: poll will report them again.
    this.#fds[slot * FIELDS] = moved;
    this.#fds[slot * FIELDS + 1] = this.#fds[last * FIELDS + 1]! & 0xffff;
    this.#slots[moved] = slot;
  }

  wait(timeout: number): number {
    const count = libc.poll(this.#address, this.#count, timeout);
    this.#at = 0;
    this.#remaining = count > 0 ? count : 0;
    return count >= 0 ? count : ordinary('poll', count);
  }

  next(): number {
    while (this.#remaining > 0 && this.#at < this.#count) {
      const slot = this.#at++ * FIELDS;
      const told = this.#fds[slot + 1]! >>> 16;
      if (told === 0) continue;
      this.#remaining--;
      this.#fds[slot + 1]! &= 0xffff;
      this.events = told & (ERROR | HANGUP | INVALID) ? told | READABLE : told;
      return this.#fds[slot]!;
    }
    return -1;
  }

  close(): void {}

  #grow(): void {
    const larger = new Int32Array(this.#fds.length * 2);
    larger.set(this.#fds);
    this.#fds = larger;
    this.#address = addressOf(new Uint8Array(larger.buffer));
  }
}

const one = new Int32Array(2);
const oneAddress = addressOf(new Uint8Array(one.buffer));

/**
 * True if there are bytes to receive, or a client to accept, now or within `timeout` ms; -1: no time limit. Also
 * false if a signal woke the thread.
 */
export function isReadable(fd: number, timeout = 0): boolean {
  one[0] = fd;
  one[1] = READABLE;
  return libc.poll(oneAddress, 1, timeout) > 0 && one[1]! >> 16 !== 0;
}

/**
 * Sleeps until there is something to receive, or the end of the stream. False if a signal woke the thread. It is
 * for waits of the host: a trace of an architecture's calls leaves ppoll(2) out.
 */
export function awaitReadable(fd: number): boolean {
  one[0] = fd;
  one[1] = READABLE;
  return libc.ppoll(oneAddress, 1, 0, 0) > 0;
}

/** Sleeps until there is room to send, for at most `ms`, or until a signal comes. */
export function awaitWritable(fd: number, ms: number): void {
  one[0] = fd;
  one[1] = WRITABLE;
  libc.poll(oneAddress, 1, Math.ceil(ms));
}

const POLLRDHUP = 0x2000;

/**
 * The state of a connection: `failed` after a reset by the peer, `ending` once the peer sends no more. Never waits.
 */
export function connectionState(fd: number): 'open' | 'ending' | 'failed' {
  one[0] = fd;
  one[1] = POLLRDHUP;
  if (libc.poll(oneAddress, 1, 0) <= 0) return 'open';
  return (one[1]! >>> 16) & ERROR ? 'failed' : 'ending';
}
