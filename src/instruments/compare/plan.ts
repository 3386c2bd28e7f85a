/** What a comparison is to do, as data: which architectures, under which conditions, how often. */
import type { Exchange, Framing } from '../load/plan.ts';
import { planOf } from '../load/schema.ts';

/** What all architectures are measured under in turn. */
export interface Condition {
  /** Connections that ask, each its next question after its answer. */
  readonly connections: number;
  /** What each answer costs the server, in ms. */
  readonly think: number;
  /** Whether that holds the thread, or is left to the loop's timers. Always `block` where `think` is 0. */
  readonly thinkHow: 'block' | 'defer';
  /** Clients that have connected before and say nothing. */
  readonly silent: number;
}

/** One architecture under one condition: what is measured once in every round. */
export interface Variant extends Condition {
  readonly architecture: string;
}

export interface ComparePlan {
  readonly architectures: readonly string[];
  /** The one that the others are compared with. */
  readonly reference: string;
  readonly conditions: readonly Condition[];
  /** How often every variant is measured. */
  readonly rounds: number;
  /** Measured time of each, in s, and time before it that is not counted. */
  readonly seconds: number;
  readonly warmUp: number;
  /** Of architectures whose number is adjustable; null: what each has by default. */
  readonly threads: number | null;
  readonly processes: number | null;
  /** URL of the service's module; null: the Zen questions. */
  readonly service: string | null;
  readonly framing: Framing;
  readonly exchanges: readonly Exchange[];
  /** Of the order in which variants are visited. */
  readonly seed: number;
  /** Server and load on cores of their own, where there are two. */
  readonly pinned: boolean;
  /** No round begins that would not be over after so many s; 0: no such limit. */
  readonly longest: number;
}

/** What a user may choose conditions by: every combination is one. */
export interface Axes {
  readonly connections: readonly number[];
  readonly think: readonly number[];
  readonly thinkHow: readonly ('block' | 'defer')[];
  readonly silent: readonly number[];
}

/** All combinations, each once: without thinking, how it is done makes no difference. */
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

/** The values that are in some conditions. */
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

/** Those whose difference is a lesson; no more than can be told apart in one picture. */
const defaultArchitectures = [
  ...['single', 'threaded', 'prefork', 'poll', 'epoll', 'uring', 'callback', 'coroutine'],
] as const;

const { framing, exchanges } = planOf({});

/** What is compared where nothing is said: a quarter of an hour. */
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

/** What `--quick` changes: the matrix that shows most in a minute, and as many rounds of it as there is time for. */
export const quick = {
  architectures: ['single', 'threaded', 'epoll', 'uring', 'callback'],
  conditions: [
    ...conditionsOf({ connections: [1, 64], think: [0], thinkHow: ['block'], silent: [0] }),
    // Silent clients where there is most to lose.
    ...conditionsOf({ connections: [64], think: [0], thinkHow: ['block'], silent: [4] }),
  ],
  rounds: 6,
  seconds: 0.3,
  warmUp: 0.1,
  // What is left of a minute is for starting and for the report.
  longest: 56,
} as const;

/** How long a cell takes besides its measured time and warm-up, in s: a server starts, clients connect, all end. */
const OVERHEAD = 0.4;
const PER_CONNECTION = 0.0003;

export const variantsOf = ({ architectures, conditions }: ComparePlan): Variant[] =>
  conditions.flatMap((condition) =>
    architectures.map((architecture) => ({ architecture, ...condition })),
  );

/** Of one measurement, on average, in s. */
export function cellSeconds({ seconds, warmUp, conditions }: ComparePlan): number {
  const connections = conditions.reduce((sum, one) => sum + one.connections + one.silent, 0);
  return seconds + warmUp + OVERHEAD + (PER_CONNECTION * connections) / conditions.length;
}

/** Of the whole plan, in s. */
export function estimatedSeconds(plan: ComparePlan, variants: number): number {
  const all = variants * plan.rounds * cellSeconds(plan);
  return plan.longest > 0 ? Math.min(all, plan.longest) : all;
}

/** Names a condition on files and in maps. */
export const conditionKey = ({ connections, think, thinkHow, silent }: Condition): string =>
  `${connections} connections, think ${think} ms ${thinkHow}, ${silent} silent`;

export const variantKey = (variant: Variant): string =>
  `${variant.architecture}, ${conditionKey(variant)}`;

function unique<T>(values: readonly T[]): T[] {
  return [...new Set(values)];
}
