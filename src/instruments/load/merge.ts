/**
 * Adds the shards of one plan to one run. The states of the shards are added, and the figures are
 * computed from the sum, as for a single run. Our own lag and loop load cannot be added: they are
 * those of the worst shard. If a shard is missing or not trusted, the whole is not trusted.
 */
import { ServeError } from '../../host/errors.ts';
import { several } from '../report/figures.ts';
import { decode, encode, newHistogram } from './histograms.ts';
import type { LoadPlan } from './plan.ts';
import type { ServerSide, Validity } from './result.ts';
import {
  addedErrors,
  type ConnectionStates,
  type Counted,
  type Run,
  resultOf,
  type SecondState,
  type State,
  sum as total,
} from './state.ts';
import { rateRatioOf } from './validity.ts';

/** The run of one shard, and the name of its file. */
export interface Part {
  readonly name: string;
  readonly run: Run;
}

/**
 * Largest difference between the starts of the shards, in ms. If it is larger, they did not run as
 * one load.
 */
const MOST_START_SPREAD = 1000;

/** @throws ServeError if they are not shards of one plan, or if one shard appears twice */
export function merged(parts: readonly Part[]): Run {
  const [first] = parts;
  if (first === undefined)
    throw new ServeError('usage', 'Cannot merge: no file is named; name one or more');
  checkShards(parts);
  const state = added(parts.map(({ run }) => run.state));
  const result = resultOf(state, (counted) => ({
    validity: mergedValidity(parts, counted),
    server: mergedServer(parts, state.inTime),
    environment: first.run.result.environment,
  }));
  return { result, state };
}

/** Adds the states of several shards of one plan. */
function added(states: readonly State[]): State {
  const startedAt = Math.min(...states.map((state) => state.startedAt));
  const { shard: _, ...plan } = states[0]!.plan;
  const add = (of: (state: State) => number) => sum(states, of);
  return {
    startedAt,
    plan: { ...plan, shard: { index: 1, of: 1 } },
    seconds: most(states, ({ seconds }) => seconds),
    outcomes: states[0]!.outcomes.map((_count, i) => add(({ outcomes }) => outcomes[i]!)),
    connectErrors: addedErrors(states.map(({ connectErrors }) => connectErrors)),
    inTime: add(({ inTime }) => inTime),
    bytesSent: add(({ bytesSent }) => bytesSent),
    bytesReceived: add(({ bytesReceived }) => bytesReceived),
    opened: add(({ opened }) => opened),
    series: addedSeries(states, startedAt),
    connections: addedConnections(states.map(({ connections }) => connections)),
  };
}

function addedSeries(states: readonly State[], start: number): SecondState[] {
  const together = Map.groupBy(
    states.flatMap(({ series, startedAt }) => {
      // Shards with a common start differ by a few ms, so their whole seconds are matched.
      const by = Math.round((startedAt - start) / 1000);
      return series.map((second) => ({ ...second, at: second.at + by }));
    }),
    // Keys in whole ms, because equal times may differ by rounding.
    ({ at }) => Math.round(at * 1000),
  );
  return [...together].sort(([a], [b]) => a - b).map(([, seconds]) => addedSecond(seconds));
}

function addedSecond(all: readonly SecondState[]): SecondState {
  const measured = all.filter(({ isMeasured }) => isMeasured);
  const add = (of: (second: SecondState) => number) => sum(measured, of);
  const heat = Map.groupBy(
    all.flatMap((one) => one.heat),
    ([row]) => row,
  );
  return {
    at: all[0]!.at,
    seconds: most(measured.length > 0 ? measured : all, ({ seconds }) => seconds),
    isMeasured: measured.length > 0,
    ...histograms(all, 'service'),
    ...histograms(all, 'response'),
    heat: [...heat]
      .map(([row, counts]) => [row, sum(counts, ([, count]) => count)] as const)
      .sort(([a], [b]) => a - b),
    errors: sum(all, ({ errors }) => errors),
    inFlight: add(({ inFlight }) => inFlight),
    waiting: add(({ waiting }) => waiting),
    open: add(({ open }) => open),
    starved: add(({ starved }) => starved),
    lag: most(all, ({ lag }) => lag),
    cpu: most(all, ({ cpu }) => cpu),
  };
}

function histograms(all: readonly SecondState[], which: 'service' | 'response') {
  const encoded = all.flatMap((second) => second[which] ?? []);
  if (encoded.length <= 1) return encoded.length === 0 ? {} : { [which]: encoded[0]! };
  const both = newHistogram();
  for (const one of encoded) both.add(decode(one));
  return { [which]: encode(both) };
}

/** Joins each column of all shards, in the order of the connection numbers. */
function addedConnections(all: readonly ConnectionStates[]): ConnectionStates {
  const numbers = all.flatMap(({ number }) => [...number]);
  const order = [...numbers.keys()].sort((a, b) => numbers[a]! - numbers[b]!);
  const column = (name: keyof ConnectionStates) => {
    const values = all.flatMap((one) => [...one[name]]);
    return order.map((i) => values[i]!);
  };
  return {
    number: Int32Array.from(column('number')),
    answers: Int32Array.from(column('answers')),
    firstAnswer: Float64Array.from(column('firstAnswer')),
    asked: Uint8Array.from(column('asked')),
    p99: Int16Array.from(column('p99')),
  };
}

/**
 * Plan fields that may differ between shards: where a shard ran, what it watched, and how it
 * reached the server.
 */
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

const sum = <T>(all: readonly T[], of: (one: T) => number): number => total(all.map(of));
const most = <T>(all: readonly T[], of: (one: T) => number): number => Math.max(...all.map(of));

function mergedValidity(parts: readonly Part[], { totals }: Counted): Validity {
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
      `Shard ${missing.join(', ')} of ${of} is missing, so this is not all of the load; give its log, too.${lostNodes(parts)}`,
    );
  }
  const starts = parts.map(({ run }) => run.result.startedAt);
  const apart = Math.max(...starts) - Math.min(...starts);
  if (apart > MOST_START_SPREAD) {
    reasons.push(
      `Shards began ${(apart / 1000).toFixed(1)} s apart, so the load was never that of the plan; give each of them the same --start-at.`,
    );
  }
  if (of > 1) {
    notes.push(
      `Added from ${several(parts.length, 'shard')} that began within ${Math.round(apart)} ms; lag and the load of our own loop are those of the worst.`,
    );
  }
  notes.push(...differences(parts));
  const lags = shards.flatMap(({ lag }) => (lag === null ? [] : [lag]));
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
    rateRatio: rateRatioOf(totals),
  };
}

/** Names the nodes of a Slurm step from which no log came. */
function lostNodes(parts: readonly Part[]): string {
  const environments = parts.map(({ run }) => run.result.environment);
  const there = new Set(environments.map(({ host }) => host?.split('.')[0]));
  const nodes = new Set(environments.flatMap(({ nodes = [] }) => nodes));
  const lost = [...nodes].filter((node) => !there.has(node.split('.')[0]));
  return lost.length === 0 ? '' : ` No log came from ${lost.join(', ')}.`;
}

/** What tells the machines of the shards apart, and not their kinds. */
const NAMES: ReadonlySet<string> = new Set(['host', 'nodes']);

/** A note if the shards ran on different kinds of machines. */
function differences(parts: readonly Part[]): string[] {
  const { environment } = parts[0]!.run.result;
  const keys = (Object.keys(environment) as (keyof typeof environment)[]).filter(
    (key) =>
      !NAMES.has(key) && parts.some(({ run }) => run.result.environment[key] !== environment[key]),
  );
  if (keys.length === 0) return [];
  return [
    `The shards' machines differ in ${keys.join(', ')}; what is shown is that of "${parts[0]!.name}".`,
  ];
}

/**
 * Costs of the server, if all shards that watched one watched the same. Process numbers from
 * several machines may belong to different servers.
 */
function mergedServer(parts: readonly Part[], answers: number): ServerSide | null {
  const known = parts.flatMap(({ run }) => run.result.server ?? []);
  const [first] = known;
  if (first === undefined || known.some(({ pid }) => pid !== first.pid)) return null;
  const { cpuSeconds, switches } = first.totals;
  return {
    ...first,
    totals: {
      ...first.totals,
      cpuMicrosecondsPerAnswer: answers === 0 ? null : (cpuSeconds * 1e6) / answers,
      switchesPerAnswer: answers === 0 ? null : switches / answers,
    },
  };
}
