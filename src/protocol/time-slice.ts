/**
 * How much of one peer is answered before others have their turn. Otherwise one write of thousands of slow
 * questions would hold up a whole loop until the last of them is answered.
 */

/** This number of questions … */
const QUESTIONS = 64;
/** … or this time, in ms, from the end of the first answer. The time of the first answer does not count. */
const LONGEST = 10;

/** One for all conversations of a thread, because only one of them is answered at a time. */
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
   * Call it before each question: true if the question must wait until others have had their turn. A look at the
   * clock costs as much as a cheap answer. So there is none for the first question, and from the fifth on one in
   * four.
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
