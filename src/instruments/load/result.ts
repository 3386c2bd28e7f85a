/**
 * What a run of load has found, as `--json` writes it. All times are in ms, all sizes in bytes, all rates
 * per second, unless a name says otherwise. Warm-up is in none of the figures, but for `connections.opened`: in
 * the open loop the questions count that were due in a stage that counts, in the closed loop those that were
 * not over when warm-up was.
 */
import type { LoadPlan } from './plan.ts';

export interface LoadResult {
  readonly schema: 'mondo-load-1';
  /** When the measured time began, in ms since 1970. */
  readonly startedAt: number;
  readonly plan: LoadPlan;
  /** How long the measured time was, in s: that of the plan, or less where the run was interrupted. */
  readonly seconds: number;
  readonly totals: Totals;
  /** How each question and each attempt to connect ended. */
  readonly outcomes: Outcomes;
  /** From the real sending of a question to its answer: what the server and the way to it took. */
  readonly service: Latency;
  /** From the moment a question was due to its answer: what its sender felt. The same as `service` in a closed loop without think time. */
  readonly response: Latency;
  /** One entry per second of the measured time; the last may be short. */
  readonly series: readonly Second[];
  readonly heat: HeatMap;
  readonly connections: Connections;
  readonly validity: Validity;
  /** What the server's processes cost, where it is local and known by `--pid`; else null. */
  readonly server: ServerSide | null;
  readonly environment: Environment;
}

export interface Totals {
  /** Questions that were due, sent or not. */
  readonly questions: number;
  /** Right answers to them, late ones included; each is one sample in both histograms. */
  readonly answers: number;
  /** Right answers that arrived in the measured time, per second. */
  readonly rate: number;
  /** What the plan wanted on average; null in a closed loop, which wants no rate. */
  readonly wantedRate: number | null;
  /** All outcomes but `answered` and `late`. */
  readonly errors: number;
  readonly bytesSent: number;
  readonly bytesReceived: number;
}

/** Counts. Every question that was due ends as one of the first nine. */
export interface Outcomes {
  /** The right answer, in time. */
  readonly answered: number;
  /** The right answer, later than the plan's `deadline`. */
  readonly late: number;
  /** An answer that is not the expected one; its connection is closed and opened again. */
  readonly wrong: number;
  /** The peer reset the connection (or it broke) before the first byte of the answer. */
  readonly resetBefore: number;
  /** … after some of the answer's bytes. */
  readonly resetInside: number;
  /** The peer closed in order, before the first byte of the answer. */
  readonly closedBefore: number;
  /** … after some of the answer's bytes. */
  readonly closedInside: number;
  /** Sent, and given up after the plan's `timeout`. */
  readonly timedOut: number;
  /** Still unanswered, or not even sent, when the run was over. */
  readonly neverServed: number;
  /** Connections that the peer refused. */
  readonly refused: number;
  /** Attempts to connect that were given up after `connectTimeout`. */
  readonly connectTimeout: number;
  /** Attempts that failed for another reason: unreachable, reset while connecting. */
  readonly connectFailed: number;
  /** Attempts that failed because this machine had no port left. */
  readonly noPorts: number;
  /** Attempts that failed because this process had no descriptor left. */
  readonly noDescriptors: number;
  /** Connections on which bytes came that nobody had asked for. */
  readonly extraBytes: number;
}

/** A histogram: percentiles to read, and the whole of it to add and to plot. */
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
  /** The curve, from 0 to 100 percent, closer together towards 100; for an axis of 1 / (1 − percentile/100). */
  readonly percentiles: readonly { readonly percentile: number; readonly ms: number }[];
  /** HdrHistogram V2, compressed, base64; values in ns, 3 significant digits. */
  readonly hdr: string;
}

/** One second of the measured time. */
export interface Second {
  /** Its beginning, in s since the measured time began. */
  readonly at: number;
  /** How long it was, in s. */
  readonly seconds: number;
  /** Right answers per second that arrived in it. */
  readonly rate: number;
  /** What the plan wanted in it, per second; null in a closed loop. */
  readonly wantedRate: number | null;
  /** Response time of the answers that arrived in it; null where there were none. */
  readonly p50: number | null;
  readonly p99: number | null;
  readonly max: number | null;
  /** The same of service time. */
  readonly serviceP50: number | null;
  readonly serviceP99: number | null;
  /** Outcomes in it other than an answer, connecting included. */
  readonly errors: number;
  /** Questions in flight at its end. */
  readonly inFlight: number;
  /** Questions due and not yet sent at its end, as their connection was busy or not there. */
  readonly waiting: number;
  /** Open connections at its end. */
  readonly open: number;
  /** Connections with questions open that had no answer in it. */
  readonly starved: number;
  /** Largest lag of our own schedule in it. */
  readonly lag: number;
  /** Share of one core that our loop used: 0 to 1. */
  readonly cpu: number;
}

/** Response times over time. `counts[column][row]`; rows are the same in all columns. */
export interface HeatMap {
  /** Beginning of each column, in s since the measured time began; a column is one second of `series`. */
  readonly columns: readonly number[];
  /** Least response time of each row, in ms, from fast to slow: four rows for each doubling. */
  readonly rows: readonly number[];
  readonly counts: readonly (readonly number[])[];
}

/** Who was served, over connections. A connection that is opened again stays the same one here. */
export interface Connections {
  /** How many this run had (its shard's share). */
  readonly count: number;
  /** How many times one was opened, warm-up included. */
  readonly opened: number;
  /** Connections that asked and were never answered in the measured time. */
  readonly neverAnswered: number;
  /** Jain's index over answers per connection: 1 all alike, 1/n one has all. Null without answers. */
  readonly fairness: number | null;
  /** Answers of the connection that had fewest, the middle one, and that had most. */
  readonly answers: { readonly least: number; readonly median: number; readonly most: number };
  /** From the beginning of the schedule, or of connecting if that was later, to the first answer; over connections that had one. Null where none had. */
  readonly firstAnswer: {
    readonly median: number;
    readonly p99: number;
    readonly max: number;
  } | null;
  /** The connection whose p99 of response time is the largest. Null without answers. */
  readonly worst: {
    readonly connection: number;
    readonly p99: number;
    readonly answers: number;
  } | null;
  /** Per connection, in order, where there are at most 1,000; else every n-th of them. */
  readonly each: readonly {
    readonly connection: number;
    readonly answers: number;
    readonly firstAnswer: number | null;
    readonly p99: number | null;
  }[];
}

/** Whether the run is to be believed. */
export interface Validity {
  /** False if there is a reason; `mondo load` then exits 4. */
  readonly trusted: boolean;
  /** Each a sentence that says what was wrong and what to do. */
  readonly reasons: readonly string[];
  /** What a reader should know all the same; nothing that makes the run invalid. */
  readonly notes: readonly string[];
  /** True after Ctrl-C: what there is was measured, but it is not the plan. */
  readonly interrupted: boolean;
  /** Lag of our own schedule: from the moment a question was due to the turn of our loop that saw it. Null in a closed loop without think time. */
  readonly lag: { readonly p50: number; readonly p99: number; readonly max: number } | null;
  /** Share of one core that the loop used: 0 to 1. */
  readonly cpu: number;
  /** When the thread that asks was stopped or had no processor, for longer than `maxLag` at a time. */
  readonly stalls: {
    /** Of the measured time, 0 to 1. */
    readonly share: number;
    readonly longest: number;
  };
  /** Reached against wanted rate: 1 is all; null in a closed loop. */
  readonly rateRatio: number | null;
}

/** Costs of a local server, all its processes and threads together. */
export interface ServerSide {
  readonly pid: number;
  /** Over the measured time. */
  readonly totals: {
    /** On processors, in s; and per answer in µs. */
    readonly cpuSeconds: number;
    readonly cpuMicrosecondsPerAnswer: number | null;
    /** Context switches, voluntary and not; and per answer. */
    readonly switches: number;
    readonly switchesPerAnswer: number | null;
    /** Largest memory seen, in bytes: PSS, summed over processes. */
    readonly peakMemory: number;
  };
  /** About one per second, on the time line of `series`. */
  readonly samples: readonly ServerSample[];
}

export interface ServerSample {
  /** In s since the measured time began. */
  readonly at: number;
  /** Processors used since the sample before: 1 is one core. */
  readonly cpu: number;
  /** Context switches per second since the sample before. */
  readonly switches: number;
  readonly processes: number;
  readonly threads: number;
  /** PSS in bytes, summed over processes: shared pages count once. */
  readonly memory: number;
  readonly descriptors: number;
  /** Connections that wait to be accepted; null where the listener is not to be seen. */
  readonly acceptQueue: number | null;
}

/** Where it ran: figures of two runs compare only where these are alike. */
export interface Environment {
  readonly platform: string;
  readonly kernel: string;
  readonly cpu: string;
  readonly cores: number;
  readonly node: string;
  readonly mondo: string;
  /** Which of our loops asked. */
  readonly engine: 'uring' | 'epoll';
  readonly descriptorLimit: number | null;
  readonly somaxconn: number | null;
}

/** What is known while a run goes on, about four times a second. */
export interface Progress {
  readonly phase: 'waiting' | 'connecting' | 'warm-up' | 'measuring' | 'finishing';
  /** Since the schedule began, and in all, in s. */
  readonly elapsed: number;
  readonly total: number;
  /** Of the last full second. */
  readonly rate: number;
  readonly wantedRate: number | null;
  readonly p50: number | null;
  readonly p99: number | null;
  /** Since the measured time began. */
  readonly answers: number;
  readonly errors: number;
  readonly open: number;
}

export interface RunOptions {
  /** Ends the run; what was measured until then is the result, with `validity.interrupted`. */
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: Progress) => void;
}
