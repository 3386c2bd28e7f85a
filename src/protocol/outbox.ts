/**
 * Collects answers before they are sent, in one growing buffer that is used again and again. So the answers of one
 * turn leave in one `send`, and a question costs no allocation.
 */
import type { Answer, AnswerWriter } from './service.ts';

const SMALLEST = 4096;
/** Up to this length, a loop over the bytes or characters is faster than a call into native code. */
export const SHORT = 64;

export class Outbox implements AnswerWriter {
  /** The answers are in `buffer[0, length)`. A larger buffer replaces it when it is full. */
  buffer: Buffer = Buffer.allocUnsafeSlow(SMALLEST);
  length = 0;
  /** Where the answers of the current conversation start. Before it are answers of other conversations. Usually 0. */
  start = 0;
  #viewed: Buffer | undefined;
  #view: DataView = new DataView(new ArrayBuffer(0));

  /** Appends an answer. */
  write(answer: Answer, encoding: 'utf8' | 'latin1' = 'utf8'): void {
    if (typeof answer !== 'string') this.writeRange(answer, 0, answer.length);
    else if (answer.length > SHORT || !this.#writeShort(answer)) {
      const size = Buffer.byteLength(answer, encoding);
      this.#makeRoom(size);
      this.length += this.buffer.write(answer, this.length, size, encoding);
    }
  }

  /**
   * Appends the bytes `[start, end)`.
   *
   * @throws RangeError if they are not all in `bytes`: a service in JavaScript may pass anything
   */
  writeRange(bytes: Uint8Array, start: number, end: number): void {
    if (!(start >= 0 && start <= end && end <= bytes.length)) {
      throw new RangeError(`there are no bytes from ${start} to ${end}`);
    }
    const size = end - start;
    if (this.length + size > this.buffer.length) this.#makeRoom(size);
    const { buffer } = this;
    let at = this.length;
    if (size > SHORT) buffer.set(size === bytes.length ? bytes : bytes.subarray(start, end), at);
    else for (let i = start; i < end; i++) buffer[at++] = bytes[i]!;
    this.length += size;
  }

  /** Appends a short text; false if it is not all ASCII. */
  #writeShort(text: string): boolean {
    const size = text.length;
    if (this.length + size > this.buffer.length) this.#makeRoom(size);
    const { buffer } = this;
    let at = this.length;
    for (let i = 0; i < size; i++) {
      const code = text.charCodeAt(i);
      if (code > 127) return false;
      buffer[at++] = code;
    }
    this.length = at;
    return true;
  }

  /** Appends the first `length` bytes of `words`, four at a time: see AnswerTable. */
  writeWords(words: readonly number[], length: number): void {
    const size = words.length * 4;
    if (this.length + size > this.buffer.length) this.grow(size);
    if (this.#viewed !== this.buffer) {
      this.#viewed = this.buffer;
      this.#view = new DataView(this.buffer.buffer, this.buffer.byteOffset, this.buffer.length);
    }
    const view = this.#view;
    let at = this.length;
    for (let i = 0; i < words.length; i++, at += 4) view.setInt32(at, words[i]!, true);
    this.length += length;
  }

  clear(): void {
    this.length = 0;
    this.start = 0;
  }

  /** Removes the first `count` bytes, which were sent. */
  drop(count: number): void {
    if (count < this.length) this.buffer.copyWithin(0, count, this.length);
    this.length -= count;
  }

  /** Removes the bytes of the current conversation behind its first `count`. */
  truncate(count: number): void {
    this.length = this.start + count;
  }

  /** Gives the bytes to a writer that has not sent them yet, and starts a new buffer. */
  renew(): void {
    this.buffer = Buffer.allocUnsafeSlow(SMALLEST);
    this.clear();
  }

  /** A copy of the bytes from `start` on. The outbox itself is used again at once. */
  copy(start = 0): Buffer {
    return Buffer.from(this.buffer.subarray(start, this.length));
  }

  #makeRoom(size: number): void {
    if (this.length + size > this.buffer.length) this.grow(size);
  }

  /** Moves the bytes to a buffer with room for `size` more. */
  protected grow(size: number): void {
    const larger = Buffer.allocUnsafeSlow(Math.max(this.buffer.length * 2, this.length + size));
    larger.set(this.buffer.subarray(0, this.length));
    this.buffer = larger;
  }
}
