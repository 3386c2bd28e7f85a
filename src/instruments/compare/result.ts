/**
 * What a comparison has measured, as `--json` writes it. All times are in ms and all sizes in bytes, unless a
 * name says otherwise. Everything else follows from this (findings.ts, recommend.ts).
 */
import type { Environment, Outcomes } from '../load/result.ts';
import type { ComparePlan, Variant } from './plan.ts';

export interface Run {
  /** When it began, in ms since 1970, and how long it took, in s. */
  readonly startedAt: number;
  readonly seconds: number;
  readonly plan: ComparePlan;
  /** Null where not one cell could be measured. */
  readonly environment: Environment | null;
  /** Which cores server and load were kept on; null: the kernel chose. */
  readonly cores: { readonly server: readonly number[]; readonly load: readonly number[] } | null;
  /** How many wanted a processor in the last minute, before and after. */
  readonly load: readonly [before: number, after: number];
  readonly end: 'done' | 'out of time' | 'interrupted';
  /** How many cells there were to be. */
  readonly planned: number;
  /** In the order in which they were measured. */
  readonly cells: readonly Cell[];
  /** Variants that were not run at all, and why. */
  readonly left: readonly { readonly variant: Variant; readonly why: string }[];
}

/** One variant in one round. */
export interface Cell {
  readonly variant: Variant;
  /** From 1. */
  readonly round: number;
  /**
   * - `good`: goes into every figure;
   * - `doubtful`: the load says that it is not to be trusted, or silent clients were not there all the time;
   * - `wrong`: some answers were not what they should have been;
   * - `failed`: there is no measurement.
   */
  readonly state: 'good' | 'doubtful' | 'wrong' | 'failed';
  /** Why it is not good, a sentence each. */
  readonly reasons: readonly string[];
  /** Null where it failed. */
  readonly figures: Figures | null;
}

export interface Figures {
  /** Right answers per second, over all connections. */
  readonly rate: number;
  /** Response time; null where nothing was answered. */
  readonly p50: number | null;
  readonly p99: number | null;
  /** µs on a processor per answer, of the server and all its processes. */
  readonly cpu: number | null;
  /** Context switches per answer. */
  readonly switches: number | null;
  /** PSS of all its processes together, in bytes, at the most: what the server adds to the machine. */
  readonly memory: number | null;
  readonly connections: number;
  /** Of these, who asked and got no answer in the measured time. */
  readonly neverAnswered: number;
  /** Answers of the connection that had most. */
  readonly mostAnswers: number;
  /** Jain's index over connections: 1 all alike, 1/n one has all. */
  readonly fairness: number | null;
  readonly answers: number;
  /** How questions and connections ended other than with an answer in time; only those that occurred. */
  readonly troubles: Partial<Outcomes>;
  /** Processors that the server kept busy; null where unknown. */
  readonly serverCores: number | null;
  /** Share of its core that the load used: near 1 it, and not the server, may be what limits the rate. */
  readonly loadCpu: number;
}
