/** Questions to a learner or a class: before a run, after it, and for a vote. No Node and no DOM in here. */

export interface Choices {
  readonly text: string;
  /** Two to four. */
  readonly choices: readonly string[];
  /** Index of the right one. */
  readonly right: number;
}

interface Amount {
  readonly text: string;
  /** As it stands behind the number: `s`, `%`, `MiB`. */
  readonly unit: string;
  /** Greatest number that can be right. */
  readonly most: number;
  /** A guess is close if it differs by no more than this share of what was measured, … */
  readonly share: number;
  /** … or by no more than this. */
  readonly least: number;
}

export type Question = Choices | Amount;

export const isChoices = (question: Question): question is Choices => 'choices' in question;

export const letterOf = (choice: number): string => String.fromCharCode(65 + choice);

/** Whether a learner can give this answer: the index of a choice, or a number from 0. */
export const isAnswer = (question: Question, value: number): boolean =>
  isChoices(question)
    ? Number.isInteger(value) && value >= 0 && value < question.choices.length
    : value >= 0 && value <= question.most;

/** Whether a guess agrees with what was measured. */
export const isClose = (question: Question, guess: number, measured: number): boolean =>
  isChoices(question)
    ? guess === measured
    : Math.abs(guess - measured) <= Math.max(question.least, question.share * measured);

/** `B: only with single`, `5.2 s`. */
export const answerText = (question: Question, value: number): string =>
  isChoices(question)
    ? `${letterOf(value)}: ${question.choices[value]}`
    : `${Number(value.toPrecision(value < 1 ? 1 : 3)).toLocaleString('en')} ${question.unit}`;
