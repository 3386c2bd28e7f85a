/**
 * What a run of load is to do, as data that goes into a file and comes out the same: the same plan with
 * the same seed gives the same schedule, on any machine.
 */

/** One part of the schedule. */
export interface Stage {
  /** Warm-up is driven like the rest and counted nowhere. */
  readonly kind: 'warm-up' | 'steady' | 'ramp' | 'step' | 'spike';
  /** How long it lasts, in s. */
  readonly seconds: number;
  /** Open loop: questions per second at its beginning; the closed loop has none. */
  readonly from?: number;
  /** Open loop: questions per second at its end; between the two the rate changes evenly. */
  readonly to?: number;
}

/** How questions and answers are told apart in the stream. */
export type Framing =
  /** Both stand in the stream as they are; where an answer is not given, it ends with `answerEnd`. */
  | { readonly kind: 'delimiter'; readonly answerEnd: string }
  /** Both end with `\n`, which the file leaves out. */
  | { readonly kind: 'line' }
  /** Both have their length in bytes before them, as so many bytes, the most significant first. */
  | { readonly kind: 'length'; readonly bytes: 1 | 2 | 4 };

/** A question and what must come back. Text is UTF-8; bytes are base64. */
export interface Exchange {
  readonly question: string;
  /** Compared byte for byte; without it any answer that the framing can end is right. */
  readonly answer?: string;
  /** Whether both are base64. Default false. */
  readonly base64?: boolean;
}

export interface LoadPlan {
  /** Name, address, or `unix:PATH`. */
  readonly host: string;
  readonly port: number;
  /** `closed`: the next question follows the answer. `open`: questions follow the clock, whatever comes back. */
  readonly loop: 'closed' | 'open';
  /** How many connections at once, over all shards. */
  readonly connections: number;
  /** How many questions a connection may have in flight. */
  readonly pipeline: number;
  /** Open loop: the questions of each second stand evenly, or as a Poisson process has them. */
  readonly arrivals: 'even' | 'poisson';
  /** In their order; those of warm-up first. */
  readonly stages: readonly Stage[];
  /** After so many questions a connection is closed and opened again; 1 is connect per question, 0 never. */
  readonly questionsPerConnection: number;
  /** Closed loop: from an answer to the next question, in ms; with `exponential` the mean. */
  readonly think: number;
  readonly thinkHow: 'constant' | 'exponential';
  /** Connections opened per second at most; 0 is no limit. */
  readonly connectRate: number;
  /** After so many ms a connection that is not there is given up. */
  readonly connectTimeout: number;
  /** After so many ms from its sending a question is given up, and its connection closed. */
  readonly timeout: number;
  /** After the schedule has ended, unanswered questions are waited for so many ms, and then count as never served. */
  readonly grace: number;
  /** An answer later than this after it was due counts as late, in ms; it is in the histograms all the same. */
  readonly deadline: number;
  readonly framing: Framing;
  /** Asked by each connection in this order, over and over. */
  readonly exchanges: readonly Exchange[];
  /** Of the pseudo-random numbers: Poisson arrivals, exponential think times. */
  readonly seed: number;
  /** Which part of the plan this run is: shard `index` of `of`, from 1. Connection c belongs to shard c mod `of`. */
  readonly shard: { readonly index: number; readonly of: number };
  /** When to begin, in ms since 1970; absent: at once. */
  readonly startAt?: number;
  /** The lag of our own schedule (p99, in ms) from which a run is not trusted. */
  readonly maxLag: number;
  /** io_uring where it is to be had, or one of the two. */
  readonly engine: 'auto' | 'uring' | 'epoll';
  /** The process, with all its descendants, whose costs are sampled; 0 for none. */
  readonly pid: number;
}

/** How many of the connections are this shard's. */
export const shareOf = ({ connections, shard: { index, of } }: LoadPlan): number =>
  Math.max(0, Math.ceil((connections - (index - 1)) / of));

/** Seconds that are counted, and that are not. */
export const measuredSeconds = (plan: LoadPlan): number => secondsOf(plan, false);
export const warmUpSeconds = (plan: LoadPlan): number => secondsOf(plan, true);

function secondsOf({ stages }: LoadPlan, isWarmUp: boolean): number {
  let seconds = 0;
  for (const stage of stages) {
    if ((stage.kind === 'warm-up') === isWarmUp) seconds += stage.seconds;
  }
  return seconds;
}
