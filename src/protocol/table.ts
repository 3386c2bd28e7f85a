/**
 * Questions whose answers never change, recognised where they lie in the received bytes: no scan for
 * the delimiter, no string, no call. Bytes are compared and copied four at a time, through a DataView,
 * which takes a fifth of the time of a loop over bytes; that is most of what answering costs.
 */
import type { Outbox } from './outbox.ts';
import type { Answer } from './service.ts';

interface Entry {
  readonly length: number;
  /** The question's bytes in fours; those that are left over at its end stand in `tail`. */
  readonly words: Int32Array;
  readonly tail: Uint8Array;
  readonly answer: Uint8Array;
}

export class AnswerTable {
  /** By the first byte of the question. */
  readonly #byFirst: (readonly Entry[] | undefined)[] = new Array(256).fill(undefined);
  /** The buffer that was last looked into: most drivers receive into the same one for ever. */
  #viewed: Uint8Array | undefined;
  #view: DataView = new DataView(new ArrayBuffer(0));

  /**
   * @param isQuestion whether text with these bytes is one whole question; another can never be asked
   * @param encoding how question bytes become text
   */
  constructor(
    answers: Readonly<Record<string, Answer>>,
    isQuestion: (bytes: Buffer) => boolean,
    encoding: 'utf8' | 'latin1' = 'utf8',
  ) {
    for (const [text, answer] of Object.entries(answers)) {
      const question = Buffer.from(text, encoding);
      if (!isQuestion(question)) continue;
      const words = new Int32Array(question.length >> 2);
      for (let i = 0; i < words.length; i++) words[i] = question.readInt32LE(i * 4);
      const tail = Uint8Array.from(question.subarray(words.length * 4));
      const entry = { length: question.length, words, tail, answer: Buffer.from(answer) };
      this.#byFirst[question[0]!] = [...(this.#byFirst[question[0]!] ?? []), entry];
    }
  }

  /**
   * Answers the question that begins at `start`, if it is one of the table and all there. Returns the
   * index just past it, or -1.
   */
  answer(bytes: Uint8Array, start: number, end: number, out: Outbox): number {
    const entries = this.#byFirst[bytes[start]!];
    if (entries === undefined) return -1;
    if (bytes !== this.#viewed) {
      this.#viewed = bytes;
      this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    }
    const view = this.#view;
    for (let i = 0; i < entries.length; i++) {
      const { length, words, tail, answer } = entries[i]!;
      if (start + length > end) continue;
      let at = start;
      let w = 0;
      while (w < words.length && view.getInt32(at, true) === words[w]) {
        w++;
        at += 4;
      }
      if (w < words.length) continue;
      let k = 0;
      while (k < tail.length && bytes[at + k] === tail[k]) k++;
      if (k < tail.length) continue;
      out.write(answer);
      return start + length;
    }
    return -1;
  }
}
