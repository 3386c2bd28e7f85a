/** Load runs made from a list of answers, without a socket: a complete run, and its parts. */
import type { Histogram } from 'hdr-histogram-js';
import { OUTCOMES } from '../../src/instruments/load/batch.ts';
import { encode, newHistogram } from '../../src/instruments/load/histograms.ts';
import type { LoadPlan } from '../../src/instruments/load/plan.ts';
import type { LoadResult, Outcomes, ServerSide } from '../../src/instruments/load/result.ts';
import { planOf } from '../../src/instruments/load/schema.ts';
import {
  type ConnectionStates,
  type Run,
  resultOf,
  type SecondState,
  type State,
} from '../../src/instruments/load/state.ts';
import { stepOf } from '../../src/instruments/load/steps.ts';
import { rateRatioOf } from '../../src/instruments/load/validity.ts';

/** An answer: its connection, the second in which it arrived, and its times in ms. */
export interface Sample {
  readonly connection: number;
  readonly second: number;
  readonly service: number;
  readonly response: number;
}

export interface Made {
  readonly plan?: Partial<LoadPlan>;
  readonly seconds?: number;
  readonly startedAt?: number;
  readonly outcomes?: Partial<Outcomes>;
  readonly connectErrors?: LoadResult['connectErrors'];
  readonly validity?: Partial<LoadResult['validity']>;
  readonly server?: ServerSide | null;
}

const NS = 1e6;

const adding = (all: readonly number[]): Histogram => {
  const one = newHistogram();
  for (const ms of all) one.recordValue(Math.round(ms * NS));
  return one;
};
const rowOf = (ms: number) => Math.floor(4 * (Math.log2(ms) + 10));

export function runOf(samples: readonly Sample[], made: Made = {}): Run {
  const plan = planOf({ connections: 8, ...made.plan });
  const seconds = made.seconds ?? 3;
  const answered = samples.length - (made.outcomes?.late ?? 0);
  const outcomes: Partial<Outcomes> = { answered, ...made.outcomes };
  const mine = Array.from({ length: plan.connections }, (_, i) => i).filter(
    (connection) => connection % plan.shard.of === plan.shard.index - 1,
  );
  const bySecond = Map.groupBy(samples, ({ second }) => second);
  const state: State = {
    startedAt: made.startedAt ?? 1_764_000_000_000,
    plan,
    seconds,
    outcomes: OUTCOMES.map((name) => outcomes[name] ?? 0),
    connectErrors: made.connectErrors ?? {},
    inTime: samples.length,
    bytesSent: samples.length * 25,
    bytesReceived: samples.length * 7,
    opened: mine.length,
    series: Array.from({ length: seconds }, (_, at) => secondOf(at, bySecond.get(at) ?? [], plan)),
    connections: connectionsOf(samples, mine),
  };
  const result = resultOf(state, ({ totals }) => ({
    validity: {
      trusted: (made.validity?.reasons ?? []).length === 0,
      reasons: [],
      notes: [],
      interrupted: false,
      lag: plan.loop === 'open' ? { p50: 0.01, p99: 0.1, max: 0.2 } : null,
      cpu: 0.5,
      stalls: { share: 0, longest: 0 },
      rateRatio: rateRatioOf(totals),
      ...made.validity,
    },
    server: made.server ?? null,
    environment: {
      platform: 'linux x64',
      kernel: '6.1.0',
      cpu: 'Some processor',
      cores: 2,
      node: 'v26.0.0',
      mondo: '0.1.0',
      engine: 'uring',
      descriptorLimit: 1024,
      somaxconn: 4096,
    },
  }));
  return { result, state };
}

function secondOf(at: number, samples: readonly Sample[], { connections }: LoadPlan): SecondState {
  const rows = Map.groupBy(samples, ({ response }) => rowOf(response));
  const encoded = (which: 'service' | 'response') =>
    samples.length === 0 ? {} : { [which]: encode(adding(samples.map((one) => one[which]))) };
  return {
    at,
    seconds: 1,
    isMeasured: true,
    ...encoded('service'),
    ...encoded('response'),
    heat: [...rows].map(([row, all]) => [row, all.length] as const).sort(([a], [b]) => a - b),
    errors: 0,
    inFlight: 1,
    waiting: 2,
    open: connections,
    starved: 0,
    lag: 0.1,
    cpu: 0.5,
  };
}

function connectionsOf(samples: readonly Sample[], mine: readonly number[]): ConnectionStates {
  const answers = Map.groupBy(samples, ({ connection }) => connection);
  const each = mine.map((connection) => (answers.get(connection) ?? []).map((one) => one.response));
  return {
    number: Int32Array.from(mine),
    answers: Int32Array.from(each, ({ length }) => length),
    firstAnswer: Float64Array.from(each, ([first]) => first ?? Number.NaN),
    asked: new Uint8Array(mine.length).fill(1),
    p99: Int16Array.from(each, (all) => {
      const sorted = all.toSorted((a, b) => a - b);
      return all.length === 0 ? -1 : stepOf(sorted[Math.ceil(0.99 * all.length) - 1]!);
    }),
  };
}

/** The server's figures, a sample for each second. */
export const serverSide = (seconds: number): ServerSide => ({
  pid: 4711,
  totals: {
    cpuSeconds: seconds * 0.8,
    cpuMicrosecondsPerAnswer: 12.5,
    switches: seconds * 300,
    switchesPerAnswer: 0.25,
    peakMemory: 90 * 2 ** 20,
  },
  samples: Array.from({ length: seconds }, (_, i) => ({
    at: i + 1,
    cpu: 0.8,
    switches: 300,
    processes: 2,
    threads: 14,
    memory: (80 + i) * 2 ** 20,
    descriptors: 90,
    acceptQueue: i % 3,
  })),
});
