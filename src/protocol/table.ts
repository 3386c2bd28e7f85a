/**
 * Questions whose answers never change, found by their bytes: no string is made of a question that
 * is in the table, which at ten million questions a minute is most of what answering costs.
 */
import type { Answer } from './service.ts';

interface Entry {
  readonly question: Uint8Array;
  readonly answer: Uint8Array;
}

export class AnswerTable {
  readonly #byLength: (Entry[] | undefined)[] = [];

  constructor(answers: Readonly<Record<string, Answer>>) {
    for (const [text, answer] of Object.entries(answers)) {
      const question = Buffer.from(text);
      const entry = { question, answer: Buffer.from(answer) };
      const sameLength = this.#byLength[question.length];
      if (sameLength) sameLength.push(entry);
      else this.#byLength[question.length] = [entry];
    }
  }

  /** The answer to the question that is `bytes[start, end)`, if the table has it. */
  find(bytes: Uint8Array, start: number, end: number): Uint8Array | undefined {
    const sameLength = this.#byLength[end - start];
    if (sameLength === undefined) return undefined;
    for (let i = 0; i < sameLength.length; i++) {
      const entry = sameLength[i]!;
      const { question } = entry;
      let k = 0;
      while (k < question.length && question[k] === bytes[start + k]) k++;
      if (k === question.length) return entry.answer;
    }
    return undefined;
  }
}
