/**
 * How much one peer is answered before others have their turn. A write of thousands of questions, each of
 * which takes a while, would else hold up a whole loop until the last of them is answered.
 */

/** So many questions … */
const QUESTIONS = 64;
/** … or so long, in ms, from the end of the first answer: what that one took is not counted. */
const LONGEST = 10;

/** One for all conversations of a thread: only one of them is answered at a time. */
export class TimeSlice {
  readonly #clock: () => number;
  readonly #questions: number;
  #asked = 0;
  #since = 0;

  /** @param clock in ms */
  constructor(clock: () => number, questions = QUESTIONS) {
    this.#clock = clock;
    this.#questions = questions;
  }

  begin(): void {
    this.#asked = 0;
  }

  /**
   * Asked before each question: true if it is to wait until others have had their turn. A look at the clock
   * is as dear as a cheap answer, so there is none for the first question, and from the fifth on one in four.
   */
  isSpent(): boolean {
    const asked = ++this.#asked;
    if (asked > this.#questions) return true;
    if (asked === 1 || (asked > 5 && (asked & 3) !== 1)) return false;
    const now = this.#clock();
    if (asked === 2) this.#since = now;
    return now - this.#since >= LONGEST;
  }
}
