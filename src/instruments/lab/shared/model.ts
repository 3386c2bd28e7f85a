/** What a viewer knows of a lab at one moment; `apply` of reducer.ts makes it of records. No Node and no DOM in here. */

import {
  type CommandRecord,
  type EventKind,
  type HeaderRecord,
  type KernelState,
  type LaneState,
  type Place,
  PROBE,
  type Setup,
  type StageSetup,
} from './records.ts';

export interface Lane {
  readonly row: number;
  readonly tid: number;
  readonly pid: number;
  readonly state: LaneState;
  /** Share of the state in the samples of the last frame, in %. */
  readonly share: number;
  readonly open: number;
  /** The client it serves, or -1. */
  readonly client: number;
  readonly kernel: KernelState;
  /** When state or client last changed. */
  readonly since: number;
}

export interface Client {
  readonly id: number;
  readonly place: Place;
  readonly lane: number;
  /** When it called connect; undefined: not known. */
  readonly came: number | undefined;
  /** When it came to its place. */
  readonly since: number;
  /** When it asked what is not yet answered; undefined: it has not asked. */
  readonly asked: number | undefined;
  /** Bytes of it that lie in the kernel, unread by the server. */
  readonly bytes: number;
  readonly answers: number;
}

/** What is known of a thread besides its lane. */
export interface Thread {
  /** Connections that it has accepted since it started. */
  readonly accepted: number;
  /** The function of the kernel in which it sleeps; '': it does not sleep, or the kernel does not say. */
  readonly channel: string;
}

/** Where a traced thread, or a function that is set aside, is in the code. */
export interface Standing {
  readonly file: number;
  readonly line: number;
  readonly client: number;
  /** When it came to the line. */
  readonly since: number;
}

/** How the visit of a client ended; the last few are kept. */
export interface Ending {
  readonly t: number;
  readonly client: number;
  readonly kind: EventKind;
  /** One of `reasons`, or ''. */
  readonly reason: string;
}

export interface Stage {
  readonly setup: StageSetup;
  readonly t: number;
  readonly queue: { readonly waiting: number; readonly limit: number; readonly own: number };
  readonly server: {
    readonly open: number;
    readonly accepted: number;
    readonly answered: number;
    readonly limited: number;
    readonly refused: number;
  };
  readonly users: {
    readonly connected: number;
    readonly asked: number;
    readonly answered: number;
    readonly wrong: number;
    readonly ended: number;
    readonly reset: number;
    readonly left: number;
  };
  readonly lanes: ReadonlyMap<number, Lane>;
  /** By the number of the thread. */
  readonly threads: ReadonlyMap<number, Thread>;
  readonly clients: ReadonlyMap<number, Client>;
  /** `clients` has 1 of this many of the cast. */
  readonly every: number;
  readonly endings: readonly Ending[];
  /** See `FrameRecord.h`. */
  readonly waits: readonly number[];
  readonly probe: { readonly light: number; readonly since: number; readonly recovery: number };
  /** MiB of each process, by its pid. */
  readonly memory: ReadonlyMap<number, number>;
  readonly cost: {
    readonly memory: number;
    readonly processor: number;
    readonly processes: number;
    readonly threads: number;
  };
  /** `name` is '' while no attack runs; `until` is when the last one ended. */
  readonly attack: {
    readonly name: string;
    readonly reached: number;
    readonly since: number;
    readonly until: number;
  };
  /** Files of code that the trace names. */
  readonly code: ReadonlyMap<number, { readonly name: string; readonly text: string }>;
  /** The line that each traced thread is on. */
  readonly lines: ReadonlyMap<number, Standing>;
  /** Where each traced function waits that keeps no thread, by its number. */
  readonly asides: ReadonlyMap<number, Standing>;
  /** Records lost; places are uncertain until a roster comes. */
  readonly lost: number;
  readonly isUncertain: boolean;
}

export interface Model {
  readonly header: HeaderRecord | undefined;
  readonly setup: Setup | undefined;
  readonly t: number;
  readonly stages: readonly Stage[];
  /** The last few commands. */
  readonly commands: readonly CommandRecord[];
  readonly cost: { readonly servers: number; readonly clients: number; readonly lab: number };
  readonly hasEnded: boolean;
}

/** The model before the first record. */
export const nothing: Model = {
  header: undefined,
  setup: undefined,
  t: 0,
  stages: [],
  commands: [],
  cost: { servers: 0, clients: 0, lab: 0 },
  hasEnded: false,
};

/** A stage of which no record has come. */
export const newStage = (setup: StageSetup, t: number): Stage => ({
  setup,
  t,
  queue: { waiting: 0, limit: setup.limit, own: 0 },
  server: { open: 0, accepted: 0, answered: 0, limited: 0, refused: 0 },
  users: { connected: 0, asked: 0, answered: 0, wrong: 0, ended: 0, reset: 0, left: 0 },
  lanes: new Map(),
  threads: new Map(),
  clients: new Map(),
  every: 1,
  endings: [],
  waits: [],
  probe: { light: PROBE.off, since: 0, recovery: -1 },
  memory: new Map(),
  cost: { memory: 0, processor: 0, processes: 0, threads: 0 },
  attack: { name: '', reached: -1, since: 0, until: 0 },
  code: new Map(),
  lines: new Map(),
  asides: new Map(),
  lost: 0,
  isUncertain: false,
});
