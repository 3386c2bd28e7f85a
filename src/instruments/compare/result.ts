/**
 * The measurements of a comparison, as `--json` writes them. All times are in ms and all sizes in
 * bytes, unless a name says otherwise. findings.ts and recommend.ts compute everything else from
 * them.
 */
import type { Environment, Outcomes } from '../load/result.ts';
import type { ComparePlan, Variant } from './plan.ts';

export interface Run {
  /** Start in ms since 1970, and duration in s. */
  readonly startedAt: number;
  readonly seconds: number;
  readonly plan: ComparePlan;
  /** Null if no cell could be measured. */
  readonly environment: Environment | null;
  /** The cores of server and load; null: the kernel chose. */
  readonly cores: { readonly server: readonly number[]; readonly load: readonly number[] } | null;
  /** Load average of the last minute, before and after: threads that want a processor. */
  readonly load: readonly [before: number, after: number];
  readonly end: 'done' | 'out of time' | 'interrupted';
  /** Number of planned cells. */
  readonly planned: number;
  /** In the order of measurement. */
  readonly cells: readonly Cell[];
  /** Variants that did not run at all, and why. */
  readonly left: readonly { readonly variant: Variant; readonly why: string }[];
}

/** One variant in one round. */
export interface Cell {
  readonly variant: Variant;
  /** From 1. */
  readonly round: number;
  /**
   * - `good`: every figure includes it;
   * - `doubtful`: the load says that it cannot be trusted, or silent clients were not connected all
   *   the time;
   * - `wrong`: some answers were not as expected;
   * - `failed`: there is no measurement.
   */
  readonly state: 'good' | 'doubtful' | 'wrong' | 'failed';
  /** Why it is not good, one sentence each. */
  readonly reasons: readonly string[];
  /** Null if it failed. */
  readonly figures: Figures | null;
}

export interface Figures {
  /** Right answers per second, over all connections. */
  readonly rate: number;
  /** Response time; null without answers. */
  readonly p50: number | null;
  readonly p99: number | null;
  /** CPU time per answer, in µs, of the server and all its processes. */
  readonly cpu: number | null;
  /** Context switches per answer. */
  readonly switches: number | null;
  /** Peak PSS of all its processes together, in bytes: what the server adds to the machine. */
  readonly memory: number | null;
  readonly connections: number;
  /** Connections that asked and got no answer in the measured time. */
  readonly neverAnswered: number;
  /** Answers of the connection with most. */
  readonly mostAnswers: number;
  /** Jain's index over connections: 1 if all are served alike, 1/n if one gets all answers. */
  readonly fairness: number | null;
  readonly answers: number;
  /**
   * Outcomes of questions and connections other than an answer in time; only those that occurred.
   */
  readonly troubles: Partial<Outcomes>;
  /**
   * Share of the machine's processors that other programs used: 0 to 1. Undefined in stored runs of older versions.
   */
  readonly othersCpu?: number;
  /** Processors that the server used; null if unknown. */
  readonly serverCores: number | null;
  /**
   * Share of its core that the load used. Near 1, the load may limit the rate instead of the
   * server.
   */
  readonly loadCpu: number;
}
