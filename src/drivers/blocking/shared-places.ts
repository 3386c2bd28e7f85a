/**
 * Accepted clients in memory that the threads of a process share, and the lock that protects them. A plain lock is
 * enough: a thread ends by itself or with its process, never inside a section.
 */
import type { Accepted } from '../accept.ts';

/** Size of one client's place in bytes: the descriptor, the length of the peer's text, and the text. */
export const PLACE = 64;
const TEXT = PLACE - 8;

const FREE = 0;
const HELD = 1;
/** Locked, and another thread may sleep until it is free. */
const WANTED = 2;

/** Runs `section` while no other thread runs one under the same lock word, which is 0 at first. */
export function locked<T>(words: Int32Array<SharedArrayBuffer>, lock: number, section: () => T): T {
  if (Atomics.compareExchange(words, lock, FREE, HELD) !== FREE) {
    while (Atomics.exchange(words, lock, WANTED) !== FREE) Atomics.wait(words, lock, WANTED);
  }
  try {
    return section();
  } finally {
    if (Atomics.exchange(words, lock, FREE) === WANTED) Atomics.notify(words, lock, 1);
  }
}

/** @param bytes the shared memory @param at where the place begins, in bytes */
export function writePlace(bytes: Buffer, at: number, { socket, peer }: Accepted): void {
  bytes.writeInt32LE(socket, at);
  bytes.writeInt32LE(bytes.write(peer, at + 8, TEXT), at + 4);
}

/** @param bytes the shared memory @param at where the place begins, in bytes */
export function readPlace(bytes: Buffer, at: number): Accepted {
  const start = at + 8;
  return {
    socket: bytes.readInt32LE(at),
    peer: bytes.toString('utf8', start, start + bytes.readInt32LE(at + 4)),
  };
}
