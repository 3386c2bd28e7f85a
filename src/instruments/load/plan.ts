/**
 * What a run of load does, as plain data that survives a file unchanged. The same plan with the
 * same seed gives the same schedule on every machine.
 */

/**
 * One part of the schedule.
 *
 * @example
 * ```ts
 * import type { Stage } from 'mondo';
 *
 * // 1 s of warm-up, 10 s in which the rate rises, 5 s at the highest rate; questions per second.
 * const stages: readonly Stage[] = [
 *   { kind: 'warm-up', seconds: 1, from: 100, to: 100 },
 *   { kind: 'ramp', seconds: 10, from: 100, to: 1000 },
 *   { kind: 'steady', seconds: 5, from: 1000, to: 1000 },
 * ];
 * console.log(stages);
 * ```
 */
export interface Stage {
  /** Warm-up is driven like the rest, but no figure counts it. */
  readonly kind: 'warm-up' | 'steady' | 'ramp' | 'step' | 'spike';
  /** Duration, in s. */
  readonly seconds: number;
  /** Open loop: questions per second at its beginning. Absent in a closed loop. */
  readonly from?: number;
  /** Open loop: questions per second at its end. In between, the rate changes linearly. */
  readonly to?: number;
}

/**
 * How the stream is divided into questions and answers.
 *
 * @example
 * ```ts
 * import { type Framing, planOf } from 'mondo';
 *
 * const framing: Framing = { kind: 'line' };
 * console.log(planOf({ framing, exchanges: [{ question: '3 4 +', answer: '7' }] }));
 * ```
 */
export type Framing =
  /**
   * Questions are sent as they are. An answer that the plan does not give ends with `answerEnd`.
   */
  | { readonly kind: 'delimiter'; readonly answerEnd: string }
  /** Questions and answers end with `\n`, which the plan omits. */
  | { readonly kind: 'line' }
  /**
   * Before each question and answer stands its length in bytes, as a big-endian number of this
   * size.
   */
  | { readonly kind: 'length'; readonly bytes: 1 | 2 | 4 };

/**
 * A question and its expected answer. Text is UTF-8; binary data is base64.
 *
 * @example
 * ```ts
 * import type { Exchange } from 'mondo';
 *
 * const known: Exchange = { question: 'Simple is better than?', answer: 'Complex.' };
 * const anyAnswer: Exchange = { question: 'AAEC', base64: true };
 * console.log(known, anyAnswer);
 * ```
 */
export interface Exchange {
  readonly question: string;
  /** Compared byte for byte. If absent, every complete answer is right. */
  readonly answer?: string;
  /** True if both are base64. Default false. */
  readonly base64?: boolean;
}

/**
 * The plan of a run. `planOf` completes it with the defaults.
 *
 * @example
 * ```ts
 * import { type LoadPlan, planOf, runLoad } from 'mondo';
 *
 * const plan: LoadPlan = planOf({ port: 1060, connections: 50, think: 10 });
 * const { result } = await runLoad(plan);
 * console.log(result.totals.rate);
 * ```
 */
export interface LoadPlan {
  /** Host name, address, or `unix:PATH`. */
  readonly host: string;
  readonly port: number;
  /**
   * `closed`: a connection asks its next question after the answer. `open`: questions follow the
   * clock, whether answers come or not.
   */
  readonly loop: 'closed' | 'open';
  /** Concurrent connections, over all shards. */
  readonly connections: number;
  /** Questions that a connection may have in flight. */
  readonly pipeline: number;
  /** Open loop: arrivals evenly spaced, or as a Poisson process. */
  readonly arrivals: 'even' | 'poisson';
  /** In order, warm-up first. */
  readonly stages: readonly Stage[];
  /**
   * Questions after which a connection is closed and opened again. 1: connect for each question; 0:
   * never.
   */
  readonly questionsPerConnection: number;
  /**
   * Closed loop: think time from an answer to the next question, in ms; with `exponential`, its
   * mean.
   */
  readonly think: number;
  readonly thinkHow: 'constant' | 'exponential';
  /** Limit for connections opened per second; 0 is no limit. */
  readonly connectRate: number;
  /** Timeout of a connection attempt, in ms. */
  readonly connectTimeout: number;
  /** Timeout of a question after it was sent, in ms. Its connection is then closed. */
  readonly timeout: number;
  /**
   * Grace period after the schedule, in ms. Questions that are still unanswered then count as never
   * served.
   */
  readonly grace: number;
  /**
   * Deadline of an answer after its question was due, in ms. A later answer counts as late, and is
   * still in the histograms.
   */
  readonly deadline: number;
  readonly framing: Framing;
  /** The questions that each connection asks, in this order, over and over. */
  readonly exchanges: readonly Exchange[];
  /** Seed of the pseudo-random numbers: Poisson arrivals, exponential think times. */
  readonly seed: number;
  /**
   * The part of the plan that this run drives: shard `index` of `of`, from 1. Connection c belongs
   * to shard c mod `of`.
   */
  readonly shard: { readonly index: number; readonly of: number };
  /** Start time, in ms since 1970; absent: at once. */
  readonly startAt?: number;
  /** Limit for the p99 of our own schedule's lag, in ms. Above it, a run is not trusted. */
  readonly maxLag: number;
  /** `auto` is io_uring if the machine allows it, and epoll if not. */
  readonly engine: 'auto' | 'uring' | 'epoll';
  /** Process whose costs are sampled, with all its descendants; 0 for none. */
  readonly pid: number;
}

/** Number of connections of this shard. */
export const shareOf = ({ connections, shard: { index, of } }: LoadPlan): number =>
  Math.max(0, Math.ceil((connections - (index - 1)) / of));

/**
 * Total duration of the measured stages, in s.
 *
 * @example
 * ```ts
 * import { measuredSeconds, planOf, warmUpSeconds } from 'mondo';
 *
 * const plan = planOf({ connections: 50 });
 * console.log(`${warmUpSeconds(plan)} s of warm-up, then ${measuredSeconds(plan)} s`);
 * ```
 */
export const measuredSeconds = (plan: LoadPlan): number => secondsOf(plan, false);
/**
 * Total duration of the warm-up stages, in s.
 *
 * @example
 * ```ts
 * import { planOf, warmUpSeconds } from 'mondo';
 *
 * console.log(warmUpSeconds(planOf({ stages: [{ kind: 'warm-up', seconds: 1 }] })));
 * ```
 */
export const warmUpSeconds = (plan: LoadPlan): number => secondsOf(plan, true);

function secondsOf({ stages }: LoadPlan, isWarmUp: boolean): number {
  let seconds = 0;
  for (const stage of stages) {
    if ((stage.kind === 'warm-up') === isWarmUp) seconds += stage.seconds;
  }
  return seconds;
}
