/** What the cells of a run come to: figures of each variant, and differences with their intervals and verdicts. */
import { type Condition, conditionKey, type Variant, variantKey } from './plan.ts';
import type { Cell, Figures, Run } from './result.ts';
import { type Interval, type Level, levelOf, pairedRatio } from './statistics.ts';
import { MIN_ROUNDS, type Verdict, verdictOf } from './verdict.ts';

/** What variants are compared by. */
const figureNames = ['rate', 'p50', 'p99', 'cpu', 'switches', 'memory'] as const;
export type FigureName = (typeof figureNames)[number];

/** One variant over its good rounds. */
export interface Row {
  readonly variant: Variant;
  /** How many rounds were measured, and how many of these were good. */
  readonly measured: number;
  readonly rounds: number;
  readonly levels: Readonly<Record<FigureName, Level | null>>;
  /** Connections that got no answer. */
  readonly neverAnswered: Level | null;
  /** True if in most rounds connections were left out while others were answered, or if nobody was. */
  readonly starves: boolean;
  readonly fairness: Level | null;
  /** True if the load was at its limit in most rounds: the server may be faster than its rate says. */
  readonly loadBound: boolean;
  /** How often questions and connections ended otherwise, over all rounds. */
  readonly troubles: Readonly<Record<string, number>>;
  /** Why rounds were not good. */
  readonly doubts: readonly string[];
}

export interface Difference {
  readonly figure: FigureName;
  readonly of: Variant;
  readonly to: Variant;
  /** Null where there is nothing to compare: too few rounds, or nobody was answered. */
  readonly interval: Interval | null;
  readonly verdict: Verdict;
}

export interface Findings {
  readonly rows: readonly Row[];
  /** Every architecture against the reference, under the same condition. */
  readonly differences: readonly Difference[];
  /** Every architecture with silent clients against itself without them. */
  readonly silence: readonly Difference[];
  /** Variants of which too few rounds can be trusted, a sentence each: the run is not to be trusted either. */
  readonly doubts: readonly string[];
}

/** From this share of its core on the load counts as at its limit. */
const AT_LIMIT = 0.95;

/** Who was answered so often had its turn again and again; a connection with no answer meanwhile is left out, and not just late. */
const AGAIN = 5;

/** Connections without an answer, though there was time for one: where the time is short, some are just not yet served. */
export const starves = ({ neverAnswered, mostAnswers, answers }: Figures): boolean =>
  neverAnswered > 0 && (mostAnswers >= AGAIN || answers === 0);

export function findingsOf(run: Pick<Run, 'plan' | 'cells'>): Findings {
  const cells = new Map(
    [...Map.groupBy(run.cells, ({ variant }) => variantKey(variant))].map(([key, own]) => [
      key,
      { variant: own[0]!.variant, own },
    ]),
  );
  const rows = [...cells.values()]
    .map(({ variant, own }) => rowOf(variant, own))
    .sort(byPlan(run.plan));
  const compare = (of: Variant, to: Variant) =>
    figureNames.map((figure) =>
      differenceOf(figure, of, to, cells.get(variantKey(of))!.own, cells.get(variantKey(to))!.own),
    );
  const find = (variant: Variant) => cells.get(variantKey(variant))?.variant;
  return {
    rows,
    differences: rows.flatMap(({ variant }) => {
      const to = find({ ...variant, architecture: run.plan.reference });
      const isSelf = variant.architecture === run.plan.reference;
      return to === undefined || isSelf ? [] : compare(variant, to);
    }),
    silence: rows.flatMap(({ variant }) => {
      const to = find({ ...variant, silent: 0 });
      return to === undefined || variant.silent === 0 ? [] : compare(variant, to);
    }),
    doubts: [
      ...rows.flatMap((row) => doubtOf(row, run.plan.rounds)),
      ...(rows.length > 0 && rows.every(({ levels }) => (levels.rate?.most ?? 0) === 0)
        ? [
            'Nobody was answered by any of them: see whether the questions are those of this service',
          ]
        : []),
    ],
  };
}

/** One figure of two variants, from the rounds in which both are good. */
export function differenceOf(
  figure: FigureName,
  of: Variant,
  to: Variant,
  cellsOf: readonly Cell[],
  cellsTo: readonly Cell[],
): Difference {
  const others = new Map(goodOnes(cellsTo).map(({ round, figures }) => [round, figures]));
  const pairs = goodOnes(cellsOf).flatMap(({ round, figures }) => {
    const [a, b] = [figures[figure], others.get(round)?.[figure] ?? null];
    return a === null || b === null ? [] : [[a, b] as const];
  });
  const interval = intervalOf(pairs);
  return { figure, of, to, interval: interval ?? null, verdict: verdictOf(interval) };
}

/** Nothing against something is a ratio of 0, and no interval could say more; it has no logarithm. */
function intervalOf(pairs: readonly (readonly [number, number])[]): Interval | undefined {
  const isNothing = pairs.length > 0 && pairs.every(([a, b]) => a === 0 && b > 0);
  return isNothing ? { ratio: 0, low: 0, high: 0, rounds: pairs.length } : pairedRatio(pairs);
}

const goodOnes = (cells: readonly Cell[]): { round: number; figures: Figures }[] =>
  cells.flatMap(({ state, round, figures }) =>
    state === 'good' && figures !== null ? [{ round, figures }] : [],
  );

function rowOf(variant: Variant, cells: readonly Cell[]): Row {
  const good = goodOnes(cells).map(({ figures }) => figures);
  const level = (of: (figures: Figures) => number | null) =>
    levelOf(good.map(of).filter((value) => value !== null)) ?? null;
  const troubles: Record<string, number> = {};
  for (const { figures } of cells) {
    for (const [name, count] of Object.entries(figures?.troubles ?? {})) {
      troubles[name] = (troubles[name] ?? 0) + count;
    }
  }
  const bound = good.filter(({ loadCpu }) => loadCpu >= AT_LIMIT).length;
  return {
    variant,
    measured: cells.length,
    rounds: good.length,
    levels: {
      rate: level(({ rate }) => rate),
      p50: level(({ p50 }) => p50),
      p99: level(({ p99 }) => p99),
      cpu: level(({ cpu }) => cpu),
      switches: level(({ switches }) => switches),
      memory: level(({ memory }) => memory),
    },
    neverAnswered: level(({ neverAnswered }) => neverAnswered),
    starves: good.filter(starves).length * 2 > good.length,
    fairness: level(({ fairness }) => fairness),
    loadBound: bound * 2 > good.length,
    troubles,
    doubts: [...new Set(cells.flatMap(({ reasons }) => reasons))],
  };
}

/** A run that was to have fewer rounds than a verdict takes is measured by what it was to have. */
function doubtOf(row: Row, planned: number): string[] {
  const needed = Math.min(MIN_ROUNDS, planned, row.measured);
  if (row.rounds >= needed) return [];
  const why = row.doubts.length > 0 ? `: ${row.doubts[0]}` : '';
  return [
    `${variantKey(row.variant)}: ${row.rounds} of ${row.measured} rounds are to be trusted${why}`,
  ];
}

/** Conditions in the order of the plan, architectures within them. */
function byPlan({ conditions, architectures }: Run['plan']) {
  const places = new Map(conditions.map((condition, i) => [conditionKey(condition), i]));
  const placeOf = (condition: Condition) => places.get(conditionKey(condition)) ?? 0;
  return (a: Row, b: Row) =>
    placeOf(a.variant) - placeOf(b.variant) ||
    architectures.indexOf(a.variant.architecture) - architectures.indexOf(b.variant.architecture);
}
