/**
 * The counts of a run in a form that can be added: the sum over all shards is the state of the
 * whole plan. This file alone computes the figures of a result, both for a single run and for a
 * sum.
 */
import type { Histogram } from 'hdr-histogram-js';
import { type ErrorCounts, OUTCOMES, type Outcome } from './batch.ts';
import { decode, latencyOf, newHistogram } from './histograms.ts';
import { type LoadPlan, measuredSeconds, warmUpSeconds } from './plan.ts';
import type { Connections, HeatMap, LoadResult, Second } from './result.ts';
import { wantedBetween } from './schedule.ts';
import { LEAST, middleOf } from './steps.ts';

/** Rows of the heat map per doubling. */
export const HEAT_STEPS = 4;
/** Limit for the connections that a result lists one by one. */
const LISTED = 1000;
/** The first outcomes describe questions; the rest describe attempts to connect. */
const QUESTION_OUTCOMES = 9;

export interface State {
  /** When the measured time began, in ms since 1970. */
  readonly startedAt: number;
  readonly plan: LoadPlan;
  /** Length of the measured time, in s. */
  readonly seconds: number;
  /** Counts, in the order of `OUTCOMES`. */
  readonly outcomes: readonly number[];
  /** The attempts to connect that ended as `connectFailed`, by the name of the error. */
  readonly connectErrors: ErrorCounts;
  /** Answers that arrived in the measured time. */
  readonly inTime: number;
  readonly bytesSent: number;
  readonly bytesReceived: number;
  /** How many times a connection was opened. */
  readonly opened: number;
  /** In order. One entry after the measured time holds the answers that arrived then. */
  readonly series: readonly SecondState[];
  readonly connections: ConnectionStates;
}

/** The counts of one second. */
export interface SecondState extends Gauges {
  /** Its start, in s since the measured time began, and its length. */
  readonly at: number;
  readonly seconds: number;
  /** False for the time after the measured time. */
  readonly isMeasured: boolean;
  /** Histograms of its answers, in the form of `Latency.hdr`; undefined without answers. */
  readonly service?: string;
  readonly response?: string;
  /** Pairs of a heat map row and its answers; row 0 begins at 2 ** LEAST ms. */
  readonly heat: readonly (readonly [row: number, count: number])[];
}

/** The gauges of a second, as in `Second`. */
type Gauges = Pick<Second, 'errors' | 'inFlight' | 'waiting' | 'open' | 'starved' | 'lag' | 'cpu'>;

/** All connections as columns, in the order of their numbers in the plan. */
export interface ConnectionStates {
  readonly number: Int32Array;
  readonly answers: Int32Array;
  /** In ms, as `Connections.firstAnswer`; NaN if there was none. */
  readonly firstAnswer: Float64Array;
  /** 1 if it had an open question in the measured time. */
  readonly asked: Uint8Array;
  /** Step of the p99 of response time; -1 without answers. */
  readonly p99: Int16Array;
}

/** The part of a result that is computed from a state. */
export type Counted = Pick<
  LoadResult,
  | 'seconds'
  | 'totals'
  | 'outcomes'
  | 'connectErrors'
  | 'service'
  | 'response'
  | 'series'
  | 'heat'
  | 'connections'
>;

/**
 * The result of a run, and the state it was computed from, which can be added to others.
 *
 * @example
 * ```ts
 * import { planOf, type Run, runLoad } from 'mondo';
 *
 * const run: Run = await runLoad(planOf({ connections: 10 }));
 * console.log(run.result.outcomes);
 * ```
 */
export interface Run {
  readonly result: LoadResult;
  readonly state: State;
}

/** The part of a result that is not computed from a state. */
type Known = Pick<LoadResult, 'validity' | 'server' | 'environment'>;

export function resultOf(state: State, known: (counted: Counted) => Known): LoadResult {
  const { startedAt, plan } = state;
  const counted = figuresOf(state);
  return { schema: 'mondo-load-1', startedAt, plan, ...counted, ...known(counted) };
}

/**
 * Average questions per second for these connections between two times of the measured time, in s.
 */
export function wantedRate(
  plan: LoadPlan,
  connections: number,
  from: number,
  to: number,
): number | null {
  if (plan.loop === 'closed') return null;
  const warmUp = warmUpSeconds(plan);
  if (to <= from) return 0;
  const wanted = wantedBetween(plan.stages, warmUp + from, warmUp + to) / (to - from);
  return (connections / plan.connections) * wanted;
}

export const sum = (numbers: Iterable<number>): number => {
  let total = 0;
  for (const one of numbers) total += one;
  return total;
};

export function addedErrors(all: readonly ErrorCounts[]): ErrorCounts {
  const sums: Record<string, number> = {};
  for (const [name, count] of all.flatMap(Object.entries<number>)) {
    sums[name] = (sums[name] ?? 0) + count;
  }
  return sums;
}

/** All outcomes except right answers, in time or late. */
export const errorsIn = (outcomes: Int32Array | readonly number[]): number =>
  sum(outcomes.slice(2));

export function figuresOf(state: State): Counted {
  const { plan, seconds, outcomes, inTime, bytesSent, bytesReceived, connections } = state;
  const { connectErrors } = state;
  const share = connections.number.length;
  const all = { service: newHistogram(), response: newHistogram() };
  const measured = state.series.filter(({ isMeasured }) => isMeasured);
  const series: Second[] = [];
  for (const second of state.series) {
    // One by one, because the decoded histograms of an hour take a gigabyte.
    const service = histogramOf(second.service);
    const response = histogramOf(second.response);
    all.service.add(service);
    all.response.add(response);
    if (second.isMeasured) series.push(secondOf(second, plan, share, service, response));
  }
  return {
    seconds,
    totals: {
      questions: sum(outcomes.slice(0, QUESTION_OUTCOMES)),
      answers: outcomes[0]! + outcomes[1]!,
      rate: seconds > 0 ? inTime / seconds : 0,
      wantedRate: seconds > 0 ? wantedRate(plan, share, 0, seconds) : null,
      errors: errorsIn(outcomes),
      bytesSent,
      bytesReceived,
    },
    outcomes: Object.fromEntries(OUTCOMES.map((name, i) => [name, outcomes[i]!])) as Record<
      Outcome,
      number
    >,
    connectErrors,
    service: latencyOf(all.service),
    response: latencyOf(all.response),
    series,
    heat: heatOf(measured),
    connections: connectionsOf(state),
  };
}

const histogramOf = (encoded: string | undefined): Histogram =>
  encoded === undefined ? newHistogram() : decode(encoded);

function secondOf(
  { at, seconds, errors, inFlight, waiting, open, starved, lag, cpu }: SecondState,
  plan: LoadPlan,
  connections: number,
  service: Histogram,
  response: Histogram,
): Second {
  const count = response.totalCount;
  const percentile = (histogram: Histogram, of: number) =>
    count === 0 ? null : histogram.getValueAtPercentile(of) / 1e6;
  return {
    at,
    seconds,
    rate: count / seconds,
    wantedRate: wantedRate(plan, connections, at, Math.min(at + 1, measuredSeconds(plan))),
    p50: percentile(response, 50),
    p99: percentile(response, 99),
    max: percentile(response, 100),
    serviceP50: percentile(service, 50),
    serviceP99: percentile(service, 99),
    errors,
    inFlight,
    waiting,
    open,
    starved,
    lag,
    cpu,
  };
}

function heatOf(series: readonly SecondState[]): HeatMap {
  const columns = series.map(({ at }) => at);
  let [first, last] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const { heat } of series) {
    for (const [row] of heat) [first, last] = [Math.min(first, row), Math.max(last, row)];
  }
  const length = last < first ? 0 : last - first + 1;
  return {
    columns,
    rows: Array.from({ length }, (_, i) => 2 ** (LEAST + (first + i) / HEAT_STEPS)),
    counts: series.map(({ heat }) => {
      const counts = new Array<number>(length).fill(0);
      for (const [row, count] of heat) counts[row - first]! += count;
      return counts;
    }),
  };
}

function connectionsOf({ opened, connections }: State): Connections {
  const { number, answers, firstAnswer, asked, p99 } = connections;
  const { length } = number;
  const sorted = answers.toSorted();
  const firsts = firstAnswer.filter((ms) => !Number.isNaN(ms)).sort();
  // The first of several with the same p99.
  const worst = p99.reduce((at, step, i) => (step > (p99[at] ?? -1) ? i : at), 0);
  const every = Math.ceil(length / LISTED);
  const p99At = (i: number) => (p99[i]! < 0 ? null : middleOf(p99[i]!));
  const each = [];
  for (let i = 0; i < length; i += every) {
    each.push({
      connection: number[i]!,
      answers: answers[i]!,
      firstAnswer: Number.isNaN(firstAnswer[i]!) ? null : firstAnswer[i]!,
      p99: p99At(i),
    });
  }
  return {
    count: length,
    opened,
    neverAnswered: answers.filter((count, i) => count === 0 && asked[i] === 1).length,
    fairness: jain(answers),
    answers: { least: sorted[0] ?? 0, median: middle(sorted) ?? 0, most: sorted.at(-1) ?? 0 },
    firstAnswer:
      firsts.length === 0
        ? null
        : {
            median: middle(firsts)!,
            p99: firsts[Math.ceil(firsts.length * 0.99) - 1]!,
            max: firsts.at(-1)!,
          },
    worst:
      length === 0 || p99[worst]! < 0
        ? null
        : { connection: number[worst]!, p99: middleOf(p99[worst]!), answers: answers[worst]! },
    each,
  };
}

const middle = (sorted: Int32Array | Float64Array): number | undefined =>
  sorted[sorted.length >> 1];

/**
 * Jain's index: the square of the sum over n times the sum of squares. It is 1 if all shares are
 * equal, 1/n if one has all, and null if all are 0. Jain, Chiu, Hawe, DEC-TR-301 (1984)
 */
export function jain(shares: ArrayLike<number> & Iterable<number>): number | null {
  let squares = 0;
  for (const share of shares) squares += share * share;
  return squares === 0 ? null : sum(shares) ** 2 / (shares.length * squares);
}
