/** Counts the batches of the asker thread, by second and by connection. */
import type { Histogram } from 'hdr-histogram-js';
import { type Batch, type Ended, type ErrorCounts, OUTCOMES } from './batch.ts';
import { encode, newHistogram, record } from './histograms.ts';
import { type LoadPlan, shareOf } from './plan.ts';
import type { Progress } from './result.ts';
import {
  addedErrors,
  errorsIn,
  HEAT_STEPS,
  type SecondState,
  type State,
  sum,
  wantedRate,
} from './state.ts';
import { ALL_STEPS, DOUBLINGS, middleOf, STEPS, stepOf } from './steps.ts';

/** How our own side behaved; the validity of a run depends on it. */
export interface Conduct {
  readonly lag: { readonly p50: number; readonly p99: number; readonly max: number } | null;
  /** Share of one core that our loop used, 0 to 1. */
  readonly cpu: number;
  /** Stalls of the asker thread: their share of the measured time, and the longest one in ms. */
  readonly stalls: { readonly share: number; readonly longest: number };
}

export class Tally {
  readonly #plan: LoadPlan;
  readonly #count: number;
  readonly #lags = newHistogram();
  /** Histograms of the current second. */
  readonly #secondService = newHistogram();
  readonly #secondResponse = newHistogram();
  /** Answers with equal service time and response time. */
  readonly #secondBoth = newHistogram();
  #second = newSecond();
  readonly #series: SecondState[] = [];
  /** Percentiles of the last measured second. */
  #latest: Pick<Progress, 'p50' | 'p99'> = { p50: null, p99: null };
  readonly #answers: Int32Array;
  readonly #steps: (Uint32Array | undefined)[];
  readonly #outcomes = new Int32Array(OUTCOMES.length);
  #connectErrors: ErrorCounts = {};
  #bytesSent = 0;
  #bytesReceived = 0;
  #inTime = 0;
  #cpu = 0;
  #passed = 0;
  #mostLag = 0;
  #stalled = 0;
  #longestStall = 0;
  #last: Batch | undefined;
  /** Answers and ms of the last four batches, for the displayed rate. */
  #recent: { readonly count: number; readonly passed: number }[] = [];

  constructor(plan: LoadPlan) {
    this.#plan = plan;
    this.#count = shareOf(plan);
    this.#answers = new Int32Array(this.#count);
    this.#steps = new Array<Uint32Array | undefined>(this.#count);
  }

  add(batch: Batch): void {
    this.#last = batch;
    this.#recent = [...this.#recent.slice(-3), { count: batch.right, passed: batch.passed }];
    if (batch.second < 0) return;
    for (let i = 0; i < batch.count; i++) this.#sample(batch, i);
    for (let i = 0; i < OUTCOMES.length; i++) this.#outcomes[i]! += batch.outcomes[i]!;
    this.#connectErrors = addedErrors([this.#connectErrors, batch.connectErrors]);
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

  /** Adds the lag and the stalls of our own side. */
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
    // In a closed loop without think time, both are equal. One histogram instead of two halves the
    // work.
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

  #endSecond({ second: at, phase, inFlight, waiting, open, starved }: Batch): void {
    const { count, errors, lag, cpu, passed, heat } = this.#second;
    const [service, response] = [this.#secondService, this.#secondResponse];
    service.add(this.#secondBoth);
    response.add(this.#secondBoth);
    const isMeasured = phase === 'measuring' && passed > 0;
    if (isMeasured || count > 0) {
      this.#series.push({
        at,
        seconds: passed / 1000,
        isMeasured,
        ...(count > 0 && { service: encode(service), response: encode(response) }),
        heat: [...heat].flatMap((answers, row) => (answers > 0 ? [[row, answers] as const] : [])),
        errors,
        inFlight,
        waiting,
        open,
        starved,
        lag,
        cpu: passed > 0 ? cpu / passed : 0,
      });
    }
    if (isMeasured) {
      const percentile = (of: number) =>
        count === 0 ? null : response.getValueAtPercentile(of) / 1e6;
      this.#latest = { p50: percentile(50), p99: percentile(99) };
    }
    this.#second = newSecond();
    this.#secondService.reset();
    this.#secondResponse.reset();
    this.#secondBoth.reset();
  }

  progress(): Omit<Progress, 'total'> {
    const last = this.#last;
    const passed = sum(this.#recent.map((one) => one.passed));
    const answers = this.#outcomes[0]! + this.#outcomes[1]!;
    const second = last === undefined ? -1 : last.second;
    return {
      phase: last?.phase ?? 'connecting',
      elapsed: Math.max(0, last === undefined ? 0 : last.at / 1000),
      rate: passed > 0 ? (1000 * sum(this.#recent.map((one) => one.count))) / passed : 0,
      wantedRate: second < 0 ? null : wantedRate(this.#plan, this.#count, second, second + 1),
      ...this.#latest,
      answers,
      errors: errorsIn(this.#outcomes),
      open: last?.open ?? 0,
    };
  }

  /** @param startedAt when the measured time began, in ms since 1970 */
  state({ measured, opened, firstAnswers, asked }: Ended, startedAt: number): State {
    const { index, of } = this.#plan.shard;
    return {
      startedAt,
      plan: this.#plan,
      seconds: measured / 1000,
      outcomes: [...this.#outcomes],
      connectErrors: this.#connectErrors,
      inTime: this.#inTime,
      bytesSent: this.#bytesSent,
      bytesReceived: this.#bytesReceived,
      opened,
      series: this.#series,
      connections: {
        number: Int32Array.from({ length: this.#count }, (_, c) => index - 1 + c * of),
        answers: this.#answers,
        firstAnswer: firstAnswers,
        asked,
        p99: Int16Array.from(this.#answers, (count, c) =>
          count === 0 ? -1 : this.#p99Of(c, count),
        ),
      },
    };
  }

  conduct({ measured }: Ended): Conduct {
    return {
      lag: this.#lags.totalCount === 0 ? null : lagOf(this.#lags, this.#mostLag),
      cpu: this.#passed > 0 ? this.#cpu / this.#passed : 0,
      stalls: {
        share: measured > 0 ? Math.min(1, this.#stalled / measured) : 0,
        longest: this.#longestStall,
      },
    };
  }

  /** The step of a connection's p99. */
  #p99Of(c: number, count: number): number {
    const steps = this.#steps[c]!;
    let seen = 0;
    let step = 0;
    while (step < steps.length - 1) {
      seen += steps[step]!;
      if (seen >= 0.99 * count) break;
      step++;
    }
    return step;
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

const lagOf = (lags: Histogram, max: number) => ({
  p50: Math.min(max, lags.getValueAtPercentile(50) / 1e6),
  p99: Math.min(max, lags.getValueAtPercentile(99) / 1e6),
  max,
});
