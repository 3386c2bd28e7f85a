/**
 * Collects answers before they are sent, in one growing buffer that is used again and again. So the answers of one
 * turn leave in one `send`, and a question costs no allocation.
 */

const SMALLEST = 4096;

export class Outbox {
  /** The answers are in `buffer[0, length)`. A larger buffer replaces it when it is full. */
  buffer: Buffer = Buffer.allocUnsafeSlow(SMALLEST);
  length = 0;
  /** Where the answers of the current conversation start. Before it are answers of other conversations. Usually 0. */
  start = 0;
  #viewed: Buffer | undefined;
  #view: DataView = new DataView(new ArrayBuffer(0));

  /** Appends an answer. A string is sent as UTF-8. */
  write(answer: Uint8Array | string): void {
    if (typeof answer === 'string') {
      const size = Buffer.byteLength(answer);
      this.#makeRoom(size);
      this.length += this.buffer.write(answer, this.length, size);
      return;
    }
    const size = answer.length;
    if (this.length + size > this.buffer.length) this.#makeRoom(size);
    const { buffer } = this;
    let at = this.length;
    if (size > 64) buffer.set(answer, at);
    // For a few dozen bytes, a loop is faster than a call into native code.
    else for (let i = 0; i < size; i++) buffer[at++] = answer[i]!;
    this.length += size;
  }

  /** Appends the first `length` bytes of `words`, four at a time: see AnswerTable. */
  writeWords(words: Int32Array, length: number): void {
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
