/**
 * Questions whose answers never change, recognised in place in the received bytes: no search for the delimiter, no
 * string, no call. Bytes are compared and copied four at a time, through DataViews. That takes a fifth of the time
 * of a loop over bytes, which is most of the cost of an answer.
 */
import type { Outbox } from './outbox.ts';
import type { Answer } from './service.ts';

/** Returns the index just past the question that begins at `start`; -1: it is not complete. See `Speaker.frame`. */
export type Frame = (bytes: Uint8Array, start: number, end: number, searched: number) => number;

interface Fixed {
  readonly answer: Uint8Array;
  readonly answerLength: number;
  /** The answer's bytes in groups of four, filled up with zeroes. Those are overwritten or never sent. */
  readonly answerWords: readonly number[];
}

interface Otherwise extends Fixed {
  readonly frame: Frame;
}

interface Entry extends Fixed {
  readonly question: Uint8Array;
  readonly length: number;
  /** The question's bytes in groups of four; the rest is in `tail`. */
  readonly words: readonly number[];
  readonly tail: readonly number[];
}

export class AnswerTable {
  /** Entries by the first byte of the question. */
  readonly #byFirst: (readonly Entry[] | undefined)[] = new Array(256).fill(undefined);
  /** Length of the longest question in the table, in bytes. */
  readonly longest: number;
  readonly #otherwise: Otherwise | undefined;
  /** Number of questions that the last call of `answer` has answered. */
  answered = 0;
  /** The buffer that was last searched: most drivers always receive into the same one. */
  #viewed: Uint8Array | undefined;
  #view: DataView = new DataView(new ArrayBuffer(0));

  /**
   * @param isQuestion true if text with these bytes is one complete question; other text can never be asked
   * @param encoding how question bytes become text
   * @param otherwise the answer to all other questions. Only to those that are no longer than the table's: a limit may
   *   forbid longer ones
   */
  constructor(
    answers: Readonly<Record<string, Answer>>,
    isQuestion: (bytes: Buffer) => boolean,
    encoding: 'utf8' | 'latin1' = 'utf8',
    otherwise?: { readonly answer: Answer; readonly frame: Frame },
  ) {
    let longest = 0;
    for (const [text, answer] of Object.entries(answers)) {
      const question = Buffer.from(text, encoding);
      if (!isQuestion(question)) continue;
      longest = Math.max(longest, question.length);
      const entry = {
        question,
        length: question.length,
        words: wordsOf(question, question.length >> 2),
        tail: [...question.subarray(question.length & ~3)],
        ...fixed(answer),
      };
      this.#byFirst[question[0]!] = [...(this.#byFirst[question[0]!] ?? []), entry];
    }
    this.longest = longest;
    this.#otherwise = otherwise && { frame: otherwise.frame, ...fixed(otherwise.answer) };
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
      if (entry !== undefined) {
        out.writeWords(entry.answerWords, entry.answerLength);
        at += entry.length;
      } else {
        const other = this.#otherwise;
        if (other === undefined) break;
        const next = other.frame(bytes, at, Math.min(end, at + this.longest), 0);
        if (next < 0) break;
        out.writeWords(other.answerWords, other.answerLength);
        at = next;
      }
      answered++;
    }
    this.answered = answered;
    return at;
  }

  /** The answer to the question `bytes[start, end)`, if the table has it. */
  find(bytes: Uint8Array, start: number, end: number): Uint8Array | undefined {
    const length = end - start;
    const entries = length > 0 ? this.#byFirst[bytes[start]!] : undefined;
    if (entries === undefined) return undefined;
    for (let i = 0; i < entries.length; i++) {
      const { question, answer } = entries[i]!;
      if (question.length !== length) continue;
      // Byte by byte: a view of a buffer that is read once would cost more.
      let at = 0;
      while (at < length && question[at] === bytes[start + at]) at++;
      if (at === length) return answer;
    }
    return undefined;
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

function fixed(text: Answer): Fixed {
  const answer = Buffer.from(text);
  const { length } = answer;
  return { answer, answerLength: length, answerWords: wordsOf(answer, (length + 3) >> 2) };
}

/** An array, because code that V8 has not optimised calls a function for the length of an `Int32Array`. */
function wordsOf(bytes: Buffer, count: number): number[] {
  const padded = Buffer.alloc(count * 4);
  bytes.copy(padded);
  return Array.from({ length: count }, (_, i) => padded.readInt32LE(i * 4));
}
