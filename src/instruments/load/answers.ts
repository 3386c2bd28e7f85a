/**
 * Compares the bytes that arrive on each connection with the expected answers. An answer may arrive
 * in pieces of any size.
 */
import type { Framing } from './plan.ts';
import type { Script } from './script.ts';

const NEWLINE = 10;

/** Result of `read`: the answer has not ended yet. */
export const MORE = -1;
/** Result of `read`: the answer is not the expected one. */
export const WRONG = -2;

export class Answers {
  readonly #script: Script;
  /** By connection: how many bytes of the current answer have arrived. */
  readonly #position: Float64Array;
  /**
   * Used if any answer is accepted. By connection: the length as far as it is read, or how many
   * bytes of the delimiter have been seen.
   */
  readonly #state: Float64Array;
  readonly #prefix: number;
  readonly #end: Buffer;

  constructor(script: Script, framing: Framing, connections: number) {
    this.#script = script;
    this.#position = new Float64Array(connections);
    this.#state = new Float64Array(connections);
    this.#prefix = framing.kind === 'length' ? framing.bytes : 0;
    this.#end = framing.kind === 'delimiter' ? Buffer.from(framing.answerEnd) : Buffer.of(NEWLINE);
  }

  /** True if a part of an answer has arrived, but not all of it. */
  isInside(connection: number): boolean {
    return this.#position[connection]! > 0;
  }

  forget(connection: number): void {
    this.#position[connection] = 0;
    this.#state[connection] = 0;
  }

  /**
   * Reads on in the answer to question `number` of the cycle.
   *
   * @returns the offset in the buffer at which the answer ends, or `MORE`, or `WRONG`
   */
  read(connection: number, number: number, buffer: Buffer, from: number, to: number): number {
    const expected = this.#script.answers[number];
    if (expected === undefined) return this.#readAny(connection, buffer, from, to);
    const position = this.#position[connection]!;
    const end = Math.min(to, from + expected.length - position);
    for (let i = from, j = position; i < end; i++, j++) {
      if (buffer[i] !== expected[j]) return WRONG;
    }
    const read = position + end - from;
    this.#position[connection] = read === expected.length ? 0 : read;
    return read === expected.length ? end : MORE;
  }

  #readAny(connection: number, buffer: Buffer, from: number, to: number): number {
    const end = this.#prefix > 0 ? this.#lengthEnd : this.#delimiterEnd;
    const at = end.call(this, connection, buffer, from, to);
    if (at === MORE) this.#position[connection]! += to - from;
    else this.forget(connection);
    return at;
  }

  #lengthEnd(connection: number, buffer: Buffer, from: number, to: number): number {
    const had = this.#position[connection]!;
    const prefixEnd = Math.min(to, from + Math.max(0, this.#prefix - had));
    let length = this.#state[connection]!;
    for (let i = from; i < prefixEnd; i++) length = length * 256 + buffer[i]!;
    this.#state[connection] = length;
    if (had + prefixEnd - from < this.#prefix) return MORE;
    const end = from + this.#prefix + length - had;
    return end <= to ? end : MORE;
  }

  #delimiterEnd(connection: number, buffer: Buffer, from: number, to: number): number {
    const end = this.#end;
    let seen = this.#state[connection]!;
    for (let i = from; i < to; i++) {
      // A mismatch may still contain the beginning of the delimiter: after "..", a second "." may
      // begin "..-" again.
      while (seen > 0 && buffer[i] !== end[seen]) seen = borderOf(end, seen);
      if (buffer[i] === end[seen]) seen++;
      if (seen === end.length) return i + 1;
    }
    this.#state[connection] = seen;
    return MORE;
  }
}

/**
 * Returns the length of the longest proper prefix of the first `length` bytes that is also their
 * suffix.
 */
function borderOf(bytes: Buffer, length: number): number {
  for (let border = length - 1; border > 0; border--) {
    if (bytes.compare(bytes, 0, border, length - border, length) === 0) return border;
  }
  return 0;
}
