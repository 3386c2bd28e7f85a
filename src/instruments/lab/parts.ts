/** What the lab asks of its processes. */

import type { LimitName, Mix, Plan, StagePlan } from './shared/plan.ts';
import type { LabRecord, StageSetup } from './shared/records.ts';

export type Hear = (record: LabRecord) => void;

export type Limits = Readonly<Partial<Record<LimitName, number>>>;

/** What an attack needs of the server that it is made for. */
export interface Needs {
  readonly descriptors?: number;
  /** The service whose answers keep a processor busy. */
  readonly burning?: boolean;
}

export interface StageOrder extends Pick<Plan, 'think' | 'thinking'>, Needs {
  readonly s: number;
  readonly plan: StagePlan;
  readonly limits: Limits;
  readonly dryRun: boolean;
  /** Text of `process.hrtime.bigint()` at time 0. */
  readonly epoch: string;
  /** The tracer starts the server, and the stage sends its code and the lines that its threads begin. */
  readonly trace?: boolean;
}

/** A server, and what looks at it. */
export interface Stage {
  readonly setup: StageSetup;
  /** Of its workers. */
  readonly pids: readonly number[];
  readonly port: number;
  /** New workers take over the listener; no client is lost. */
  restart(options: { readonly limits: Limits; readonly dryRun: boolean }): Promise<unknown>;
  /** Stops the server with a drain. */
  stop(): Promise<unknown>;
  signal(pid: number, signal: 'SIGKILL' | 'SIGSTOP' | 'SIGCONT'): unknown;
  /** Resolves with how its process has ended, also when it was ordered to. */
  readonly exited: Promise<string>;
  close(): Promise<unknown>;
}

/** The clients of all stages. */
export interface Street {
  readonly pid: number;
  play(
    stages: readonly { readonly s: number; readonly port: number }[],
    seed: number,
    mix: Mix,
  ): unknown;
  /** All clients of a stage leave. */
  silence(s: number): unknown;
  /** After `silence`: the clients of the last `play` come again from their start. */
  wake(s: number): unknown;
  nc(s: number): unknown;
  release(s: number): unknown;
  probe(s: number, on: boolean): unknown;
  /** An attack has ended: the probe's stopwatch starts. */
  watch(s: number): unknown;
  /** Resolves when its process has ended. */
  readonly ended: Promise<unknown>;
  close(): Promise<unknown>;
}

/** The hostile clients: one attack at a time on each stage. */
export interface Assaults {
  readonly pids: readonly number[];
  needsOf(attack: string): Needs;
  /** Resolves when the first wave is connected. */
  start(s: number, attack: string, stage: Stage, seconds: number): Promise<unknown>;
  stop(s: number): Promise<unknown>;
  close(): Promise<unknown>;
}
