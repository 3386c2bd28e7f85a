/** Counts what the thread that asks has written down: histograms, seconds, outcomes, and who was served. */
import type { Histogram } from 'hdr-histogram-js';
import { type Batch, type Ended, OUTCOMES, type Outcome } from './batch.ts';
import { encode, latencyOf, newHistogram, record } from './histograms.ts';
import { type LoadPlan, measuredSeconds, warmUpSeconds } from './plan.ts';
import type { Connections, HeatMap, Interval, LoadResult, Progress, Second } from './result.ts';
import { wantedBetween } from './schedule.ts';
import { ALL_STEPS, DOUBLINGS, LEAST, middleOf, STEPS, stepOf } from './steps.ts';

/** Steps of the heat map for each doubling: fewer than those in which times are counted. */
const HEAT_STEPS = 4;

/** Past so many connections, not each is listed. */
const LISTED = 1000;

/** The part of a result that is counted. */
type Counted = Pick<
  LoadResult,
  'seconds' | 'totals' | 'outcomes' | 'service' | 'response' | 'series' | 'heat' | 'connections'
>;

/** What a run is judged by, beside what was counted. */
export interface Conduct {
  readonly lag: { readonly p50: number; readonly p99: number; readonly max: number } | null;
  /** Share of one core that our loop used. */
  readonly cpu: number;
  /** Time in which the thread that asks was stopped or had no processor: its share of the measured time, and the longest stretch, in ms. */
  readonly stalls: { readonly share: number; readonly longest: number };
}

/** What there is of a run, before it is judged. */
export interface Figures {
  readonly counted: Counted;
  readonly conduct: Conduct;
  readonly intervals: readonly Interval[];
}

export class Tally {
  readonly #plan: LoadPlan;
  readonly #count: number;
  /** This shard's part of what the plan wants. */
  readonly #share: number;
  readonly #warmUp: number;
  readonly #service = newHistogram();
  readonly #response = newHistogram();
  readonly #lags = newHistogram();
  /** Of the second in the making. */
  readonly #secondService = newHistogram();
  readonly #secondResponse = newHistogram();
  /** Those of which service and response time are the same. */
  readonly #secondBoth = newHistogram();
  #second = newSecond();
  readonly #series: Second[] = [];
  readonly #intervals: Interval[] = [];
  readonly #heat: Uint32Array[] = [];
  readonly #answers: Int32Array;
  readonly #steps: (Uint32Array | undefined)[];
  readonly #outcomes = new Int32Array(OUTCOMES.length);
  #bytesSent = 0;
  #bytesReceived = 0;
  #inTime = 0;
  #cpu = 0;
  #passed = 0;
  #mostLag = 0;
  #stalled = 0;
  #longestStall = 0;
  #last: Batch | undefined;
  /** Answers and ms of the last few batches: the rate that is shown. */
  #recent: { readonly count: number; readonly passed: number }[] = [];

  constructor(plan: LoadPlan) {
    this.#plan = plan;
    const { index, of } = plan.shard;
    this.#count = Math.max(0, Math.ceil((plan.connections - (index - 1)) / of));
    this.#share = this.#count / plan.connections;
    this.#warmUp = warmUpSeconds(plan);
    this.#answers = new Int32Array(this.#count);
    this.#steps = new Array<Uint32Array | undefined>(this.#count);
  }

  add(batch: Batch): void {
    this.#last = batch;
    this.#recent = [...this.#recent.slice(-3), { count: batch.right, passed: batch.passed }];
    if (batch.second < 0) return;
    for (let i = 0; i < batch.count; i++) this.#sample(batch, i);
    for (let i = 0; i < OUTCOMES.length; i++) this.#outcomes[i]! += batch.outcomes[i]!;
    this.#bytesSent += batch.bytesSent;
    this.#bytesReceived += batch.bytesReceived;
    if (batch.phase === 'measuring') {
      this.#inTime += batch.count;
      this.#cpu += batch.cpu;
      this.#passed += batch.passed;
    }
    this.#addConduct(batch);
    const second = this.#second;
    second.count += batch.count;
    second.errors += errorsIn(batch.outcomes);
    second.cpu += batch.cpu;
    second.passed += batch.passed;
    second.lag = Math.max(second.lag, batch.mostLag);
    if (batch.isLast) this.#endSecond(batch);
  }

  /** How it went on our own side. */
  #addConduct({ lags, mostLag, stalled, longestStall }: Batch): void {
    for (let step = 0; step < lags.length; step++) {
      if (lags[step]! > 0) record(this.#lags, middleOf(step), lags[step]);
    }
    this.#mostLag = Math.max(this.#mostLag, mostLag);
    this.#stalled += stalled;
    this.#longestStall = Math.max(this.#longestStall, longestStall);
  }

  #sample(batch: Batch, i: number): void {
    const response = batch.times[2 * i]!;
    const service = batch.times[2 * i + 1]!;
    // In a closed loop without thinking they are one: half the work where there is most of it.
    if (service === response) record(this.#secondBoth, response);
    else {
      record(this.#secondResponse, response);
      record(this.#secondService, service);
    }
    const step = stepOf(response);
    this.#second.heat[(step / (STEPS / HEAT_STEPS)) | 0]!++;
    const c = batch.connections[i]!;
    this.#answers[c]!++;
    this.#steps[c] ??= new Uint32Array(ALL_STEPS);
    this.#steps[c][step]!++;
  }

  #endSecond(batch: Batch): void {
    const { count, errors, lag, cpu, passed, heat } = this.#second;
    const [service, response] = [this.#secondService, this.#secondResponse];
    service.add(this.#secondBoth);
    response.add(this.#secondBoth);
    const seconds = passed / 1000;
    const at = batch.second;
    if (count > 0) {
      this.#intervals.push({
        at,
        seconds,
        service: encode(service),
        response: encode(response),
      });
      this.#service.add(service);
      this.#response.add(response);
    }
    if (batch.phase === 'measuring' && passed > 0) {
      const percentile = (histogram: Histogram, of: number) =>
        count === 0 ? null : histogram.getValueAtPercentile(of) / 1e6;
      const end = Math.min(at + 1, measuredSeconds(this.#plan));
      this.#series.push({
        at,
        seconds,
        rate: count / seconds,
        wantedRate: this.#wanted(at, end),
        p50: percentile(response, 50),
        p99: percentile(response, 99),
        max: percentile(response, 100),
        serviceP50: percentile(service, 50),
        serviceP99: percentile(service, 99),
        errors,
        inFlight: batch.inFlight,
        waiting: batch.waiting,
        open: batch.open,
        starved: batch.starved,
        lag,
        cpu: cpu / passed,
      });
      this.#heat.push(heat);
    }
    this.#second = newSecond();
    this.#secondService.reset();
    this.#secondResponse.reset();
    this.#secondBoth.reset();
  }

  /** Questions per second that this shard is to ask on average between two moments of the measured time, in s. */
  #wanted(from: number, to: number): number | null {
    if (this.#plan.loop === 'closed') return null;
    const { stages } = this.#plan;
    const [a, b] = [this.#warmUp + from, this.#warmUp + to];
    return b > a ? (this.#share * wantedBetween(stages, a, b)) / (b - a) : 0;
  }

  progress(): Omit<Progress, 'total'> {
    const last = this.#last;
    const passed = sum(this.#recent.map((one) => one.passed));
    const answers = this.#outcomes[0]! + this.#outcomes[1]!;
    const second = last === undefined ? -1 : last.second;
    const latest = this.#series.at(-1);
    return {
      phase: last?.phase ?? 'connecting',
      elapsed: Math.max(0, last === undefined ? 0 : last.at / 1000),
      rate: passed > 0 ? (1000 * sum(this.#recent.map((one) => one.count))) / passed : 0,
      wantedRate: second < 0 ? null : this.#wanted(second, second + 1),
      p50: latest?.p50 ?? null,
      p99: latest?.p99 ?? null,
      answers,
      errors: errorsIn(this.#outcomes),
      open: last?.open ?? 0,
    };
  }

  figures(ended: Ended): Figures {
    const seconds = ended.measured / 1000;
    const outcomes = Object.fromEntries(
      OUTCOMES.map((name, i) => [name, this.#outcomes[i]!]),
    ) as Record<Outcome, number>;
    const answers = outcomes.answered + outcomes.late;
    // The first nine are how questions end.
    const questions = sum([...this.#outcomes.subarray(0, 9)]);
    return {
      counted: {
        seconds,
        totals: {
          questions,
          answers,
          rate: seconds > 0 ? this.#inTime / seconds : 0,
          wantedRate: seconds > 0 ? this.#wanted(0, seconds) : null,
          errors: errorsIn(this.#outcomes),
          bytesSent: this.#bytesSent,
          bytesReceived: this.#bytesReceived,
        },
        outcomes,
        service: latencyOf(this.#service),
        response: latencyOf(this.#response),
        series: this.#series,
        heat: this.#heatMap(),
        connections: this.#connections(ended),
      },
      conduct: {
        lag: this.#lags.totalCount === 0 ? null : lagOf(this.#lags, this.#mostLag),
        cpu: this.#passed > 0 ? this.#cpu / this.#passed : 0,
        stalls: {
          share: ended.measured > 0 ? Math.min(1, this.#stalled / ended.measured) : 0,
          longest: this.#longestStall,
        },
      },
      intervals: this.#intervals,
    };
  }

  #heatMap(): HeatMap {
    const used = this.#heat.map((column) => [...column.keys()].filter((row) => column[row]! > 0));
    const all = used.flat();
    const columns = this.#series.map(({ at }) => at);
    if (all.length === 0) return { columns, rows: [], counts: this.#heat.map(() => []) };
    const first = all.reduce((a, b) => Math.min(a, b));
    const last = all.reduce((a, b) => Math.max(a, b));
    return {
      columns,
      rows: Array.from(
        { length: last - first + 1 },
        (_, i) => 2 ** (LEAST + (first + i) / HEAT_STEPS),
      ),
      counts: this.#heat.map((column) => [...column.subarray(first, last + 1)]),
    };
  }

  #connections({ firstAnswers, asked, opened }: Ended): Connections {
    const { index, of } = this.#plan.shard;
    const { length } = this.#answers;
    const answers = [...this.#answers];
    const p99s = answers.map((count, c) => (count === 0 ? null : this.#p99Of(c, count)));
    const sorted = answers.toSorted((a, b) => a - b);
    const firsts = [...firstAnswers].filter((ms) => !Number.isNaN(ms)).sort((a, b) => a - b);
    const worst = p99s.reduce<number>(
      (at, p99, c) => (p99 !== null && p99 > (p99s[at] ?? -1) ? c : at),
      0,
    );
    const nameOf = (c: number) => index - 1 + c * of;
    const every = Math.ceil(length / LISTED);
    return {
      count: length,
      opened,
      neverAnswered: answers.filter((count, c) => count === 0 && asked[c] === 1).length,
      fairness: jain(answers),
      answers: {
        least: sorted[0] ?? 0,
        median: sorted[length >> 1] ?? 0,
        most: sorted.at(-1) ?? 0,
      },
      firstAnswer:
        firsts.length === 0
          ? null
          : {
              median: firsts[firsts.length >> 1]!,
              p99: firsts[Math.min(firsts.length - 1, Math.ceil(firsts.length * 0.99) - 1)]!,
              max: firsts.at(-1)!,
            },
      worst:
        p99s[worst] == null
          ? null
          : { connection: nameOf(worst), p99: p99s[worst], answers: answers[worst]! },
      each: answers.flatMap((count, c) =>
        c % every === 0
          ? [
              {
                connection: nameOf(c),
                answers: count,
                firstAnswer: Number.isNaN(firstAnswers[c]!) ? null : firstAnswers[c]!,
                p99: p99s[c]!,
              },
            ]
          : [],
      ),
    };
  }

  #p99Of(c: number, count: number): number {
    const steps = this.#steps[c]!;
    let seen = 0;
    let step = 0;
    while (step < steps.length - 1) {
      seen += steps[step]!;
      if (seen >= 0.99 * count) break;
      step++;
    }
    return middleOf(step);
  }
}

const newSecond = () => ({
  count: 0,
  errors: 0,
  lag: 0,
  cpu: 0,
  passed: 0,
  heat: new Uint32Array(DOUBLINGS * HEAT_STEPS),
});

const sum = (numbers: readonly number[]): number => numbers.reduce((a, b) => a + b, 0);

/** All but right answers, in time or late. */
const errorsIn = (outcomes: Int32Array): number => sum([...outcomes.subarray(2)]);

const lagOf = (lags: Histogram, max: number) => ({
  p50: Math.min(max, lags.getValueAtPercentile(50) / 1e6),
  p99: Math.min(max, lags.getValueAtPercentile(99) / 1e6),
  max,
});

/**
 * Jain's index: the square of the sum over n times the sum of squares. 1 where all have the same, 1/n
 * where one has all; null where nobody has anything. Jain, Chiu, Hawe, DEC-TR-301 (1984)
 */
export function jain(shares: readonly number[]): number | null {
  const squares = sum(shares.map((share) => share * share));
  return squares === 0 ? null : sum(shares) ** 2 / (shares.length * squares);
}
