/**
 * The result of a run of load, as `--json` writes it.
 *
 * All times are in ms, sizes in bytes, and rates per second, unless a name says otherwise. No
 * figure includes warm-up, except `connections.opened`. In the open loop, a question counts if it
 * was due in a measured stage. In the closed loop, it counts if it ended after warm-up.
 */
import type { LoadPlan } from './plan.ts';

/**
 * The result of a run. Compare two results only if their `environment` is alike.
 *
 * @example
 * ```ts
 * import type { LoadResult } from 'mondo';
 *
 * export const line = ({ totals, response, validity }: LoadResult): string =>
 *   `${totals.rate} per second, p99 ${response.p99} ms${validity.trusted ? '' : ', not to be trusted'}`;
 * ```
 */
export interface LoadResult {
  readonly schema: 'mondo-load-1';
  /** When the measured time began, in ms since 1970. */
  readonly startedAt: number;
  readonly plan: LoadPlan;
  /** Length of the measured time, in s: as planned, or less if the run was interrupted. */
  readonly seconds: number;
  readonly totals: Totals;
  /** How each question and each attempt to connect ended. */
  readonly outcomes: Outcomes;
  /** The errors behind `outcomes.connectFailed`: how often each occurred, by its name, such as `ENETUNREACH`. */
  readonly connectErrors: Readonly<Record<string, number>>;
  /** From sending a question to its answer: the time of the server and the network. */
  readonly service: Latency;
  /**
   * From the due time of a question to its answer: the time that its sender experiences. In a
   * closed loop without think time, it equals `service`.
   */
  readonly response: Latency;
  /** One entry per second of the measured time; the last may be short. */
  readonly series: readonly Second[];
  readonly heat: HeatMap;
  readonly connections: Connections;
  readonly validity: Validity;
  /** Costs of the server's processes, if it is local and given by `--pid`; otherwise null. */
  readonly server: ServerSide | null;
  readonly environment: Environment;
}

/**
 * Sums over the measured time.
 *
 * @example
 * ```ts
 * import type { Totals } from 'mondo';
 *
 * export const errorShare = ({ errors, questions }: Totals): number => errors / questions;
 * ```
 */
export interface Totals {
  /** Questions that were due, sent or not. */
  readonly questions: number;
  /** Right answers to them, including late ones. Each is one sample in both histograms. */
  readonly answers: number;
  /** Right answers that arrived in the measured time, per second. */
  readonly rate: number;
  /** Average rate that the plan wanted; null in a closed loop. */
  readonly wantedRate: number | null;
  /** All outcomes except `answered` and `late`. */
  readonly errors: number;
  readonly bytesSent: number;
  readonly bytesReceived: number;
}

/**
 * Counts. Every due question ends as one of the first nine.
 *
 * @example
 * ```ts
 * import type { Outcomes } from 'mondo';
 *
 * export const cutOff = (outcomes: Outcomes): number =>
 *   outcomes.resetBefore + outcomes.resetInside + outcomes.closedBefore + outcomes.closedInside;
 * ```
 */
export interface Outcomes {
  /** The right answer, in time. */
  readonly answered: number;
  /** The right answer, later than the plan's `deadline`. */
  readonly late: number;
  /** Not the expected answer. The connection is closed and opened again. */
  readonly wrong: number;
  /** The peer reset the connection (or it broke) before the first byte of the answer. */
  readonly resetBefore: number;
  /** The same, after some bytes of the answer. */
  readonly resetInside: number;
  /** The peer closed the connection before the first byte of the answer. */
  readonly closedBefore: number;
  /** The same, after some bytes of the answer. */
  readonly closedInside: number;
  /** Sent, and not answered within the plan's `timeout`. */
  readonly timedOut: number;
  /** Unanswered, or not even sent, when the run ended. */
  readonly neverServed: number;
  /** Connections that the peer refused. */
  readonly refused: number;
  /** Attempts to connect that took longer than `connectTimeout`. */
  readonly connectTimeout: number;
  /**
   * Attempts that failed for another reason, such as an unreachable host or a reset during the
   * handshake.
   */
  readonly connectFailed: number;
  /** Attempts that failed because this machine had no free port. */
  readonly noPorts: number;
  /** Attempts that failed because this process had no free descriptor. */
  readonly noDescriptors: number;
  /** Connections on which the server sent bytes without a question. */
  readonly extraBytes: number;
}

/**
 * A histogram of times: percentiles to read, and the encoded whole to add and to plot.
 *
 * @example
 * ```ts
 * import type { Latency } from 'mondo';
 *
 * export const spread = ({ p50, p99 }: Latency): string => `p99 is ${(p99 / p50).toFixed(1)} × p50`;
 * ```
 */
export interface Latency {
  readonly count: number;
  readonly min: number;
  readonly mean: number;
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
  readonly p999: number;
  readonly p9999: number;
  readonly max: number;
  /**
   * The percentile curve from 0 to 100 percent, denser towards 100; for an axis of 1 / (1 −
   * percentile/100).
   */
  readonly percentiles: readonly { readonly percentile: number; readonly ms: number }[];
  /** HdrHistogram V2, compressed, base64; values in ns, 3 significant digits. */
  readonly hdr: string;
}

/**
 * One second of the measured time.
 *
 * @example
 * ```ts
 * import type { Second } from 'mondo';
 *
 * export const stalled = (series: readonly Second[]): number[] =>
 *   series.filter(({ rate, open }) => rate === 0 && open > 0).map(({ at }) => at);
 * ```
 */
export interface Second {
  /** Its start, in s since the measured time began. */
  readonly at: number;
  /** Its length, in s. */
  readonly seconds: number;
  /** Right answers per second that arrived in it. */
  readonly rate: number;
  /** Rate that the plan wanted in it, per second; null in a closed loop. */
  readonly wantedRate: number | null;
  /** Response time of the answers that arrived in it; null without answers. */
  readonly p50: number | null;
  readonly p99: number | null;
  readonly max: number | null;
  /** Service time of the same answers. */
  readonly serviceP50: number | null;
  readonly serviceP99: number | null;
  /** Outcomes in it other than a right answer, including failed attempts to connect. */
  readonly errors: number;
  /** Questions in flight at its end. */
  readonly inFlight: number;
  /**
   * Questions that are due and not sent at its end, because their connection is busy or not open.
   */
  readonly waiting: number;
  /** Open connections at its end. */
  readonly open: number;
  /** Connections with open questions and no answer in it. */
  readonly starved: number;
  /** Largest lag of our own schedule in it. */
  readonly lag: number;
  /** Share of one core that our loop used: 0 to 1. */
  readonly cpu: number;
}

/**
 * Response times over time. `counts[column][row]`; every column has the same rows.
 *
 * @example
 * ```ts
 * import type { HeatMap } from 'mondo';
 *
 * // Answers that took at least `ms`.
 * export const slower = ({ rows, counts }: HeatMap, ms: number): number =>
 *   counts.flatMap((column) => column.filter((_, row) => rows[row]! >= ms)).reduce((a, b) => a + b, 0);
 * ```
 */
export interface HeatMap {
  /**
   * Start of each column, in s since the measured time began. A column is one second of `series`.
   */
  readonly columns: readonly number[];
  /** Lower bound of each row, in ms, from fast to slow. Each doubling has four rows. */
  readonly rows: readonly number[];
  readonly counts: readonly (readonly number[])[];
}

/**
 * How evenly the connections were served. A connection that is opened again remains the same one
 * here.
 *
 * @example
 * ```ts
 * import type { Connections } from 'mondo';
 *
 * export const starved = ({ neverAnswered, count }: Connections): string =>
 *   `${neverAnswered} of ${count} connections got no answer`;
 * ```
 */
export interface Connections {
  /** Connections of this run (of its shard). */
  readonly count: number;
  /** How many times a connection was opened, warm-up included. */
  readonly opened: number;
  /** Connections that asked and got no answer in the measured time. */
  readonly neverAnswered: number;
  /**
   * Jain's index over answers per connection: 1 if all have the same number, 1/n if one has all.
   * Null without answers.
   */
  readonly fairness: number | null;
  /** Smallest, median and largest number of answers of a connection. */
  readonly answers: { readonly least: number; readonly median: number; readonly most: number };
  /**
   * Time to the first answer, from the start of the schedule, or of the connection attempt if that
   * is later. Over connections with an answer; null if there are none.
   */
  readonly firstAnswer: {
    readonly median: number;
    readonly p99: number;
    readonly max: number;
  } | null;
  /** The connection with the largest p99 of response time. Null without answers. */
  readonly worst: {
    readonly connection: number;
    readonly p99: number;
    readonly answers: number;
  } | null;
  /** Each connection in order, up to 1,000 of them; with more, every n-th. */
  readonly each: readonly {
    readonly connection: number;
    readonly answers: number;
    readonly firstAnswer: number | null;
    readonly p99: number | null;
  }[];
}

/**
 * Whether the run can be trusted.
 *
 * @example
 * ```ts
 * import type { Validity } from 'mondo';
 *
 * export function requireTrust({ trusted, reasons }: Validity): void {
 *   if (!trusted) throw new Error(reasons.join(' '));
 * }
 * ```
 */
export interface Validity {
  /** False if there is a reason; then `mondo load` exits with code 4. */
  readonly trusted: boolean;
  /** Sentences that say what was wrong and what to do. */
  readonly reasons: readonly string[];
  /** Hints for the reader that do not make the run invalid. */
  readonly notes: readonly string[];
  /** True after Ctrl-C: the figures are real, but the plan is incomplete. */
  readonly interrupted: boolean;
  /**
   * Lag of our own schedule: from the due time of a question to the turn of our loop that saw it.
   * Null in a closed loop without think time.
   */
  readonly lag: { readonly p50: number; readonly p99: number; readonly max: number } | null;
  /** Share of one core that the loop used: 0 to 1. */
  readonly cpu: number;
  /**
   * Stalls: the asker thread was stopped or had no processor, for longer than `maxLag` at a time.
   */
  readonly stalls: {
    /** Share of the measured time, 0 to 1. */
    readonly share: number;
    readonly longest: number;
  };
  /** Reached rate divided by wanted rate; null in a closed loop. */
  readonly rateRatio: number | null;
}

/**
 * Costs of a local server, summed over its processes and threads.
 *
 * @example
 * ```ts
 * import type { ServerSide } from 'mondo';
 *
 * export const cost = ({ totals }: ServerSide): string =>
 *   `${totals.cpuMicrosecondsPerAnswer ?? '-'} µs of processor time per answer`;
 * ```
 */
export interface ServerSide {
  readonly pid: number;
  /** Over the measured time. */
  readonly totals: {
    /** CPU time, in s, and per answer in µs. */
    readonly cpuSeconds: number;
    readonly cpuMicrosecondsPerAnswer: number | null;
    /** Voluntary and involuntary context switches, and per answer. */
    readonly switches: number;
    readonly switchesPerAnswer: number | null;
    /** Largest memory seen, in bytes: PSS, summed over processes. */
    readonly peakMemory: number;
  };
  /** About one per second, with times as in `series`. */
  readonly samples: readonly ServerSample[];
}

/**
 * The state of a local server at one moment.
 *
 * @example
 * ```ts
 * import type { ServerSample } from 'mondo';
 *
 * export const mostThreads = (samples: readonly ServerSample[]): number =>
 *   Math.max(...samples.map(({ threads }) => threads));
 * ```
 */
export interface ServerSample {
  /** In s since the measured time began. */
  readonly at: number;
  /** Processors used since the previous sample; 1 is one core. */
  readonly cpu: number;
  /** Context switches per second since the previous sample. */
  readonly switches: number;
  readonly processes: number;
  readonly threads: number;
  /** PSS in bytes, summed over processes: shared pages count once. */
  readonly memory: number;
  readonly descriptors: number;
  /** Connections in the accept queue; null if the listener is not visible. */
  readonly acceptQueue: number | null;
}

/**
 * The machine and the versions. Compare figures of two runs only if these are alike.
 *
 * @example
 * ```ts
 * import type { Environment } from 'mondo';
 *
 * export const isAlike = (one: Environment, other: Environment): boolean =>
 *   one.cpu === other.cpu && one.kernel === other.kernel && one.mondo === other.mondo;
 * ```
 */
export interface Environment {
  /** Name of the machine that drove the load. */
  readonly host?: string;
  /** The nodes of the Slurm step that it belonged to. */
  readonly nodes?: readonly string[];
  readonly platform: string;
  readonly kernel: string;
  readonly cpu: string;
  readonly cores: number;
  readonly node: string;
  readonly mondo: string;
  /** The loop that drove the load. */
  readonly engine: 'uring' | 'epoll';
  readonly descriptorLimit: number | null;
  readonly somaxconn: number | null;
}

/**
 * The progress of a run, about four times a second.
 *
 * @example
 * ```ts
 * import type { Progress } from 'mondo';
 *
 * export const show = ({ phase, elapsed, total }: Progress): void =>
 *   console.log(`${phase}: ${elapsed.toFixed(0)} of ${total} s`);
 * ```
 */
export interface Progress {
  readonly phase: 'waiting' | 'connecting' | 'warm-up' | 'measuring' | 'finishing';
  /** Time since the schedule began, and its total length, in s. */
  readonly elapsed: number;
  readonly total: number;
  /** Rate of the last full second. */
  readonly rate: number;
  readonly wantedRate: number | null;
  readonly p50: number | null;
  readonly p99: number | null;
  /** Since the measured time began. */
  readonly answers: number;
  readonly errors: number;
  readonly open: number;
}

/**
 * The options of a run.
 *
 * @example
 * ```ts
 * import { planOf, type RunOptions, runLoad } from 'mondo';
 *
 * const options: RunOptions = {
 *   signal: AbortSignal.timeout(60_000),
 *   onProgress: ({ rate }) => console.log(rate),
 * };
 * await runLoad(planOf({ connections: 50 }), options);
 * ```
 */
export interface RunOptions {
  /** Stops the run. The result then has what was measured, and `validity.interrupted` is true. */
  readonly signal?: AbortSignal;
  /** Called about four times a second. */
  readonly onProgress?: (progress: Progress) => void;
}
