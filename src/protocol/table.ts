/**
 * Questions whose answers never change, recognised in place in the received bytes: no search for the delimiter, no
 * string, no call. Bytes are compared and copied four at a time, through DataViews. That takes a fifth of the time
 * of a loop over bytes, which is most of the cost of an answer.
 */
import type { Outbox } from './outbox.ts';
import type { Answer } from './service.ts';

interface Entry {
  readonly length: number;
  /** The question's bytes in groups of four; the rest is in `tail`. */
  readonly words: Int32Array;
  readonly tail: Uint8Array;
  readonly answer: Uint8Array;
  /** The answer's bytes in groups of four, filled up with zeroes. Those are overwritten or never sent. */
  readonly answerWords: Int32Array;
}

export class AnswerTable {
  /** Entries by the first byte of the question. */
  readonly #byFirst: (readonly Entry[] | undefined)[] = new Array(256).fill(undefined);
  /** Length of the longest question in the table, in bytes. */
  readonly longest: number;
  /** Number of questions that the last call of `answer` has answered. */
  answered = 0;
  /** The buffer that was last searched: most drivers always receive into the same one. */
  #viewed: Uint8Array | undefined;
  #view: DataView = new DataView(new ArrayBuffer(0));

  /**
   * @param isQuestion true if text with these bytes is one complete question; other text can never be asked
   * @param encoding how question bytes become text
   */
  constructor(
    answers: Readonly<Record<string, Answer>>,
    isQuestion: (bytes: Buffer) => boolean,
    encoding: 'utf8' | 'latin1' = 'utf8',
  ) {
    let longest = 0;
    for (const [text, answer] of Object.entries(answers)) {
      const question = Buffer.from(text, encoding);
      if (!isQuestion(question)) continue;
      longest = Math.max(longest, question.length);
      const entry = {
        length: question.length,
        words: wordsOf(question, question.length >> 2),
        tail: Uint8Array.from(question.subarray(question.length & ~3)),
        answer: Buffer.from(answer),
        answerWords: wordsOf(Buffer.from(answer), (Buffer.byteLength(answer) + 3) >> 2),
      };
      this.#byFirst[question[0]!] = [...(this.#byFirst[question[0]!] ?? []), entry];
    }
    this.longest = longest;
  }

  /**
   * Answers consecutive questions from `start` on, while they are in the table and complete, and the outbox holds
   * fewer than `unsent` bytes of this conversation. Returns the index just past the last one; `start` if there was
   * none.
   */
  answer(bytes: Uint8Array, start: number, end: number, out: Outbox, unsent: number): number {
    const view = this.#viewOf(bytes);
    const full = out.start + unsent;
    let at = start;
    let answered = 0;
    while (at < end && out.length < full) {
      const entry = this.#find(bytes, view, at, end);
      if (entry === undefined) break;
      out.writeWords(entry.answerWords, entry.answer.length);
      at += entry.length;
      answered++;
    }
    this.answered = answered;
    return at;
  }

  /** The answer to the question `bytes[start, end)`, if the table has it. */
  find(bytes: Uint8Array, start: number, end: number): Uint8Array | undefined {
    if (start === end) return undefined;
    const entry = this.#find(bytes, this.#viewOf(bytes), start, end);
    return entry?.length === end - start ? entry.answer : undefined;
  }

  #viewOf(bytes: Uint8Array): DataView {
    if (bytes !== this.#viewed) {
      this.#viewed = bytes;
      this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    }
    return this.#view;
  }

  #find(bytes: Uint8Array, view: DataView, start: number, end: number): Entry | undefined {
    const entries = this.#byFirst[bytes[start]!];
    if (entries === undefined) return undefined;
    for (let i = 0; i < entries.length; i++) {
      const entry = entries[i]!;
      const { words, tail } = entry;
      if (start + entry.length > end) continue;
      let at = start;
      let w = 0;
      while (w < words.length && view.getInt32(at, true) === words[w]) {
        w++;
        at += 4;
      }
      if (w < words.length) continue;
      let k = 0;
      while (k < tail.length && bytes[at + k] === tail[k]) k++;
      if (k === tail.length) return entry;
    }
    return undefined;
  }
}

function wordsOf(bytes: Buffer, count: number): Int32Array {
  const padded = Buffer.alloc(count * 4);
  bytes.copy(padded);
  return Int32Array.from({ length: count }, (_, i) => padded.readInt32LE(i * 4));
}
