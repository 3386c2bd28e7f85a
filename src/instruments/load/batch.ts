/**
 * What the thread that asks tells the one that counts: raw times, at most a quarter of a second of them.
 * The one that asks only writes numbers down; histograms, percentiles and curves are made beside it.
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

export interface Batch {
  readonly kind: 'batch';
  readonly phase: Phase;
  /** ms since the schedule began, at its end. */
  readonly at: number;
  /** Which second of the measured time it belongs to; the one after the last has what came when the schedule was over; -1 for none. */
  readonly second: number;
  /** Whether it is the last of its second. */
  readonly isLast: boolean;
  /** Right answers, those of warm-up included. */
  readonly right: number;
  /** How many of them count. */
  readonly count: number;
  /** Response and service time of each, in ms. */
  readonly times: Float64Array;
  /** The connection of each, numbered within this shard. */
  readonly connections: Int32Array;
  /** How late our own loop was with the questions that had a time: how many in each step. */
  readonly lags: Uint32Array;
  /** The latest of them, in ms. */
  readonly mostLag: number;
  /** How long the thread was kept from asking since the batch before, in all and at a stretch, in ms. */
  readonly stalled: number;
  readonly longestStall: number;
  /** Since the batch before, by number of outcome. */
  readonly outcomes: Int32Array;
  readonly bytesSent: number;
  readonly bytesReceived: number;
  /** Gauges at its end. */
  readonly inFlight: number;
  readonly waiting: number;
  readonly open: number;
  /** Of the whole second, where it is its last batch: connections with questions open and no answer. */
  readonly starved: number;
  /** Since the batch before, in ms: on a processor, and passed. */
  readonly cpu: number;
  readonly passed: number;
}

/** The last thing that is told. */
export interface Ended {
  readonly kind: 'ended';
  /** ms of the measured time; less than planned where it was interrupted. */
  readonly measured: number;
  readonly interrupted: boolean;
  /** By connection, in ms, as `Connections.firstAnswer`; NaN: none. */
  readonly firstAnswers: Float64Array;
  /** By connection: whether it had a question open in the measured time. */
  readonly asked: Uint8Array;
  /** How many times one was opened. */
  readonly opened: number;
  /** How long after `startAt` it began, in ms; 0 where it was in time. */
  readonly startedLate: number;
  /** Questions of the measured time that were never taken up, as too many were waiting already. */
  readonly unreached: number;
}

/** The schedule begins: ms since 1970. */
export interface Began {
  readonly kind: 'began';
  readonly at: number;
  readonly engine: 'uring' | 'epoll';
}

export type Told = Began | Batch | Ended;
