/**
 * What is asked and what must come back, as bytes. All questions of the cycle stand one after the other
 * in memory that never moves, again and again, so that a run of them is sent where it lies.
 */
import { addressOf } from '../../os/libc.ts';
import type { Exchange, Framing } from './plan.ts';

/** How much text there is at least, in bytes: the longest run of questions that one send can carry. */
const LEAST_TEXT = 65_536;
const NEWLINE = 10;

export class Script {
  /** How many exchanges the cycle has. */
  readonly count: number;
  readonly address: number;
  readonly #text: Buffer;
  /** Where each question of the text begins, and where the last ends. */
  readonly #starts: Int32Array;
  /** What must come back for each, framing included; undefined where any answer will do. */
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

  /** How many questions from number `from` of the cycle on can be sent at once. */
  run(from: number): number {
    return this.#starts.length - 1 - from;
  }

  /** Where question `from` begins, from the beginning of the text, in bytes. */
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
