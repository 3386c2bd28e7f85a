/** Runs of load made from a list of answers, without a socket: the whole of one, and its parts. */
import type { Histogram } from 'hdr-histogram-js';
import { encode, latencyOf, newHistogram } from '../../src/instruments/load/histograms.ts';
import { type LoadPlan, planOf } from '../../src/instruments/load/plan.ts';
import type {
  LoadResult,
  Outcomes,
  Run,
  Second,
  ServerSide,
} from '../../src/instruments/load/result.ts';

/** An answer: on which connection, in which second it arrived, and its times in ms. */
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
  readonly validity?: Partial<LoadResult['validity']>;
  readonly server?: ServerSide | null;
}

const NS = 1e6;
const FIRST_ROW = 2 ** -10;

const adding = (all: readonly number[]): Histogram => {
  const one = newHistogram();
  for (const ms of all) one.recordValue(Math.round(ms * NS));
  return one;
};
const sum = (all: readonly number[]) => all.reduce((a, b) => a + b, 0);
const rowOf = (ms: number) => Math.floor(4 * Math.log2(ms / FIRST_ROW));

export function runOf(samples: readonly Sample[], made: Made = {}): Run {
  const plan = planOf({ connections: 8, ...made.plan });
  const length = made.seconds ?? 3;
  const isOpen = plan.loop === 'open';
  const wanted = isOpen ? (plan.stages.at(-1)!.from ?? 0) / plan.shard.of : null;
  const times = (which: 'service' | 'response', at?: number) =>
    samples.filter(({ second }) => at === undefined || second === at).map((one) => one[which]);
  const series = Array.from({ length }, (_, at): Second => {
    const own = { service: adding(times('service', at)), response: adding(times('response', at)) };
    const { totalCount: count } = own.response;
    const read = (one: Histogram, percentile: number) =>
      count === 0 ? null : one.getValueAtPercentile(percentile) / NS;
    return {
      at,
      seconds: 1,
      rate: count,
      wantedRate: wanted,
      p50: read(own.response, 50),
      p99: read(own.response, 99),
      max: read(own.response, 100),
      serviceP50: read(own.service, 50),
      serviceP99: read(own.service, 99),
      errors: 0,
      inFlight: 1,
      waiting: 2,
      open: plan.connections,
      starved: 0,
      lag: 0.1,
      cpu: 0.5,
    };
  });
  const outcomes = { ...noOutcomes, answered: samples.length, ...made.outcomes };
  const errors = sum(Object.values(outcomes)) - outcomes.answered - outcomes.late;
  const mine = Array.from({ length: plan.connections }, (_, i) => i).filter(
    (connection) => connection % plan.shard.of === plan.shard.index - 1,
  );
  const rows = [...new Set(samples.map(({ response }) => rowOf(response)))].sort((a, b) => a - b);
  const result: LoadResult = {
    schema: 'mondo-load-1',
    startedAt: made.startedAt ?? 1_764_000_000_000,
    plan,
    seconds: length,
    totals: {
      questions: samples.length,
      answers: samples.length,
      rate: length === 0 ? 0 : samples.length / length,
      wantedRate: wanted,
      errors,
      bytesSent: samples.length * 25,
      bytesReceived: samples.length * 7,
    },
    outcomes,
    service: latency(times('service')),
    response: latency(times('response')),
    series,
    heat: {
      columns: series.map(({ at }) => at),
      rows: rows.map((row) => FIRST_ROW * 2 ** (row / 4)),
      counts: series.map(({ at }) =>
        rows.map((row) => times('response', at).filter((ms) => rowOf(ms) === row).length),
      ),
    },
    connections: connectionsOf(samples, mine),
    validity: {
      trusted: (made.validity?.reasons ?? []).length === 0,
      reasons: [],
      notes: [],
      interrupted: false,
      lag: isOpen ? { p50: 0.01, p99: 0.1, max: 0.2 } : null,
      cpu: 0.5,
      stalls: { share: 0, longest: 0 },
      rateRatio: isOpen ? samples.length / length / wanted! : null,
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
  };
  // As the engine has it: none for a second without answers.
  const filled = series.filter(({ rate }) => rate > 0);
  const intervals = filled.map(({ at }) => ({
    at,
    seconds: 1,
    service: encode(adding(times('service', at))),
    response: encode(adding(times('response', at))),
  }));
  return { result, intervals };
}

const latency = (all: readonly number[]) => latencyOf(adding(all));

const noOutcomes: Outcomes = {
  answered: 0,
  late: 0,
  wrong: 0,
  resetBefore: 0,
  resetInside: 0,
  closedBefore: 0,
  closedInside: 0,
  timedOut: 0,
  neverServed: 0,
  refused: 0,
  connectTimeout: 0,
  connectFailed: 0,
  noPorts: 0,
  noDescriptors: 0,
  extraBytes: 0,
};

function connectionsOf(
  samples: readonly Sample[],
  mine: readonly number[],
): LoadResult['connections'] {
  const each = mine.map((connection) => {
    const own = samples.filter((one) => one.connection === connection).map((one) => one.response);
    return {
      connection,
      answers: own.length,
      firstAnswer: own[0] ?? null,
      p99: own.length === 0 ? null : latency(own).p99,
    };
  });
  const answers = each.map((one) => one.answers).sort((a, b) => a - b);
  const firsts = each.flatMap((one) => one.firstAnswer ?? []).sort((a, b) => a - b);
  const at = (all: readonly number[], share: number) =>
    all[Math.max(0, Math.ceil(share * all.length) - 1)] ?? 0;
  const worst = [...each].sort((a, b) => (b.p99 ?? -1) - (a.p99 ?? -1))[0];
  const squares = sum(answers.map((n) => n ** 2));
  return {
    count: mine.length,
    opened: mine.length,
    neverAnswered: answers.filter((n) => n === 0).length,
    fairness: squares === 0 ? null : sum(answers) ** 2 / (answers.length * squares),
    answers: {
      least: answers[0] ?? 0,
      median: answers[answers.length >> 1] ?? 0,
      most: answers.at(-1) ?? 0,
    },
    firstAnswer:
      firsts.length === 0
        ? null
        : { median: firsts[firsts.length >> 1]!, p99: at(firsts, 0.99), max: firsts.at(-1)! },
    worst:
      worst === undefined || worst.p99 === null
        ? null
        : { connection: worst.connection, p99: worst.p99, answers: worst.answers },
    each,
  };
}

/** A server's side, a sample for each second. */
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
