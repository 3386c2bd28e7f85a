/**
 * Conditions on a result, such as `p99>5ms`. A run fails if one is true (`failures`), or a server
 * must keep them (`broken`).
 */
import { ServeError } from '../../host/errors.ts';
import { MS_IN } from '../../limits/units.ts';
import { count, percent, time } from '../report/figures.ts';
import { decode } from './histograms.ts';
import type { LoadPlan } from './plan.ts';
import type { LoadResult } from './result.ts';
import { outcomeWords } from './words.ts';

type Kind = 'time' | 'count' | 'share' | 'number';

export interface Condition {
  /** The condition as the user wrote it. */
  readonly text: string;
  readonly metric: string;
  readonly comparison: '>' | '>=' | '<' | '<=';
  /** Times in ms, shares from 0 to 1. */
  readonly limit: number;
  readonly kind: Kind;
}

/** A condition with its outcome. */
export interface Checked {
  readonly condition: Condition;
  /** The measured value; null if there was nothing to measure. */
  readonly actual: number | null;
  /** True if the comparison holds; false if there was nothing to measure. */
  readonly isTrue: boolean;
}

const UNITS: Readonly<Record<string, { kind: Kind; factor: number }>> = {
  ns: { kind: 'time', factor: MS_IN.ns },
  us: { kind: 'time', factor: MS_IN.us },
  µs: { kind: 'time', factor: MS_IN.us },
  ms: { kind: 'time', factor: MS_IN.ms },
  s: { kind: 'time', factor: MS_IN.s },
  '%': { kind: 'share', factor: 0.01 },
};

interface Metric {
  readonly kinds: readonly Kind[];
  /** Reads the value in the unit of `Condition.limit` for this kind. */
  readonly read: (result: LoadResult, kind: Kind) => number | null;
}

const ofQuestions = (of: (result: LoadResult) => number): Metric => ({
  kinds: ['count', 'share'],
  read: (result, kind) => {
    if (kind === 'count') return of(result);
    const { questions } = result.totals;
    // Connecting can fail before any question is due: then there is no number to divide by.
    return of(result) === 0 ? 0 : of(result) / Math.max(questions, of(result));
  },
});

const figures: Readonly<Record<string, Metric>> = {
  errors: ofQuestions(({ totals }) => totals.errors),
  rate: { kinds: ['count'], read: ({ totals }) => totals.rate },
  'rate-ratio': { kinds: ['number', 'share'], read: ({ validity }) => validity.rateRatio },
  fairness: { kinds: ['number', 'share'], read: ({ connections }) => connections.fairness },
  'never-answered': {
    kinds: ['count', 'share'],
    read: ({ connections: { neverAnswered, count: all } }, kind) =>
      kind === 'count' ? neverAnswered : neverAnswered / Math.max(1, all),
  },
  starved: {
    kinds: ['count', 'share'],
    read: ({ series, connections }, kind) => {
      const most = Math.max(0, ...series.map((second) => second.starved));
      return kind === 'count' ? most : most / Math.max(1, connections.count);
    },
  },
  'first-answer': {
    kinds: ['time'],
    read: ({ connections }) => connections.firstAnswer?.max ?? null,
  },
  ...Object.fromEntries(
    outcomeWords
      .filter(([key]) => key !== 'answered')
      .map(([key, name]) => [name, ofQuestions(({ outcomes }) => outcomes[key])]),
  ),
};

/** `p999` and `p99.9` are both 99.9 %. `p5` and `p05` are both 5 %. */
function percentileNamed(name: string): number | undefined {
  if (name === 'p100') return 100;
  const [, digits, decimals] = /^p(\d{1,2})(?:\.?(\d{1,4}))?$/.exec(name) ?? [];
  if (digits === undefined) return undefined;
  return Number(`${digits}.${decimals ?? 0}`);
}

function metricNamed(name: string): Metric | undefined {
  const known = Object.hasOwn(figures, name) ? figures[name] : undefined;
  if (known !== undefined) return known;
  const [, of = 'response', which = ''] = /^(?:(response|service)\.)?(.+)$/.exec(name) ?? [];
  const latencyOf = (result: LoadResult) => result[of as 'response' | 'service'];
  if (which === 'max' || which === 'mean' || which === 'min') {
    return {
      kinds: ['time'],
      read: (result) => (latencyOf(result).count === 0 ? null : latencyOf(result)[which]),
    };
  }
  const percentile = percentileNamed(which);
  if (percentile === undefined) return undefined;
  return {
    kinds: ['time'],
    read: (result) => {
      const { count: all, hdr } = latencyOf(result);
      return all === 0 ? null : decode(hdr).getValueAtPercentile(percentile) / 1e6;
    },
  };
}

const THERE_IS = `there are p50 … p9999, min, mean, max (of response time; service.p99 … of service time), ${Object.keys(figures).join(', ')}`;

const example: Readonly<Record<Kind, string>> = {
  time: '5ms, 500us or 1s',
  count: 'a number',
  share: 'a share such as 0.1%',
  number: 'a number such as 0.9',
};

/** @throws ServeError in one line that lists the metrics */
export function parseCondition(text: string): Condition {
  const complaint = (what: string) => new ServeError('usage', `Condition "${text}": ${what}`);
  const [, metric, comparison, digits, unit = ''] =
    /^\s*([a-z][a-z0-9.-]*)\s*(>=|<=|>|<)\s*(\d+(?:\.\d+)?)\s*([a-zµ%]*)\s*$/.exec(text) ?? [];
  if (metric === undefined || digits === undefined) {
    throw complaint(
      'give NAME, then > or <, then a value, such as p99>5ms, errors>0.1% or rate<1000',
    );
  }
  const known = metricNamed(metric);
  if (known === undefined) throw complaint(`there is no "${metric}"; ${THERE_IS}`);
  const { kinds } = known;
  const fitting = kinds.map((kind) => example[kind]).join(' or ');
  const { kind, factor } = Object.hasOwn(UNITS, unit)
    ? UNITS[unit]!
    : { kind: undefined, factor: 1 };
  if (unit !== '' && kind === undefined) {
    throw complaint(`there is no unit "${unit}"; there are ${Object.keys(UNITS).join(', ')}`);
  }
  const meant = unit === '' ? kinds.find((one) => one === 'count' || one === 'number') : kind;
  if (meant === undefined || !kinds.includes(meant)) {
    throw complaint(`${metric} is compared with ${fitting}, and not with "${digits}${unit}"`);
  }
  return {
    text: text.trim(),
    metric,
    comparison: comparison as Condition['comparison'],
    limit: Number(digits) * factor,
    kind: meant,
  };
}

/** @throws ServeError if the plan has no value for a metric */
export function checkConditions(conditions: readonly Condition[], { loop }: LoadPlan): void {
  const bad = conditions.find(({ metric }) => metric === 'rate-ratio');
  if (loop === 'open' || bad === undefined) return;
  throw new ServeError(
    'usage',
    `Condition "${bad.text}": a closed loop has no wanted rate; give --rate, or compare "rate" with a number`,
  );
}

/** @returns for each condition, whether its comparison holds for this result */
export const check = (conditions: readonly Condition[], result: LoadResult): Checked[] =>
  conditions.map((condition) => {
    const { metric, comparison, limit, kind } = condition;
    const actual = metricNamed(metric)!.read(result, kind);
    return { condition, actual, isTrue: actual !== null && compare(actual, comparison, limit) };
  });

function compare(actual: number, comparison: Condition['comparison'], limit: number): boolean {
  switch (comparison) {
    case '>':
      return actual > limit;
    case '>=':
      return actual >= limit;
    case '<':
      return actual < limit;
    case '<=':
      return actual <= limit;
  }
}

/**
 * The conditions that fail a run. A condition without a measurement fails too: nothing shows that
 * the run was good.
 */
export const failures = (conditions: readonly Condition[], result: LoadResult): Checked[] =>
  check(conditions, result).filter(({ actual, isTrue }) => actual === null || isTrue);

/** The conditions that a result does not meet, where each one states what must hold. */
export const broken = (conditions: readonly Condition[], result: LoadResult): Checked[] =>
  check(conditions, result).filter(({ isTrue }) => !isTrue);

/** Formats a value in the unit of its condition. */
export function valueText(value: number | null, kind: Kind): string {
  if (value === null) return 'nothing was measured';
  if (kind === 'time') return time(value);
  if (kind === 'share') return percent(value);
  return kind === 'count' ? count(value) : String(Number(value.toPrecision(4)));
}

export const checkedText = ({ condition, actual }: Checked): string =>
  `${condition.text}: ${actual === null ? '' : `${condition.metric} is `}${valueText(actual, condition.kind)}`;
