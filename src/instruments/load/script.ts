/**
 * The questions and the expected answers as bytes. All questions of the cycle lie one after the
 * other, repeatedly, in memory that never moves. So one send can take a run of questions without a
 * copy.
 */
import { addressOf } from '../../os/libc.ts';
import type { Exchange, Framing } from './plan.ts';

/** Minimum length of the text, in bytes. It bounds how many questions one send can carry. */
const LEAST_TEXT = 65_536;
const NEWLINE = 10;

export class Script {
  /** Number of exchanges in the cycle. */
  readonly count: number;
  readonly address: number;
  readonly #text: Buffer;
  /** Offset of each question in the text, and of the end of the last one. */
  readonly #starts: Int32Array;
  /** The expected answer to each question, with framing; undefined if any answer is accepted. */
  readonly answers: readonly (Buffer | undefined)[];

  constructor(exchanges: readonly Exchange[], framing: Framing) {
    this.count = exchanges.length;
    const questions = exchanges.map(({ question, base64 }) => framed(question, base64, framing));
    this.answers = exchanges.map(({ answer, base64 }) =>
      answer === undefined ? undefined : framed(answer, base64, framing),
    );
    const cycle = Buffer.concat(questions);
    const times = Math.max(2, Math.ceil(LEAST_TEXT / Math.max(1, cycle.length)));
    this.#text = Buffer.allocUnsafeSlow(cycle.length * times);
    this.#starts = new Int32Array(this.count * times + 1);
    for (let i = 0; i < this.count * times; i++) {
      const question = questions[i % this.count]!;
      question.copy(this.#text, this.#starts[i]!);
      this.#starts[i + 1] = this.#starts[i]! + question.length;
    }
    this.address = addressOf(this.#text);
  }

  /** How many questions one send can carry, from number `from` of the cycle. */
  run(from: number): number {
    return this.#starts.length - 1 - from;
  }

  /** The bytes of question `number` of the cycle. */
  question(number: number): Buffer {
    return this.#text.subarray(this.#starts[number]!, this.#starts[number + 1]!);
  }

  /** Offset of question `from` in the text, in bytes. */
  startOf(from: number): number {
    return this.#starts[from]!;
  }
}

function framed(text: string, base64: boolean | undefined, framing: Framing): Buffer {
  const bytes = Buffer.from(text, base64 === true ? 'base64' : 'utf8');
  if (framing.kind === 'delimiter') return bytes;
  if (framing.kind === 'line') return Buffer.concat([bytes, Buffer.of(NEWLINE)]);
  const length = Buffer.alloc(framing.bytes);
  length.writeUIntBE(bytes.length, 0, framing.bytes);
  return Buffer.concat([length, bytes]);
}
