/**
 * Splits the text from a server into answers, whatever the pieces, in time linear in its length.
 */
export class Answers {
  readonly #delimiter: string;
  #pieces: string[] = [];
  /** The end of the unfinished answer, which may be the start of a delimiter. */
  #tail = '';

  constructor(delimiter: string) {
    this.#delimiter = delimiter;
  }

  /** Returns the answers that `text` completes, each with its delimiter. */
  push(text: string): string[] {
    const answers: string[] = [];
    let rest = text;
    for (;;) {
      const at = (this.#tail + rest).indexOf(this.#delimiter);
      if (at < 0) break;
      const end = at + this.#delimiter.length - this.#tail.length;
      this.#pieces.push(rest.slice(0, end));
      answers.push(this.#pieces.join(''));
      this.#pieces = [];
      this.#tail = '';
      rest = rest.slice(end);
    }
    if (rest !== '') this.#pieces.push(rest);
    const tail = this.#tail + rest;
    this.#tail = tail.slice(Math.max(0, tail.length - this.#delimiter.length + 1));
    return answers;
  }

  /** The received part of an answer that is not complete. */
  get unfinished(): string {
    if (this.#pieces.length > 1) this.#pieces = [this.#pieces.join('')];
    return this.#pieces[0] ?? '';
  }
}
