/** When a difference is one: the rule by which all verdicts are given. */
import type { Interval } from './statistics.ts';

/** With fewer rounds there is no verdict: one or two say nothing of how much the rounds differ. */
export const MIN_ROUNDS = 3;
/**
 * No smaller difference is claimed. On a machine that does other things too, where a process happens to lie in
 * memory and which core the kernel picks move figures by several percent in a whole run, and that no interval sees.
 */
export const CLAIM = 1.1;

/**
 * For the same reason the interval has to keep clear of 1 by this much. It halves the claims that are chance: of
 * simulated comparisons of things that differ by 5 % or not at all, it leaves 3 in 100 (verdict.test.ts).
 */
const CLEAR = 1.05;

/**
 * - `more` and `less`: the whole interval lies 5 % or more to one side of 1, and the ratio 10 % or more;
 * - `alike`: the whole interval lies within 10 % of 1, so what difference there may be is none to choose by;
 * - `unclear`: neither; more rounds or a quieter machine would tell;
 * - `none`: fewer than three rounds, or nothing to compare.
 */
export type Verdict = 'more' | 'less' | 'alike' | 'unclear' | 'none';

/** @param claim from which ratio on a difference is claimed */
export function verdictOf(interval: Interval | undefined, claim = CLAIM): Verdict {
  if (interval === undefined || interval.rounds < MIN_ROUNDS) return 'none';
  const { ratio, low, high } = interval;
  if (low >= CLEAR && ratio >= claim) return 'more';
  if (high <= 1 / CLEAR && ratio <= 1 / claim) return 'less';
  return low >= 1 / claim && high <= claim ? 'alike' : 'unclear';
}
