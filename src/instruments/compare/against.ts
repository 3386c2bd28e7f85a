/** Compares this run with a stored one: is any variant slower, or costlier, than before? */
import { basename } from 'node:path';
import { type FigureName, findingsOf, starves } from './findings.ts';
import { type ComparePlan, type Variant, variantKey, variantsOf } from './plan.ts';
import type { Cell, Figures, Run } from './result.ts';
import { type Interval, mean, unpairedRatio } from './statistics.ts';
import {
  CLAIM,
  disturbed,
  isDisturbed,
  undisturbedOf,
  type Verdict,
  verdictOf,
} from './verdict.ts';

/** One figure of a variant: its ratio now to then. */
interface Change {
  readonly variant: Variant;
  readonly figure: FigureName;
  readonly interval: Interval | null;
  readonly verdict: Verdict;
  /** True if it makes `mondo compare --against` exit with code 3. */
  readonly isRegression: boolean;
}

export interface Against {
  /** Start of the stored run, in ms since 1970. */
  readonly storedAt: number;
  readonly changes: readonly Change[];
  /** Variants that leave connections unanswered now and did not then. They are regressions too. */
  readonly starving: readonly Variant[];
  /** Variants that only one of the two runs has. */
  readonly unmatched: number;
  /** Hints for the reader: another machine, or all variants changed alike. */
  readonly notes: readonly string[];
}

const FIGURES = ['rate', 'p99', 'cpu'] as const;
/**
 * From which ratio a change is a regression. The rule is that of all verdicts: 10 % or more, with
 * the whole interval on one side of 1. The p99 varies more by itself, so its change counts from 25
 * %.
 */
const CLAIMS: Readonly<Record<(typeof FIGURES)[number], number>> = {
  rate: CLAIM,
  cpu: CLAIM,
  p99: 1.25,
};
/**
 * If the mean of all ratios differs from 1 by more than this factor, all variants changed together.
 */
const COMMON_CHANGE = 1.1;

export function againstOf(
  now: Pick<Run, 'plan' | 'cells' | 'environment'>,
  then: Pick<Run, 'plan' | 'cells' | 'environment' | 'startedAt'>,
): Against {
  const stored = Map.groupBy(then.cells, ({ variant }) => variantKey(variant));
  const present = Map.groupBy(now.cells, ({ variant }) => variantKey(variant));
  const pairs = variantsOf(now.plan).flatMap((variant) => {
    const [cells, old] = [present, stored].map((all) => all.get(variantKey(variant)));
    return cells === undefined || old === undefined ? [] : [{ variant, cells, old }];
  });
  const changes = pairs.flatMap(({ variant, cells, old }) =>
    FIGURES.map((figure) => changeOf(variant, figure, cells, old)),
  );
  const rates = changes.flatMap(({ figure, interval }) =>
    figure === 'rate' && interval !== null && interval.ratio > 0 ? [Math.log(interval.ratio)] : [],
  );
  return {
    storedAt: then.startedAt,
    changes,
    starving: pairs
      .filter(({ cells, old }) => leavesOut(cells) && !leavesOut(old))
      .map(({ variant }) => variant),
    unmatched: present.size + stored.size - 2 * pairs.length,
    notes: [...environmentNotes(now, then), ...togetherNote(rates)],
  };
}

export const regressionsOf = ({ changes, starving }: Against): number =>
  changes.filter(({ isRegression }) => isRegression).length + starving.length;

/** True if other programs disturbed all figures, so that no regression could be found. */
export const isUnjudged = ({ changes }: Against): boolean => {
  const known = changes.filter(({ verdict }) => verdict !== 'none');
  return known.length > 0 && known.every(({ verdict }) => verdict === 'disturbed');
};

function changeOf(
  variant: Variant,
  figure: (typeof FIGURES)[number],
  cells: readonly Cell[],
  old: readonly Cell[],
): Change {
  const [now, then] = [cells, old].map((all) => undisturbedOf(good(all), isDisturbed));
  const [a, b] = [valuesOf(now!.rounds, figure), valuesOf(then!.rounds, figure)];
  const interval = silenced(a, b) ?? unpairedRatio(a, b);
  const all = verdictOf(interval, CLAIMS[figure]);
  const verdict = now!.isEnough && then!.isEnough ? all : disturbed(all, interval);
  const worse = figure === 'rate' ? 'less' : 'more';
  return { variant, figure, interval: interval ?? null, verdict, isRegression: verdict === worse };
}

/** A ratio of 0 if there were answers then and none now; otherwise undefined. */
function silenced(now: readonly number[], then: readonly number[]): Interval | undefined {
  const isSilenced = now.length > 0 && now.every((a) => a === 0) && then.some((b) => b > 0);
  return isSilenced
    ? { ratio: 0, low: 0, high: 0, rounds: Math.min(now.length, then.length) }
    : undefined;
}

const good = (cells: readonly Cell[]) =>
  cells.flatMap(({ state, figures }) => (state === 'good' && figures !== null ? [figures] : []));

const valuesOf = (figures: readonly Figures[], figure: FigureName): number[] =>
  figures.map((one) => one[figure]).filter((value) => value !== null);

const leavesOut = (cells: readonly Cell[]): boolean => {
  const all = good(cells);
  return all.filter(starves).length * 2 > all.length;
};

/**
 * Why two runs cannot be compared. Every setting that influences the figures must be the same. The
 * rounds, their order, and the set of variants may differ.
 */
export function whyUnlike(now: ComparePlan, then: ComparePlan): string | undefined {
  const service = ({ service: url }: ComparePlan) =>
    url === null ? 'the Zen questions' : basename(url);
  const settings: readonly (readonly [string, (plan: ComparePlan) => unknown])[] = [
    ['measured time in s', (plan) => plan.seconds],
    ['warm-up in s', (plan) => plan.warmUp],
    ['threads', (plan) => plan.threads ?? 'by default'],
    ['processes', (plan) => plan.processes ?? 'by default'],
    ['service', service],
    ['cores', (plan) => (plan.pinned ? 'pinned' : 'not pinned')],
  ];
  for (const [what, of] of settings) {
    if (of(now) !== of(then)) return `${what}: ${of(now)} now, ${of(then)} then`;
  }
  const questions = ({ framing, exchanges }: ComparePlan) => JSON.stringify([framing, exchanges]);
  if (questions(now) !== questions(then)) return 'the questions differ';
  return undefined;
}

function environmentNotes(
  { environment: now }: Pick<Run, 'environment'>,
  { environment: then }: Pick<Run, 'environment'>,
): string[] {
  if (now === null || then === null) return [];
  const names = ['cpu', 'cores', 'kernel', 'node', 'mondo', 'engine', 'platform'] as const;
  const different = names
    .filter((name) => now[name] !== then[name])
    .map((name) => `${name} ${now[name]}, then ${then[name]}`);
  if (different.length === 0) return [];
  return [`The machine or the versions differ: ${different.join('; ')}`];
}

function togetherNote(logs: readonly number[]): string[] {
  if (logs.length < 3) return [];
  const all = Math.exp(mean(logs));
  if (all < COMMON_CHANGE && all > 1 / COMMON_CHANGE) return [];
  return [
    `Over all variants the rate is ${all.toFixed(2)} times what it was: if all variants change together, the machine may be the reason`,
  ];
}

/**
 * Reads a stored run from the text of a file.
 *
 * @throws Error that says what the text is instead
 */
export function storedRunOf(text: string): Run {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new Error(`it is not JSON (${(error as Error).message})`);
  }
  const { schema, cells, plan } = (value ?? {}) as Partial<Run & { schema: string }>;
  if (schema !== 'mondo-compare-1' || !Array.isArray(cells) || plan === undefined) {
    const what = typeof schema === 'string' ? `it is a "${schema}"` : 'it has no "schema"';
    throw new Error(`${what}; name a file that mondo compare --json has written`);
  }
  const run = value as Run;
  try {
    findingsOf(run);
  } catch {
    throw new Error('its cells are not those of a comparison; it may have been changed by hand');
  }
  return run;
}
