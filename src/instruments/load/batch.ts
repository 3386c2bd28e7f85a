/**
 * Messages from the asker thread to the main thread. They carry raw numbers of at most a quarter of
 * a second. The main thread computes histograms, percentiles and curves, so that the asker thread
 * only has to record.
 */

/** How a question or an attempt to connect ended, in the order of `Outcomes`. */
export const OUTCOMES = [
  'answered',
  'late',
  'wrong',
  'resetBefore',
  'resetInside',
  'closedBefore',
  'closedInside',
  'timedOut',
  'neverServed',
  'refused',
  'connectTimeout',
  'connectFailed',
  'noPorts',
  'noDescriptors',
  'extraBytes',
] as const;
export type Outcome = (typeof OUTCOMES)[number];

const NUMBERS = Object.fromEntries(OUTCOMES.map((name, i) => [name, i]));
export const numberOf = (outcome: Outcome): number => NUMBERS[outcome]!;

export type Phase = 'connecting' | 'waiting' | 'warm-up' | 'measuring' | 'finishing';

/** How often each error occurred, by its name, such as `ENETUNREACH`. */
export type ErrorCounts = Readonly<Record<string, number>>;

export interface Batch {
  readonly kind: 'batch';
  readonly phase: Phase;
  /** When the batch ends, in ms since the schedule began. */
  readonly at: number;
  /**
   * The second of the measured time to which it belongs; -1 before it. One more than the last
   * second: arrived after the schedule ended.
   */
  readonly second: number;
  /** True for the last batch of its second. */
  readonly isLast: boolean;
  /** Right answers, warm-up included. */
  readonly right: number;
  /** How many right answers count in the figures. */
  readonly count: number;
  /** Response time and service time of each counted answer, in ms. */
  readonly times: Float64Array;
  /** Connection of each counted answer, numbered within this shard. */
  readonly connections: Int32Array;
  /** Histogram of our loop's lag, over questions that have a due time. */
  readonly lags: Uint32Array;
  /** The largest lag, in ms. */
  readonly mostLag: number;
  /**
   * How long the asker thread could not run since the previous batch: the sum, and the longest
   * single stall, in ms.
   */
  readonly stalled: number;
  readonly longestStall: number;
  /** Counts since the previous batch, by number of outcome. */
  readonly outcomes: Int32Array;
  /** The attempts to connect that ended as `connectFailed`, by the name of the error. */
  readonly connectErrors: ErrorCounts;
  readonly bytesSent: number;
  readonly bytesReceived: number;
  /** Gauges at the end of the batch. */
  readonly inFlight: number;
  readonly waiting: number;
  readonly open: number;
  /**
   * In the last batch of a second: connections with open questions and no answer in that second.
   * Otherwise 0.
   */
  readonly starved: number;
  /** Since the previous batch, in ms: CPU time of the thread, and elapsed time. */
  readonly cpu: number;
  readonly passed: number;
}

/** The last message of the asker thread. */
export interface Ended {
  readonly kind: 'ended';
  /** Length of the measured time, in ms; less than planned if the run was interrupted. */
  readonly measured: number;
  readonly interrupted: boolean;
  /** By connection, in ms, as in `Connections.firstAnswer`; NaN if it had no answer. */
  readonly firstAnswers: Float64Array;
  /** By connection: 1 if it had an open question in the measured time. */
  readonly asked: Uint8Array;
  /** How many times a connection was opened. */
  readonly opened: number;
  /** Delay of the start after `startAt`, in ms; 0 if it was in time. */
  readonly startedLate: number;
  /**
   * Questions of the measured time that were never queued because too many were waiting already.
   */
  readonly unreached: number;
}

/** Sent when the schedule begins. `at` is in ms since 1970. */
export interface Began {
  readonly kind: 'began';
  readonly at: number;
  readonly engine: 'uring' | 'epoll';
}

export type AskerMessage = Began | Batch | Ended;
