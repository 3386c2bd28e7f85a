/** What the thread that asks writes down, in batches for the one that counts: nothing is worked out here. */
import { type Batch, numberOf, OUTCOMES, type Outcome, type Phase } from './batch.ts';
import { type LoadPlan, measuredSeconds, warmUpSeconds } from './plan.ts';
import { ALL_STEPS, stepOf } from './steps.ts';

/** How many answers a batch has room for; a full one is told of at once. */
const ROOM = 32_768;
/** How often a batch is told of, in ms: what progress is shown from. */
const EVERY = 250;

/** As things are at the end of a batch. */
export interface Gauges {
  readonly inFlight: number;
  readonly waiting: number;
  readonly open: number;
  /** Connections with questions open that had no answer in second `second`. */
  starvedIn(second: number): number;
}

/** How long this thread has been on a processor, in ms. */
export const threadCpu = (): number => {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
};

export class Books {
  readonly #plan: LoadPlan;
  readonly #tell: (batch: Batch) => void;
  readonly #isOpenLoop: boolean;
  phase: Phase = 'connecting';
  /** Which second of the measured time it is; -1 before it. */
  second = -1;
  /** Moments of this thread's clock, in ms: the schedule, and of it what is measured. */
  began = 0;
  measureFrom = Number.POSITIVE_INFINITY;
  measureTo = Number.POSITIVE_INFINITY;

  readonly #times = new Float64Array(2 * ROOM);
  readonly #connections = new Int32Array(ROOM);
  #count = 0;
  readonly #lags = new Uint32Array(ALL_STEPS);
  #mostLag = 0;
  #stalled = 0;
  #longestStall = 0;
  #outcomes = new Int32Array(OUTCOMES.length);
  bytesSent = 0;
  bytesReceived = 0;
  /** Right answers, those that count for nothing included. */
  right = 0;
  #told: number;
  #cpu = threadCpu();

  constructor(plan: LoadPlan, now: number, tell: (batch: Batch) => void) {
    this.#plan = plan;
    this.#tell = tell;
    this.#isOpenLoop = plan.loop === 'open';
    this.#told = now;
  }

  /** The schedule begins. What happened before is in none of the figures. */
  begin(now: number): void {
    this.began = now;
    this.measureFrom = now + 1000 * warmUpSeconds(this.#plan);
    this.measureTo = this.measureFrom + 1000 * measuredSeconds(this.#plan);
    this.phase = 'warm-up';
    this.#clear();
    this.#cpu = threadCpu();
    this.#told = now;
  }

  /** The next moment at which something is over: warm-up, a second, or the measured time. */
  get boundary(): number {
    if (this.phase === 'warm-up') return this.measureFrom;
    return Math.min(this.measureTo, this.measureFrom + 1000 * (this.second + 1));
  }

  /** Tells what there is, if it is time. @returns true if the measured time begins with this turn */
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
    } else if (now - this.#told >= EVERY) this.#flush(now, gauges, false);
    return false;
  }

  /** The measured time is over, at `now` if it was interrupted: what still comes belongs to no second. */
  finish(now: number, gauges: Gauges): void {
    if (now < this.measureTo) this.measureTo = Math.max(this.measureFrom, now);
    this.#flush(now, gauges, true);
    if (this.phase === 'measuring') this.#skipTo(now, gauges);
    this.phase = 'finishing';
    this.second = Math.ceil((this.measureTo - this.measureFrom) / 1000);
  }

  /** To the second of `now`. Those in which our own loop stood still have a batch of nothing. */
  #skipTo(now: number, gauges: Gauges): void {
    while (now >= this.boundary && this.boundary < this.measureTo) {
      this.second++;
      if (now >= this.boundary) this.#flush(now, gauges, true);
    }
  }

  /** Whatever is left. */
  close(now: number, gauges: Gauges): void {
    this.#flush(now, gauges, true);
  }

  /**
   * Whether a question counts that was due at `due` and is over at `now`. In the open loop if it was due in
   * the measured time. In the closed loop, where those who are not answered have no next question to be
   * counted by, if it was not over when the measured time began.
   */
  counts(due: number, now: number): boolean {
    if (!this.#isOpenLoop) return now >= this.measureFrom;
    return due >= this.measureFrom && due < this.measureTo;
  }

  /** The right answer to a question that counts. */
  answered(c: number, due: number, sent: number, arrived: number, gauges: Gauges): void {
    const at = this.#count++;
    const response = arrived - due;
    this.#times[2 * at] = response;
    this.#times[2 * at + 1] = arrived - sent;
    this.#connections[at] = c;
    this.#outcomes[response > this.#plan.deadline ? 1 : 0]!++;
    if (this.#count === ROOM) this.#flush(arrived, gauges, false);
  }

  note(outcome: Outcome, times = 1): void {
    this.#outcomes[numberOf(outcome)]! += times;
  }

  lag(ms: number): void {
    if (this.phase !== 'measuring') return;
    this.#lags[stepOf(ms)]!++;
    if (ms > this.#mostLag) this.#mostLag = ms;
  }

  /** The thread was kept from asking for `ms` of the time that ended at `now`: what of it was measured counts. */
  stall(ms: number, began: number, now: number): void {
    const measured = Math.min(now, this.measureTo) - Math.max(began, this.measureFrom);
    const kept = Math.min(ms, measured);
    if (kept <= 0) return;
    this.#stalled += kept;
    this.#longestStall = Math.max(this.#longestStall, kept);
  }

  #flush(now: number, gauges: Gauges, isLast: boolean): void {
    const cpu = threadCpu();
    // A second is no longer than it is, however late its end is seen.
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
      right: this.right,
      bytesSent: this.bytesSent,
      bytesReceived: this.bytesReceived,
      inFlight: gauges.inFlight,
      waiting: gauges.waiting,
      open: gauges.open,
      starved: isLast ? gauges.starvedIn(this.second) : 0,
      cpu: cpu - this.#cpu,
      passed: until - this.#told,
    });
    this.#clear();
    this.#cpu = cpu;
    this.#told = until;
  }

  #clear(): void {
    this.#count = 0;
    this.#lags.fill(0);
    this.#mostLag = 0;
    this.#stalled = 0;
    this.#longestStall = 0;
    this.#outcomes.fill(0);
    this.bytesSent = 0;
    this.bytesReceived = 0;
    this.right = 0;
  }
}
