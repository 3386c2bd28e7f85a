/**
 * Collects the raw numbers of the asker thread, and sends them to the main thread in batches. It
 * computes no figures.
 */
import { type Batch, numberOf, OUTCOMES, type Outcome, type Phase } from './batch.ts';
import { type LoadPlan, measuredSeconds, warmUpSeconds } from './plan.ts';
import { ALL_STEPS, stepOf } from './steps.ts';

/** Capacity of a batch, in answers. A full batch is sent at once. */
const CAPACITY = 32_768;
/** Interval between batches, in ms. The progress display is refreshed from them. */
const INTERVAL = 250;

/** Gauges of the asker at the end of a batch. */
export interface Gauges {
  readonly inFlight: number;
  readonly waiting: number;
  readonly open: number;
  /** Connections with open questions and no answer in second `second`. */
  starvedIn(second: number): number;
}

/** CPU time of this thread, in ms. */
export const threadCpu = (): number => {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
};

export class Books {
  readonly #plan: LoadPlan;
  readonly #tell: (batch: Batch) => void;
  readonly #isOpenLoop: boolean;
  phase: Phase = 'connecting';
  /** The current second of the measured time; -1 before it. */
  second = -1;
  /**
   * Times of this thread's clock, in ms: start of the schedule, and start and end of the measured
   * time.
   */
  began = 0;
  measureFrom = Number.POSITIVE_INFINITY;
  measureTo = Number.POSITIVE_INFINITY;

  readonly #times = new Float64Array(2 * CAPACITY);
  readonly #connections = new Int32Array(CAPACITY);
  #count = 0;
  readonly #lags = new Uint32Array(ALL_STEPS);
  #mostLag = 0;
  #stalled = 0;
  #longestStall = 0;
  #outcomes = new Int32Array(OUTCOMES.length);
  #connectErrors: Record<string, number> = {};
  bytesSent = 0;
  bytesReceived = 0;
  /** Right answers since the previous batch, whether they count or not. */
  right = 0;
  #flushedAt: number;
  #cpu = threadCpu();

  constructor(plan: LoadPlan, now: number, tell: (batch: Batch) => void) {
    this.#plan = plan;
    this.#tell = tell;
    this.#isOpenLoop = plan.loop === 'open';
    this.#flushedAt = now;
  }

  /** Starts the schedule. The figures contain nothing from before it. */
  begin(now: number): void {
    this.began = now;
    this.measureFrom = now + 1000 * warmUpSeconds(this.#plan);
    this.measureTo = this.measureFrom + 1000 * measuredSeconds(this.#plan);
    this.phase = 'warm-up';
    this.#clear();
    this.#cpu = threadCpu();
    this.#flushedAt = now;
  }

  /** The next time at which a phase or a second ends. */
  get boundary(): number {
    if (this.phase === 'warm-up') return this.measureFrom;
    return Math.min(this.measureTo, this.measureFrom + 1000 * (this.second + 1));
  }

  /**
   * Sends a batch if one is due.
   *
   * @returns true if the measured time begins with this turn
   */
  keep(now: number, gauges: Gauges): boolean {
    if (this.phase === 'warm-up' && now >= this.measureFrom) {
      this.#flush(now, gauges, true);
      this.phase = 'measuring';
      this.second = 0;
      return true;
    }
    if (this.phase === 'measuring' && now >= this.boundary) {
      this.#flush(now, gauges, true);
      this.#skipTo(now, gauges);
    } else if (now - this.#flushedAt >= INTERVAL) this.#flush(now, gauges, false);
    return false;
  }

  /**
   * Ends the measured time, at `now` if it was interrupted. What arrives later belongs to no
   * second.
   */
  finish(now: number, gauges: Gauges): void {
    if (now < this.measureTo) this.measureTo = Math.max(this.measureFrom, now);
    this.#flush(now, gauges, true);
    if (this.phase === 'measuring') this.#skipTo(now, gauges);
    this.phase = 'finishing';
    this.second = Math.ceil((this.measureTo - this.measureFrom) / 1000);
  }

  /**
   * Advances to the second of `now`. Each second in which our own loop stood still gets an empty
   * batch.
   */
  #skipTo(now: number, gauges: Gauges): void {
    while (now >= this.boundary && this.boundary < this.measureTo) {
      this.second++;
      if (now >= this.boundary) this.#flush(now, gauges, true);
    }
  }

  /** Sends what is left. */
  close(now: number, gauges: Gauges): void {
    this.#flush(now, gauges, true);
  }

  /**
   * Whether a question counts that was due at `due` and ended at `now`.
   *
   * In the open loop, it counts if it was due in the measured time. In the closed loop, it counts
   * if it ended after the measured time began. There, a connection that gets no answer has no next
   * question, so its open question must count.
   */
  counts(due: number, now: number): boolean {
    if (!this.#isOpenLoop) return now >= this.measureFrom;
    return due >= this.measureFrom && due < this.measureTo;
  }

  /** Records a right answer to a question that counts. */
  answered(c: number, due: number, sent: number, arrived: number, gauges: Gauges): void {
    const at = this.#count++;
    const response = arrived - due;
    this.#times[2 * at] = response;
    this.#times[2 * at + 1] = arrived - sent;
    this.#connections[at] = c;
    this.#outcomes[response > this.#plan.deadline ? 1 : 0]!++;
    if (this.#count === CAPACITY) this.#flush(arrived, gauges, false);
  }

  note(outcome: Outcome, times = 1): void {
    this.#outcomes[numberOf(outcome)]! += times;
  }

  /** Counts an attempt to connect that ended as `connectFailed`, under the name of its error. */
  connectError(name: string): void {
    this.#connectErrors[name] = (this.#connectErrors[name] ?? 0) + 1;
  }

  lag(ms: number): void {
    if (this.phase !== 'measuring') return;
    this.#lags[stepOf(ms)]!++;
    if (ms > this.#mostLag) this.#mostLag = ms;
  }

  /**
   * Records that the thread could not run for `ms` of the time from `began` to `now`. Only the part
   * inside the measured time counts.
   */
  stall(ms: number, began: number, now: number): void {
    const measured = Math.min(now, this.measureTo) - Math.max(began, this.measureFrom);
    const kept = Math.min(ms, measured);
    if (kept <= 0) return;
    this.#stalled += kept;
    this.#longestStall = Math.max(this.#longestStall, kept);
  }

  #flush(now: number, gauges: Gauges, isLast: boolean): void {
    const cpu = threadCpu();
    // A second ends at its boundary, even if the loop sees the boundary late.
    const until = isLast && this.phase !== 'finishing' ? Math.min(now, this.boundary) : now;
    this.#tell({
      kind: 'batch',
      phase: this.phase,
      at: now - this.began,
      second: this.second,
      isLast,
      count: this.#count,
      times: this.#times.slice(0, 2 * this.#count),
      connections: this.#connections.slice(0, this.#count),
      lags: this.#lags.slice(),
      mostLag: this.#mostLag,
      stalled: this.#stalled,
      longestStall: this.#longestStall,
      outcomes: this.#outcomes.slice(),
      connectErrors: this.#connectErrors,
      right: this.right,
      bytesSent: this.bytesSent,
      bytesReceived: this.bytesReceived,
      inFlight: gauges.inFlight,
      waiting: gauges.waiting,
      open: gauges.open,
      starved: isLast ? gauges.starvedIn(this.second) : 0,
      cpu: cpu - this.#cpu,
      passed: until - this.#flushedAt,
    });
    this.#clear();
    this.#cpu = cpu;
    this.#flushedAt = until;
  }

  #clear(): void {
    this.#count = 0;
    this.#lags.fill(0);
    this.#mostLag = 0;
    this.#stalled = 0;
    this.#longestStall = 0;
    this.#outcomes.fill(0);
    this.#connectErrors = {};
    this.bytesSent = 0;
    this.bytesReceived = 0;
    this.right = 0;
  }
}
