/** The rule for all verdicts: when a difference counts. */
import type { Interval } from './statistics.ts';

/**
 * With fewer rounds there is no verdict, because one or two rounds do not show how much rounds
 * vary.
 */
export const MIN_ROUNDS = 3;
/**
 * Smallest ratio that is claimed as a difference. On a machine with other work, figures of a whole
 * run shift by several percent. Causes are the position of a process in memory and the core that
 * the kernel picks. The interval cannot show such a shift.
 */
export const CLAIM = 1.1;

/**
 * For the same reason, the interval must stay away from 1 by this factor. It halves the number of
 * false claims. In simulated comparisons of variants that differ by at most 5 %, 3 in 100 remain
 * (verdict.test.ts).
 */
const MARGIN = 1.05;

/**
 * - `more` and `less`: the whole interval is 5 % or more to one side of 1, and the ratio 10 % or
 *   more;
 * - `alike`: the whole interval is within 10 % of 1, so a remaining difference is too small to
 *   choose by;
 * - `unclear`: neither; more rounds or a quieter machine would tell;
 * - `none`: fewer than three rounds, or nothing to compare.
 */
export type Verdict = 'more' | 'less' | 'alike' | 'unclear' | 'none';

/** @param claim smallest ratio that is claimed as a difference */
export function verdictOf(interval: Interval | undefined, claim = CLAIM): Verdict {
  if (interval === undefined || interval.rounds < MIN_ROUNDS) return 'none';
  const { ratio, low, high } = interval;
  if (low >= MARGIN && ratio >= claim) return 'more';
  if (high <= 1 / MARGIN && ratio <= 1 / claim) return 'less';
  return low >= 1 / claim && high <= claim ? 'alike' : 'unclear';
}
