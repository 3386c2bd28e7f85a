/**
 * The records of the lab: wire, rewind buffer, recording and tests use the same. No Node and no DOM in here.
 *
 * All times `t` are ms since the recording began, with µs as fraction. Rows of integers are flat arrays: a frame of
 * 400 events is then one short line of JSON. Counters only grow, so a frame that got lost is made up by the next.
 */

import { states } from '../../../worker/states.ts';
import type { Mix, StagePlan } from './plan.ts';
import { isShown } from './shown.ts';

export const FORMAT = 'mondolab';
/** Readers refuse another version. A new kind of record, or a new field, needs no new version: readers skip it. */
export const VERSION = 1;

/** What a lane does: the states of the scoreboard, and one more. Recordings have the numbers. */
export const LANE = {
  ...states,
  /** Has work and has made no turn for a while. */
  stuck: 9,
} as const;
export type LaneState = (typeof LANE)[keyof typeof LANE];

/** What the kernel says of a lane's thread. */
export const KERNEL = {
  unknown: 0,
  /** On a processor. */
  running: 1,
  /** Could run, and its time in the run queue grows: it wants a processor. */
  runnable: 2,
  /** Interruptible sleep (S). */
  asleep: 3,
  /** Uninterruptible sleep (D). */
  blocked: 4,
  /** Stopped by a signal (T). */
  stopped: 5,
} as const;
export type KernelState = (typeof KERNEL)[keyof typeof KERNEL];

export const EVENT = {
  /** The client has called connect. */
  connecting: 0,
  /** Its connect returned: it is in the kernel's queue, or further. Its `extra` is the local port. */
  connected: 1,
  /** It is in the server's own queue. */
  queued: 2,
  /** A lane has taken it. */
  accepted: 3,
  /** It has sent a whole question; `extra` is its bytes. */
  asked: 4,
  /** It has a right answer; `extra` is the wait in µs. */
  answered: 5,
  /** It has an answer to another question, or none at all where one had to come. */
  wrong: 6,
  /** It closed in order. */
  left: 7,
  /** It closed inside a question. */
  hungUp: 8,
  /** A limit ended it; `extra` is an index of `reasons` (worker/reasons.ts). */
  limited: 9,
  /** It was refused; `extra` is an index of `reasons`, or -1. */
  refused: 10,
  /** Its connection was reset. */
  reset: 11,
  /** The server cut it at a stop or a restart, or its worker died. */
  cut: 12,
} as const;
export type EventKind = (typeof EVENT)[keyof typeof EVENT];
/** With these, a client's visit to a server is over. */
export const ENDS: ReadonlySet<number> = new Set([
  EVENT.left,
  EVENT.hungUp,
  EVENT.limited,
  EVENT.refused,
  EVENT.reset,
  EVENT.cut,
]);

/** Where a client is. */
export const PLACE = {
  connecting: 0,
  /** In the kernel's queue: connected, and not accepted. */
  kernel: 1,
  /** In the server's own queue. */
  queue: 2,
  /** Accepted. */
  served: 3,
} as const;
export type Place = (typeof PLACE)[keyof typeof PLACE];

export const PROBE = { off: 0, green: 1, red: 2 } as const;

/** Integers of one row of each array of a frame. */
export const WIDTH = { l: 8, e: 5, w: 2, r: 6, v: 2, n: 2, x: 5, y: 5, z: 3 } as const;

/** Limits of what a reader takes. */
export const MOST = {
  stages: 4,
  lanes: 4096,
  /** Threads of a stage of which more is known than their lanes say. */
  threads: 64,
  clients: 2000,
  events: 4096,
  buckets: 64,
  text: 4096,
  /** Functions of one stage that are set aside: two of each client. */
  aside: 4000,
  /** Files of code of one stage, and characters of each. */
  files: 32,
  code: 65_536,
} as const;

export interface StageSetup {
  readonly architecture: string;
  /** What it was started with. */
  readonly plan: StagePlan;
  readonly threads: number;
  readonly processes: number;
  /** Places of the server's own queue; 0: it has none. */
  readonly queue: number;
  /** Greatest number in the kernel's queue. A backlog of 8 holds 9. */
  readonly limit: number;
  /** What an answer costs, in ms. */
  readonly think: number;
  /** Whether an answer keeps its thread, or is promised and comes later. */
  readonly thinking: 'block' | 'defer';
  /** The supervisor's. 0: unknown. */
  readonly pid: number;
  readonly port: number;
  /** The command that starts the same server. */
  readonly command: string;
  /** Limits that are set: name of the option and its value. */
  readonly limits: readonly (readonly [name: string, value: number])[];
  /** The server only reports what the limits would end. */
  readonly dryRun: boolean;
}

export interface Setup {
  readonly scene: string;
  readonly title: string;
  readonly seed: number;
  readonly mix: Mix;
  readonly stages: readonly StageSetup[];
}

/** The first record. */
export interface HeaderRecord {
  readonly k: 'h';
  readonly format: typeof FORMAT;
  readonly version: number;
  readonly mondo: string;
  /** ms since 1970. */
  readonly at: number;
  readonly machine: { readonly kernel: string; readonly cpus: number; readonly node: string };
  readonly setup: Setup;
}

/**
 * What one stage did since its last frame. Each array may be absent: then nothing of it has changed. Hub and street
 * may each send frames of a stage; their times do not go back.
 */
export interface FrameRecord {
  readonly k: 'f';
  /** Index of the stage. */
  readonly s: number;
  readonly t: number;
  /**
   * Events are of 1 of this many clients of the cast, those with `isTold`. It is a power of two, and grows only.
   * Absent: as before, at first 1. Counters and waits are of all clients.
   */
  readonly every?: number;
  /** Kernel queue: waiting, its limit; own queue: waiting. */
  readonly q?: readonly number[];
  /** By the server: open; and ever-growing: accepted, answered, ended by a limit, refused. */
  readonly c?: readonly number[];
  /** By the clients, ever-growing: connected, asked, answered, wrong, ended or refused by the server, reset, left. */
  readonly u?: readonly number[];
  /** Each changed lane: row, tid, pid, state, share of that state in %, open, client or -1, kernel state. */
  readonly l?: readonly number[];
  /** Events: µs since `t` (may be negative), client, kind, lane or -1, extra. */
  readonly e?: readonly number[];
  /** All clients that the kernel names in its queue: client, bytes that lie there. */
  readonly w?: readonly number[];
  /**
   * All clients, after a gap and every 2 s: client, place, lane or -1, since when (µs before `t`) it is there, since
   * when it waits for an answer (µs before `t`; -1: for none), answers so far.
   */
  readonly r?: readonly number[];
  /** With `r`, the clients that called connect at a known time: client, and µs before `t`. */
  readonly v?: readonly number[];
  /** Waits for answers, ever-growing: bucket i counts those of 2^i to 2^(i+1) µs. */
  readonly h?: readonly number[];
  /** Probe: light, ms since its last answer, ms of the last recovery or -1. */
  readonly p?: readonly number[];
  /** Cost: MiB, processor in % of one, processes, threads. */
  readonly m?: readonly number[];
  /** All processes of the server: pid, MiB. */
  readonly n?: readonly number[];
}

/** A stage starts again with another set-up, or all do if `s` is -1. If `s` is -2, only the set-up changes. */
interface SceneRecord {
  readonly k: 's';
  readonly t: number;
  readonly s: number;
  readonly setup: Setup;
}

/** A viewer pressed a button. */
export interface CommandRecord {
  readonly k: 'c';
  readonly t: number;
  /** -1: all stages. */
  readonly s: number;
  /** As a person reads it. */
  readonly text: string;
}

/** Records of a stage were dropped, or of all if `s` is -1; a frame with `r` comes next. */
interface GapRecord {
  readonly k: 'gap';
  readonly t: number;
  readonly s: number;
  readonly lost: number;
}

/** An attack on a stage begins, is measured, or ends. */
export interface AttackRecord {
  readonly k: 'a';
  readonly t: number;
  readonly s: number;
  /** Its name in `mondo siege`; '': no attack runs. */
  readonly attack: string;
  /** What it reaches of what it intends, in %; -1: not known yet. */
  readonly reached: number;
}

/** What the lab itself costs, in % of one processor. */
interface CostRecord {
  readonly k: 'o';
  readonly t: number;
  readonly servers: number;
  readonly clients: number;
  readonly lab: number;
}

/** The text of a file of code whose lines a stage's trace names. */
export interface CodeRecord {
  readonly k: 'd';
  readonly t: number;
  readonly s: number;
  /** Number of the file in this stage, from 0. */
  readonly file: number;
  readonly name: string;
  readonly text: string;
}

/** Lines that a traced stage has begun, and functions that it has set aside. */
export interface TraceRecord {
  readonly k: 'x';
  readonly t: number;
  readonly s: number;
  /** Each line: µs since `t` (may be negative), thread, file, line from 1 or 0: the thread has ended, client or -1. */
  readonly x: readonly number[];
  /**
   * Each function that waits at a `yield` or an `await` and keeps no thread: µs since `t` (may be negative), its number,
   * file, line or 0: it goes on, client or -1.
   */
  readonly y?: readonly number[];
}

/** More of the threads of a stage than their lanes say: once a second, if it has changed. It replaces the one before. */
export interface ThreadsRecord {
  readonly k: 'z';
  readonly t: number;
  readonly s: number;
  /** Each thread: its number, the connections that it has accepted, and an index of `channels` or -1. */
  readonly z: readonly number[];
  /** Wait channels: functions of the kernel in which a thread sleeps. */
  readonly channels: readonly string[];
}

interface EndRecord {
  readonly k: 'end';
  readonly t: number;
}

export type LabRecord =
  | HeaderRecord
  | FrameRecord
  | SceneRecord
  | CommandRecord
  | GapRecord
  | CostRecord
  | AttackRecord
  | CodeRecord
  | TraceRecord
  | ThreadsRecord
  | EndRecord;

/** Whether a client has events, if 1 of `every` of the cast has. All clients that are not of the cast have. */
export const isTold = (seed: number, client: number, every: number): boolean =>
  every === 1 || client > MOST.clients || isShown(seed, client, every);
