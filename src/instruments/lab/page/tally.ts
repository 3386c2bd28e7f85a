/** The hands of a class: how many are for each choice. Pure. */

export interface Tally {
  /** One for each choice. */
  readonly counts: readonly number[];
  readonly isRevealed: boolean;
}

export const emptyTally = (choices: number): Tally => ({
  counts: Array.from({ length: choices }, () => 0),
  isRevealed: false,
});

/** `a` to `d` adds a hand, with shift it takes one away, and `r` reveals. Other keys change nothing. */
export function pressed(tally: Tally, key: string, hasShift: boolean): Tally {
  const letter = key.toLowerCase();
  if (letter === 'r') return { ...tally, isRevealed: true };
  const choice = letter.length === 1 ? letter.charCodeAt(0) - 97 : -1;
  const count = tally.counts[choice];
  if (count === undefined) return tally;
  return { ...tally, counts: tally.counts.with(choice, Math.max(0, count + (hasShift ? -1 : 1))) };
}

export const total = ({ counts }: Tally): number => counts.reduce((sum, count) => sum + count, 0);

/** Share of the largest choice that each has: lengths of bars, from 0 to 1. */
export function barsOf({ counts }: Tally): readonly number[] {
  const most = Math.max(1, ...counts);
  return counts.map((count) => count / most);
}
