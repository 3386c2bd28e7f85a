/**
 * Computes the findings of a run: the figures of each variant, and differences with intervals and
 * verdicts.
 */
import { type Condition, conditionKey, type Variant, variantKey } from './plan.ts';
import type { Cell, Figures, Run } from './result.ts';
import { type Interval, type Level, levelOf, pairedRatio } from './statistics.ts';
import {
  disturbed,
  isDisturbed,
  MIN_ROUNDS,
  undisturbedOf,
  type Verdict,
  verdictOf,
} from './verdict.ts';

/** The figures by which variants are compared. */
const figureNames = ['rate', 'p50', 'p99', 'cpu', 'switches', 'memory'] as const;
export type FigureName = (typeof figureNames)[number];

/** One variant over its good rounds. */
export interface Row {
  readonly variant: Variant;
  /** Rounds that were measured, and good ones among them. */
  readonly measured: number;
  readonly rounds: number;
  readonly levels: Readonly<Record<FigureName, Level | null>>;
  /** Connections without an answer. */
  readonly neverAnswered: Level | null;
  /**
   * True if in most rounds some connections starved while others were answered, or if there were no
   * answers.
   */
  readonly starves: boolean;
  readonly fairness: Level | null;
  /** True if the load was saturated in most rounds: the server may be faster than its rate says. */
  readonly loadBound: boolean;
  /** Questions and connections without an answer in time, by outcome, over all rounds. */
  readonly troubles: Readonly<Record<string, number>>;
  /** Why some rounds were not good. */
  readonly doubts: readonly string[];
}

export interface Difference {
  readonly figure: FigureName;
  readonly of: Variant;
  readonly to: Variant;
  /** Null if there is nothing to compare: too few rounds, or no answers. */
  readonly interval: Interval | null;
  readonly verdict: Verdict;
}

export interface Findings {
  readonly rows: readonly Row[];
  /** Every architecture compared with the reference, under the same condition. */
  readonly differences: readonly Difference[];
  /** Every architecture with silent clients compared with itself without them. */
  readonly silence: readonly Difference[];
  /**
   * Variants with too few trusted rounds, one sentence each. Then the run is not trusted either.
   */
  readonly doubts: readonly string[];
}

/** Share of its core from which the load counts as saturated. */
const AT_LIMIT = 0.95;

/**
 * If one connection got this many answers, each connection had time for one. A connection without
 * an answer then starved, and was not only late.
 */
const MANY_ANSWERS = 5;

/**
 * True if some connections got no answer although there was time for one. In a short run, some
 * connections are only late.
 */
export const starves = ({ neverAnswered, mostAnswers, answers }: Figures): boolean =>
  neverAnswered > 0 && (mostAnswers >= MANY_ANSWERS || answers === 0);

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
            'No architecture gave a right answer: check that the questions are those of this service',
          ]
        : []),
    ],
  };
}

/**
 * Compares one figure of two variants, over the rounds in which both are good. Rounds that other programs disturbed
 * count only if fewer than three others are left.
 */
export function differenceOf(
  figure: FigureName,
  of: Variant,
  to: Variant,
  cellsOf: readonly Cell[],
  cellsTo: readonly Cell[],
): Difference {
  const others = new Map(goodOnes(cellsTo).map(({ round, figures }) => [round, figures]));
  const pairs = goodOnes(cellsOf).flatMap(({ round, figures: own }) => {
    const other = others.get(round);
    const [a, b] = [own[figure], other?.[figure] ?? null];
    if (other === undefined || a === null || b === null) return [];
    // Other programs take processors, and no memory of the server.
    const isBad = figure !== 'memory' && (isDisturbed(own) || isDisturbed(other));
    return [{ pair: [a, b] as const, isBad }];
  });
  const { rounds, isEnough } = undisturbedOf(pairs, ({ isBad }) => isBad);
  const interval = intervalOf(rounds.map(({ pair }) => pair));
  const verdict = verdictOf(interval);
  return {
    ...{ figure, of, to, interval: interval ?? null },
    verdict: isEnough ? verdict : disturbed(verdict, interval),
  };
}

/**
 * If one side had no answers in any round, the ratio is 0. It has no logarithm, and so no interval.
 */
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

/** A run that was planned with fewer rounds than a verdict needs only has to reach its plan. */
function doubtOf(row: Row, planned: number): string[] {
  const needed = Math.min(MIN_ROUNDS, planned, row.measured);
  if (row.rounds >= needed) return [];
  const why = row.doubts.length > 0 ? `: ${row.doubts[0]}` : '';
  return [
    `${variantKey(row.variant)}: ${row.rounds} of ${row.measured} rounds can be trusted${why}`,
  ];
}

/** Sorts by condition in the order of the plan, and by architecture within each. */
function byPlan({ conditions, architectures }: Run['plan']) {
  const places = new Map(conditions.map((condition, i) => [conditionKey(condition), i]));
  const placeOf = (condition: Condition) => places.get(conditionKey(condition)) ?? 0;
  return (a: Row, b: Row) =>
    placeOf(a.variant) - placeOf(b.variant) ||
    architectures.indexOf(a.variant.architecture) - architectures.indexOf(b.variant.architecture);
}
