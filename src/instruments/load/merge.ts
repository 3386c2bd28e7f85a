/**
 * The shards of one plan as one run. Histograms and counts are added; what cannot be added exactly (our own lag, the
 * load of our loops) is that of the worst shard. A shard that is not trusted, or is missing, makes the whole not trusted.
 */
import type { Histogram } from 'hdr-histogram-js';
import { ServeError } from '../../host/errors.ts';
import { several } from '../report/figures.ts';
import { decode, encode, latencyOf, newHistogram } from './histograms.ts';
import type { LoadPlan } from './plan.ts';
import type {
  Connections,
  HeatMap,
  Interval,
  Latency,
  LoadResult,
  Outcomes,
  Run,
  Second,
  ServerSide,
  Totals,
  Validity,
} from './result.ts';

/** A shard's run, and the name of the file that has it. */
export interface Part {
  readonly name: string;
  readonly run: Run;
}

const NS_PER_MS = 1e6;
/** Shards that begin further apart than this, in ms, were not one load. */
const MOST_APART = 1000;

/** @throws ServeError where they are not shards of one plan, or one is there twice */
export function merged(parts: readonly Part[]): Run {
  const results = parts.map(({ run }) => run.result);
  const [first] = results;
  if (first === undefined) throw new ServeError('usage', 'Cannot add no files; name one or more');
  checkShards(parts);
  const startedAt = Math.min(...results.map((result) => result.startedAt));
  const placed = parts.map(({ run }) => ({
    run,
    by: secondsAfter(run.result.startedAt, startedAt),
  }));
  const { series, intervals } = mergedSeries(placed);
  const totals = mergedTotals(results);
  const { shard: _, ...plan } = first.plan;
  const result: LoadResult = {
    schema: 'mondo-load-1',
    startedAt,
    plan: { ...plan, shard: { index: 1, of: 1 } },
    seconds: most(results, ({ seconds }) => seconds),
    totals,
    outcomes: mergedOutcomes(results),
    service: mergedLatency(parts, 'service'),
    response: mergedLatency(parts, 'response'),
    series,
    heat: mergedHeat(placed, series),
    connections: mergedConnections(results),
    validity: mergedValidity(parts),
    server: mergedServer(results),
    environment: first.environment,
  };
  return { result, intervals };
}

type Placed = { readonly run: Run; readonly by: number };

/** Shards of a common start are some ms apart; whole seconds are what their lines can be put together by. */
const secondsAfter = (at: number, start: number) => Math.round((at - start) / 1000);

/** On the common time line, in whole ms, as what is added must meet. */
const placeOf = (at: number, by: number) => Math.round((at + by) * 1000);

/** What may differ from shard to shard: where it ran, what it watched, and how it reached the server. */
const OWN: readonly (keyof LoadPlan)[] = [
  'shard',
  'startAt',
  'pid',
  'engine',
  'host',
  'port',
  'maxLag',
];

function checkShards(parts: readonly Part[]): void {
  const [first] = parts;
  const byIndex = new Map<number, string>();
  for (const { name, run } of parts) {
    const { plan } = run.result;
    const firstPlan = first!.run.result.plan;
    for (const key of Object.keys(firstPlan) as (keyof LoadPlan)[]) {
      if (OWN.includes(key) || JSON.stringify(plan[key]) === JSON.stringify(firstPlan[key]))
        continue;
      throw new ServeError(
        'usage',
        `Cannot add "${name}" to "${first!.name}": their plans differ in ${key}; give the shards of one plan`,
      );
    }
    const { index, of } = plan.shard;
    if (of !== firstPlan.shard.of) {
      throw new ServeError(
        'usage',
        `Cannot add "${name}" to "${first!.name}": one is a shard of ${of}, the other of ${firstPlan.shard.of}`,
      );
    }
    const other = byIndex.get(index);
    if (other !== undefined) {
      throw new ServeError(
        'usage',
        `Cannot add "${name}" to "${other}": both are shard ${index}/${of}; give each shard once`,
      );
    }
    byIndex.set(index, name);
  }
}

const sum = <T>(all: readonly T[], of: (one: T) => number): number =>
  all.reduce((total, one) => total + of(one), 0);
const most = <T>(all: readonly T[], of: (one: T) => number): number => Math.max(...all.map(of));
/** Null where one of them has none. */
const sumOrNull = <T>(all: readonly T[], of: (one: T) => number | null): number | null =>
  all.some((one) => of(one) === null) ? null : sum(all, (one) => of(one)!);

function mergedTotals(results: readonly LoadResult[]): Totals {
  const add = (of: (totals: Totals) => number) => sum(results, ({ totals }) => of(totals));
  return {
    questions: add(({ questions }) => questions),
    answers: add(({ answers }) => answers),
    rate: add(({ rate }) => rate),
    wantedRate: sumOrNull(results, ({ totals }) => totals.wantedRate),
    errors: add(({ errors }) => errors),
    bytesSent: add(({ bytesSent }) => bytesSent),
    bytesReceived: add(({ bytesReceived }) => bytesReceived),
  };
}

function mergedOutcomes(results: readonly LoadResult[]): Outcomes {
  const keys = Object.keys(results[0]!.outcomes) as (keyof Outcomes)[];
  return Object.fromEntries(
    keys.map((key) => [key, sum(results, ({ outcomes }) => outcomes[key])]),
  ) as unknown as Outcomes;
}

/** Percentiles are never averaged: they are read from the sum. */
const mergedLatency = (parts: readonly Part[], which: 'service' | 'response'): Latency =>
  latencyOf(added(parts.map(({ run }) => run.result[which].hdr)));

/** What is of the same second. */
interface Together {
  readonly seconds: Second[];
  readonly intervals: Interval[];
}

function mergedSeries(placed: readonly Placed[]): { series: Second[]; intervals: Interval[] } {
  const places = new Map<number, Together>();
  const togetherAt = (place: number): Together => {
    const found = places.get(place) ?? { seconds: [], intervals: [] };
    places.set(place, found);
    return found;
  };
  for (const { run, by } of placed) {
    for (const one of run.result.series) togetherAt(placeOf(one.at, by)).seconds.push(one);
    for (const one of run.intervals) togetherAt(placeOf(one.at, by)).intervals.push(one);
  }
  const series: Second[] = [];
  const intervals: Interval[] = [];
  for (const [place, together] of [...places].sort(([a], [b]) => a - b)) {
    const at = place / 1000;
    // Added here and not all before: for an hour, that would be a gigabyte.
    const service = added(together.intervals.map((one) => one.service));
    const response = added(together.intervals.map((one) => one.response));
    if (together.intervals.length > 0) {
      intervals.push({
        at,
        seconds: most(together.intervals, ({ seconds }) => seconds),
        service: encode(service),
        response: encode(response),
      });
    }
    if (together.seconds.length > 0) {
      series.push(mergedSecond(at, together.seconds, { service, response }));
    }
  }
  return { series, intervals };
}

function added(all: readonly string[]): Histogram {
  const total = newHistogram();
  for (const one of all) total.add(decode(one));
  return total;
}

function mergedSecond(
  at: number,
  all: readonly Second[],
  { service, response }: { service: Histogram; response: Histogram },
): Second {
  const read = (one: Histogram, percentile: number) =>
    one.totalCount === 0 ? null : one.getValueAtPercentile(percentile) / NS_PER_MS;
  const maxima = all.flatMap(({ max }) => (max === null ? [] : [max]));
  return {
    at,
    seconds: most(all, (one) => one.seconds),
    rate: sum(all, (one) => one.rate),
    wantedRate: sumOrNull(all, (one) => one.wantedRate),
    p50: read(response, 50),
    p99: read(response, 99),
    max: maxima.length === 0 ? null : Math.max(...maxima),
    serviceP50: read(service, 50),
    serviceP99: read(service, 99),
    errors: sum(all, (one) => one.errors),
    inFlight: sum(all, (one) => one.inFlight),
    waiting: sum(all, (one) => one.waiting),
    open: sum(all, (one) => one.open),
    starved: sum(all, (one) => one.starved),
    lag: most(all, (one) => one.lag),
    cpu: most(all, (one) => one.cpu),
  };
}

/** Rows of a heat map to each doubling. */
const ROWS = 4;

/** Rows stand at the same times in all shards, but each shard has only those that it needs. */
function mergedHeat(placed: readonly Placed[], series: readonly Second[]): HeatMap {
  const columns = series.map(({ at }) => at);
  const columnAt = new Map(columns.map((at, i) => [placeOf(at, 0), i]));
  const all = placed.flatMap(({ run }) => run.result.heat.rows);
  if (all.length === 0) return { columns, rows: [], counts: columns.map(() => []) };
  const [least, largest] = [Math.min(...all), Math.max(...all)];
  const first = Math.round(ROWS * Math.log2(least));
  const rowOf = (row: number) => Math.round(ROWS * Math.log2(row)) - first;
  const rows = Array.from({ length: rowOf(largest) + 1 }, (_, i) => 2 ** ((first + i) / ROWS));
  const counts = columns.map(() => rows.map(() => 0));
  for (const { run, by } of placed) {
    const { heat } = run.result;
    heat.columns.forEach((column, i) => {
      const own = counts[columnAt.get(placeOf(column, by)) ?? -1];
      heat.rows.forEach((row, k) => {
        if (own !== undefined) own[rowOf(row)]! += heat.counts[i]![k]!;
      });
    });
  }
  return { columns, rows, counts };
}

/** As many connections as a result tells of one by one. */
const TOLD = 1000;

function mergedConnections(results: readonly LoadResult[]): Connections {
  const all = results.map(({ connections }) => connections);
  const each = all.flatMap((one) => one.each).sort((a, b) => a.connection - b.connection);
  const answers = each.map((one) => one.answers).sort((a, b) => a - b);
  const firsts = each.flatMap(({ firstAnswer }) => (firstAnswer === null ? [] : [firstAnswer]));
  firsts.sort((a, b) => a - b);
  const longest = all.flatMap(({ firstAnswer }) => (firstAnswer === null ? [] : [firstAnswer.max]));
  const worst = all.flatMap((one) => (one.worst === null ? [] : [one.worst]));
  // Of equals the first, as a run of the whole names it.
  worst.sort((a, b) => b.p99 - a.p99 || a.connection - b.connection);
  const step = Math.ceil(each.length / TOLD);
  return {
    count: sum(all, (one) => one.count),
    opened: sum(all, (one) => one.opened),
    neverAnswered: sum(all, (one) => one.neverAnswered),
    fairness: mergedFairness(results),
    answers: {
      least: Math.min(...all.map((one) => one.answers.least)),
      median: answers[answers.length >> 1] ?? 0,
      most: most(all, (one) => one.answers.most),
    },
    firstAnswer:
      longest.length === 0
        ? null
        : {
            median: firsts[firsts.length >> 1] ?? 0,
            p99: firsts[Math.max(0, Math.ceil(firsts.length * 0.99) - 1)] ?? 0,
            max: Math.max(...longest),
          },
    worst: worst[0] ?? null,
    each: each.filter((_, i) => i % step === 0),
  };
}

/** Jain's index is (Σx)² / (n · Σx²): from each shard's, its sum and its number of connections follow its squares. */
function mergedFairness(results: readonly LoadResult[]): number | null {
  let squares = 0;
  for (const { connections, totals } of results) {
    const { fairness, count } = connections;
    if (fairness !== null) squares += totals.answers ** 2 / (count * fairness);
  }
  const answers = sum(results, ({ totals }) => totals.answers);
  const n = sum(results, ({ connections }) => connections.count);
  return squares === 0 ? null : answers ** 2 / (n * squares);
}

function mergedValidity(parts: readonly Part[]): Validity {
  const shards = parts.map(({ run }) => ({ ...run.result.validity, shard: run.result.plan.shard }));
  const { of } = shards[0]!.shard;
  const said = (which: 'reasons' | 'notes') =>
    shards.flatMap((one) =>
      one[which].map((text) => (of === 1 ? text : `Shard ${one.shard.index}: ${text}`)),
    );
  const notes = said('notes');
  const reasons = said('reasons');
  const there = new Set(shards.map(({ shard }) => shard.index));
  const missing = Array.from({ length: of }, (_, i) => i + 1).filter((index) => !there.has(index));
  if (missing.length > 0) {
    reasons.push(
      `Shard ${missing.join(', ')} of ${of} is missing, so this is not all of the load; give its log, too.`,
    );
  }
  const starts = parts.map(({ run }) => run.result.startedAt);
  const apart = Math.max(...starts) - Math.min(...starts);
  if (apart > MOST_APART) {
    reasons.push(
      `Shards began ${(apart / 1000).toFixed(1)} s apart, so the load was never that of the plan; give them all the same --start-at.`,
    );
  }
  if (of > 1) {
    notes.push(
      `Added from ${several(parts.length, 'shard')} that began within ${Math.round(apart)} ms; lag and the load of our own loop are those of the worst.`,
    );
  }
  notes.push(...differences(parts));
  const lags = shards.flatMap(({ lag }) => (lag === null ? [] : [lag]));
  const wanted = parts.map(({ run }) => run.result.totals.wantedRate);
  const reached = sumOrNull(
    shards.map((one, i) => one.rateRatio && wanted[i] && one.rateRatio * wanted[i]!),
    (one) => one ?? null,
  );
  return {
    trusted: reasons.length === 0 && shards.every(({ trusted }) => trusted),
    reasons,
    notes,
    interrupted: shards.some(({ interrupted }) => interrupted),
    lag:
      lags.length === 0
        ? null
        : {
            p50: most(lags, ({ p50 }) => p50),
            p99: most(lags, ({ p99 }) => p99),
            max: most(lags, ({ max }) => max),
          },
    cpu: most(shards, ({ cpu }) => cpu),
    stalls: {
      share: most(shards, ({ stalls }) => stalls.share),
      longest: most(shards, ({ stalls }) => stalls.longest),
    },
    rateRatio: reached && reached / sum(wanted, (one) => one ?? 0),
  };
}

/** Where the shards did not run on machines that are alike. */
function differences(parts: readonly Part[]): string[] {
  const { environment } = parts[0]!.run.result;
  const keys = (Object.keys(environment) as (keyof typeof environment)[]).filter((key) =>
    parts.some(({ run }) => run.result.environment[key] !== environment[key]),
  );
  if (keys.length === 0) return [];
  return [
    `The shards' machines differ in ${keys.join(', ')}; what is shown is that of "${parts[0]!.name}".`,
  ];
}

/** Of one server, whoever watched it; nobody can tell whether the processes of several machines are one server. */
function mergedServer(results: readonly LoadResult[]): ServerSide | null {
  const known = results.flatMap(({ server }) => (server === null ? [] : [server]));
  const [first] = known;
  if (first === undefined || known.some(({ pid }) => pid !== first.pid)) return null;
  const { cpuSeconds, switches } = first.totals;
  // In the measured time, as the costs are.
  const answers = sum(results, ({ totals, seconds }) => totals.rate * seconds);
  return {
    ...first,
    totals: {
      ...first.totals,
      cpuMicrosecondsPerAnswer: answers === 0 ? null : (cpuSeconds * 1e6) / answers,
      switchesPerAnswer: answers === 0 ? null : switches / answers,
    },
  };
}
