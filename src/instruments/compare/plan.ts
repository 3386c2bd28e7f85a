/**
 * What a comparison measures, as data: which architectures, under which conditions, how many times.
 */
import type { Exchange, Framing } from '../load/plan.ts';
import { planOf } from '../load/schema.ts';
import { MIN_ROUNDS } from './verdict.ts';

/** A condition under which all architectures are measured. */
export interface Condition {
  /** Connections that ask. Each asks its next question after its answer. */
  readonly connections: number;
  /** Time that the server takes for each answer, in ms. */
  readonly think: number;
  /**
   * `block`: an answer holds the thread; `defer`: the loop's timer waits. Always `block` if `think`
   * is 0.
   */
  readonly thinkHow: 'block' | 'defer';
  /** Clients that connect before the load and say nothing. */
  readonly silent: number;
}

/** One architecture under one condition. Each round measures it once. */
export interface Variant extends Condition {
  readonly architecture: string;
}

export interface ComparePlan {
  readonly architectures: readonly string[];
  /** The architecture that the others are compared with. */
  readonly reference: string;
  readonly conditions: readonly Condition[];
  /** How many times each variant is measured. */
  readonly rounds: number;
  /** Measured time per cell, and warm-up before it, in s. */
  readonly seconds: number;
  readonly warmUp: number;
  /** For architectures with an adjustable number; null: the default of each. */
  readonly threads: number | null;
  readonly processes: number | null;
  /** URL of the service's module; null: the Zen questions. */
  readonly service: string | null;
  readonly framing: Framing;
  readonly exchanges: readonly Exchange[];
  /** Seed of the order of the variants. */
  readonly seed: number;
  /** True to run server and load on separate cores, if there are at least two. */
  readonly pinned: boolean;
  /** Limit for the duration, in s. A round begins only if it can end in time. 0: no limit. */
  readonly longest: number;
}

/** The values from which a user makes conditions. Every combination is one condition. */
export interface Axes {
  readonly connections: readonly number[];
  readonly think: readonly number[];
  readonly thinkHow: readonly ('block' | 'defer')[];
  readonly silent: readonly number[];
}

/** All combinations, each once. If `think` is 0, `thinkHow` makes no difference. */
export function conditionsOf({ connections, think, thinkHow, silent }: Axes): Condition[] {
  const all = unique(think).flatMap((ms) =>
    (ms === 0 ? (['block'] as const) : unique(thinkHow)).flatMap((how) =>
      unique(silent).flatMap((quiet) =>
        unique(connections).map((count) => ({
          connections: count,
          think: ms,
          thinkHow: how,
          silent: quiet,
        })),
      ),
    ),
  );
  return all.toSorted(
    (a, b) =>
      a.think - b.think ||
      a.thinkHow.localeCompare(b.thinkHow) ||
      a.silent - b.silent ||
      a.connections - b.connections,
  );
}

/** The values that occur in some conditions. */
export const axesOf = (conditions: readonly Condition[]): Axes => ({
  connections: unique(conditions.map(({ connections }) => connections)),
  think: unique(conditions.map(({ think }) => think)),
  thinkHow: unique(conditions.map(({ thinkHow }) => thinkHow)),
  silent: unique(conditions.map(({ silent }) => silent)),
});

export const defaultAxes: Axes = {
  connections: [1, 10, 100, 1000],
  think: [0],
  thinkHow: ['block'],
  silent: [0, 4],
};

/** Architectures whose differences teach something, and few enough for one chart. */
const defaultArchitectures = [
  ...['single', 'threaded', 'prefork', 'poll', 'epoll', 'uring', 'callback', 'coroutine'],
] as const;

const { framing, exchanges } = planOf({});

/** The default comparison, which takes a quarter of an hour. */
export const defaultPlan: ComparePlan = {
  architectures: defaultArchitectures,
  reference: 'epoll',
  conditions: conditionsOf(defaultAxes),
  rounds: 5,
  seconds: 1,
  warmUp: 0.5,
  threads: null,
  processes: null,
  service: null,
  framing,
  exchanges,
  seed: 1,
  pinned: true,
  longest: 0,
};

/**
 * The changes of `--quick`: the most informative matrix for one minute, with as many rounds as fit.
 */
export const quick = {
  architectures: ['single', 'threaded', 'epoll', 'uring', 'callback'],
  conditions: [
    ...conditionsOf({ connections: [1, 64], think: [0], thinkHow: ['block'], silent: [0] }),
    // Silent clients at the condition where they harm most.
    ...conditionsOf({ connections: [64], think: [0], thinkHow: ['block'], silent: [4] }),
  ],
  rounds: 6,
  seconds: 0.3,
  warmUp: 0.1,
  // The rest of the minute is for starting and for the report.
  longest: 56,
} as const;

/**
 * Time of a cell besides its measured time and warm-up, in s: start of a server, connecting, and
 * the end.
 */
const OVERHEAD = 0.4;
const PER_CONNECTION = 0.0003;

export const variantsOf = ({ architectures, conditions }: ComparePlan): Variant[] =>
  conditions.flatMap((condition) =>
    architectures.map((architecture) => ({ architecture, ...condition })),
  );

/** Average duration of a cell, in s. */
export function cellSeconds({ seconds, warmUp, conditions }: ComparePlan): number {
  const connections = conditions.reduce((sum, one) => sum + one.connections + one.silent, 0);
  return seconds + warmUp + OVERHEAD + (PER_CONNECTION * connections) / conditions.length;
}

/** Expected duration of the whole plan, in s. */
export function estimatedSeconds(plan: ComparePlan, variants: number): number {
  const all = variants * plan.rounds * cellSeconds(plan);
  return plan.longest > 0 ? Math.min(all, plan.longest) : all;
}

/** Names a condition in files and maps. */
export const conditionKey = ({ connections, think, thinkHow, silent }: Condition): string =>
  `${connections} connections, think ${think} ms ${thinkHow}, ${silent} silent`;

export const variantKey = (variant: Variant): string =>
  `${variant.architecture}, ${conditionKey(variant)}`;

function unique<T>(values: readonly T[]): T[] {
  return [...new Set(values)];
}

/** On a busy machine the rounds that a verdict needs may take this many times the limit on time. */
const EXTENDED = 5;

/** The limit on time for a round, in s; 0: none. Without the rounds that a verdict needs the whole run would say nothing. */
export const longestUntil = (round: number, longest: number): number =>
  round <= MIN_ROUNDS ? EXTENDED * longest : longest;

/**
 * Whether the next round may begin. For the first rounds: whether all that a verdict needs fit into their time. If they
 * do not, the run stops at once.
 *
 * @param elapsed time since the start, in s
 * @param lastRound time that the last round took, in s; 0 before the first
 */
export function hasTimeFor(
  round: number,
  { elapsed, lastRound, longest }: Readonly<Record<'elapsed' | 'lastRound' | 'longest', number>>,
): boolean {
  const rounds = Math.max(1, MIN_ROUNDS - round + 1);
  return longest === 0 || elapsed + rounds * lastRound <= longestUntil(round, longest);
}
