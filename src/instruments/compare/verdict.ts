/** The rule for all verdicts: when a difference counts. */
import { type Interval, spreadOf } from './statistics.ts';

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
 * On a machine with much other work the figures of a whole run shift by as much as the rounds differ. So the ratio must
 * also be this many times as far from 1 as one round's ratio typically is from the mean. Few rounds show their spread
 * badly and need more. Of comparisons of two identical servers, with noise of 20 to 40 %, 2 in 100 then make a claim
 * and not 4 to 8 (verdict.test.ts).
 */
const spreadsNeeded = (rounds: number): number => (rounds < 4 ? 4 : rounds < 5 ? 3 : 2);

/**
 * - `more` and `less`: the whole interval is 5 % or more to one side of 1, and the ratio 10 % or
 *   more, and far from 1 in relation to the spread of the rounds;
 * - `alike`: the whole interval is within 10 % of 1, so a remaining difference is too small to
 *   choose by;
 * - `unclear`: neither; more rounds or a quieter machine would tell;
 * - `disturbed`: other programs disturbed the rounds, and fewer than three are left;
 * - `none`: fewer than three rounds, or nothing to compare.
 */
export type Verdict = 'more' | 'less' | 'alike' | 'unclear' | 'disturbed' | 'none';

/**
 * Share of the machine's processors from which on other programs disturb a measurement. A server that shares a
 * processor with them becomes slower in each round, and some architectures much more than others: no interval over the
 * rounds shows that.
 */
const DISTURBED = 0.25;

export const isDisturbed = ({ othersCpu = 0 }: { readonly othersCpu?: number }): boolean =>
  othersCpu >= DISTURBED;

/**
 * The rounds that a verdict may use, and whether they suffice: the undisturbed ones if there are enough, otherwise all,
 * which then say nothing.
 */
export function undisturbedOf<T>(
  rounds: readonly T[],
  isBad: (round: T) => boolean,
): { readonly rounds: readonly T[]; readonly isEnough: boolean } {
  const calm = rounds.filter((round) => !isBad(round));
  const isEnough = calm.length >= MIN_ROUNDS || calm.length === rounds.length;
  return { rounds: isEnough ? calm : rounds, isEnough };
}

/** Ratios that other programs alone do not cause. They caused ratios of 33 (docs/measuring.md, Verdicts). */
const BEYOND_DISTURBANCE = 100;

/** The verdict of disturbed rounds: only no answers at all, or an extreme ratio, remains a finding. */
export function disturbed(verdict: Verdict, interval: Interval | undefined): Verdict {
  if (verdict === 'none' || interval === undefined) return verdict;
  const { low, high } = interval;
  const isExtreme = low >= BEYOND_DISTURBANCE || high <= 1 / BEYOND_DISTURBANCE;
  return isExtreme ? verdict : 'disturbed';
}

/** @param claim smallest ratio that is claimed as a difference */
export function verdictOf(interval: Interval | undefined, claim = CLAIM): Verdict {
  if (interval === undefined || interval.rounds < MIN_ROUNDS) return 'none';
  const { ratio, low, high, rounds } = interval;
  // No answers at all: a ratio of 0 in every round.
  if (ratio === 0) return 'less';
  const isFar = Math.abs(Math.log(ratio)) >= spreadsNeeded(rounds) * spreadOf(interval);
  if (!isFar) return low >= 1 / claim && high <= claim ? 'alike' : 'unclear';
  if (low >= MARGIN && ratio >= claim) return 'more';
  if (high <= 1 / MARGIN && ratio <= 1 / claim) return 'less';
  return low >= 1 / claim && high <= claim ? 'alike' : 'unclear';
}
