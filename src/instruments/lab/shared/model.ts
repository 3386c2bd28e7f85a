/**
 * The records of the lab, and the one function that makes a picture's model of them. Wire, rewind buffer, recording
 * and tests use the same records: live is a replay with the newest record. No Node and no DOM in here.
 *
 * All times `t` are ms since the recording began, with µs as fraction. Rows of integers are flat arrays: a frame of
 * 400 events is then one short line of JSON. Counters only grow, so a frame that got lost is made up by the next.
 */

import { isShown } from './shown.ts';

export const FORMAT = 'mondolab';
/** Readers refuse another version. A new kind of record, or a new field, needs no new version: readers skip it. */
export const VERSION = 1;

/** What a lane does. The first nine are the states of the scoreboard, in its order. */
export const LANE = {
  free: 0,
  starting: 1,
  accepting: 2,
  receiving: 3,
  answering: 4,
  sending: 5,
  waiting: 6,
  asleep: 7,
  ended: 8,
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
  /** A limit ended it; `extra` is an index of `REASONS`. */
  limited: 9,
  /** It was refused; `extra` is an index of `REASONS`, or -1. */
  refused: 10,
  /** Its connection was reset. */
  reset: 11,
  /** The server cut it at a stop or a restart, or its worker died. */
  cut: 12,
} as const;
export type EventKind = (typeof EVENT)[keyof typeof EVENT];

/** In the order of the scoreboard's counts. */
export const REASONS = [
  'idle',
  'question-time',
  'answer-time',
  'age',
  'question-size',
  'questions',
  'unsent-total',
  'deny',
  'allow',
  'accepts-per-second',
  'connections-per-address',
  'connections',
  'early',
  'descriptor',
] as const;

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
export const WIDTH = { l: 8, e: 5, w: 2, r: 6, x: 5 } as const;

/** Limits of what a reader takes. */
export const MOST = {
  stages: 4,
  lanes: 4096,
  clients: 2000,
  events: 4096,
  buckets: 64,
  text: 4096,
  /** Files of code of one stage, and characters of each. */
  files: 32,
  code: 65_536,
} as const;

/** The clients that come to each stage. Times in ms. `cast.ts` makes the clients of it. */
export interface Mix {
  /** Number of clients; the others below are among them. */
  readonly clients: number;
  /** Connect and send nothing. */
  readonly silent: number;
  /** Send their questions a few bytes at a time. */
  readonly slow: number;
  /** Close inside a question, and come again. */
  readonly leaving: number;
  /** Send all their questions at once. */
  readonly pipelining: number;
  /** Mean pause before a question. */
  readonly pause: number;
  /** Questions before a client leaves, and comes again; 0: it stays. */
  readonly questions: number;
}

export interface StageSetup {
  readonly architecture: string;
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
  /** Waits for answers, ever-growing: bucket i counts those of 2^i to 2^(i+1) µs. */
  readonly h?: readonly number[];
  /** Probe: light, ms since its last answer, ms of the last recovery or -1. */
  readonly p?: readonly number[];
  /** Cost: MiB, processor in % of one, processes, threads. */
  readonly m?: readonly number[];
}

/** A stage starts again with another set-up, or all do if `s` is -1. If `s` is -2, only the set-up changes. */
export interface SceneRecord {
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
export interface GapRecord {
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
export interface CostRecord {
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

/** Lines that a traced stage has begun. */
export interface TraceRecord {
  readonly k: 'x';
  readonly t: number;
  readonly s: number;
  /** Each line: µs since `t` (may be negative), thread, file, line from 1 or 0: the thread has ended, client or -1. */
  readonly x: readonly number[];
}

export interface EndRecord {
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
  | EndRecord;

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
  /** When it came to its place. */
  readonly since: number;
  /** When it asked what is not yet answered; undefined: it has not asked. */
  readonly asked: number | undefined;
  /** Bytes of it that lie in the kernel, unread by the server. */
  readonly bytes: number;
  readonly answers: number;
}

/** Where a traced thread is in the code. */
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
  /** One of `REASONS`, or ''. */
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
  readonly clients: ReadonlyMap<number, Client>;
  /** `clients` has 1 of this many of the cast. */
  readonly every: number;
  readonly endings: readonly Ending[];
  /** See `FrameRecord.h`. */
  readonly waits: readonly number[];
  readonly probe: { readonly light: number; readonly since: number; readonly recovery: number };
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

const KEPT = 32;
/** The two ends of a connection report its end within this time, in ms. */
const SAME_ENDING = 1000;
/** A server's account of a visit is at most this much earlier than the client's, in ms. */
const SAME_VISIT = 20;

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

const newStage = (setup: StageSetup, t: number): Stage => ({
  setup,
  t,
  queue: { waiting: 0, limit: setup.limit, own: 0 },
  server: { open: 0, accepted: 0, answered: 0, limited: 0, refused: 0 },
  users: { connected: 0, asked: 0, answered: 0, wrong: 0, ended: 0, reset: 0, left: 0 },
  lanes: new Map(),
  clients: new Map(),
  every: 1,
  endings: [],
  waits: [],
  probe: { light: PROBE.off, since: 0, recovery: -1 },
  cost: { memory: 0, processor: 0, processes: 0, threads: 0 },
  attack: { name: '', reached: -1, since: 0, until: 0 },
  code: new Map(),
  lines: new Map(),
  lost: 0,
  isUncertain: false,
});

/**
 * The next model. It changes nothing of the given one: each model is a snapshot that a viewer may go back to.
 * Records of unknown kinds, and frames of a stage that is not there, leave the model as it is.
 */
export function apply(model: Model, record: LabRecord): Model {
  switch (record.k) {
    case 'h':
      return {
        ...nothing,
        header: record,
        setup: record.setup,
        stages: record.setup.stages.map((setup) => newStage(setup, 0)),
      };
    case 'f': {
      const stage = model.stages[record.s];
      if (stage === undefined) return model;
      const next = { ...model, t: Math.max(model.t, record.t) };
      const seed = model.setup?.seed ?? 0;
      return { ...next, stages: model.stages.with(record.s, applyFrame(stage, record, seed)) };
    }
    case 's': {
      const stages = record.setup.stages.map((setup, index) => {
        const before = model.stages[index];
        const isNew = record.s === -1 || record.s === index || before === undefined;
        return isNew ? newStage(setup, record.t) : { ...before, setup };
      });
      return { ...model, t: Math.max(model.t, record.t), setup: record.setup, stages };
    }
    case 'c':
      return {
        ...model,
        t: Math.max(model.t, record.t),
        commands: [...model.commands, record].slice(-KEPT),
      };
    case 'gap': {
      const stages = model.stages.map((stage, index) =>
        record.s === -1 || record.s === index
          ? { ...stage, lost: stage.lost + record.lost, isUncertain: true }
          : stage,
      );
      return { ...model, t: Math.max(model.t, record.t), stages };
    }
    case 'o': {
      const { servers, clients, lab } = record;
      return { ...model, t: Math.max(model.t, record.t), cost: { servers, clients, lab } };
    }
    case 'a':
    case 'd':
    case 'x': {
      const stage = model.stages[record.s];
      if (stage === undefined) return model;
      const next =
        record.k === 'a'
          ? withAttack(stage, record)
          : record.k === 'd'
            ? withCode(stage, record)
            : withLines(stage, record);
      const stages = model.stages.with(record.s, next);
      return { ...model, t: Math.max(model.t, record.t), stages };
    }
    case 'end':
      return { ...model, t: Math.max(model.t, record.t), hasEnded: true };
    default:
      return model;
  }
}

/** Whether a client has events, if 1 of `every` of the cast has. All clients that are not of the cast have. */
export const isTold = (seed: number, client: number, every: number): boolean =>
  every === 1 || client > MOST.clients || isShown(seed, client, every);

function withAttack(stage: Stage, { attack: name, reached, t }: AttackRecord): Stage {
  const before = stage.attack;
  const isSame = before.name === name;
  const since = isSame || name === '' ? before.since : t;
  const until = name === '' && !isSame ? t : before.until;
  return { ...stage, attack: { name, reached, since, until } };
}

function withCode(stage: Stage, { file, name, text }: CodeRecord): Stage {
  if (!stage.code.has(file) && stage.code.size >= MOST.files) return stage;
  return { ...stage, code: new Map(stage.code).set(file, { name, text }) };
}

function withLines(stage: Stage, { x, t }: TraceRecord): Stage {
  const lines = new Map(stage.lines);
  for (let at = 0; at + WIDTH.x <= x.length; at += WIDTH.x) {
    const [file, line, client] = [x[at + 2]!, x[at + 3]!, x[at + 4]!];
    if (line === 0) lines.delete(x[at + 1]!);
    else lines.set(x[at + 1]!, { file, line, client, since: microsecond(t, x[at]!) });
  }
  return { ...stage, lines };
}

/** `offset` µs after `t`, in ms: the same number for the same µs, however a frame is cut. */
const microsecond = (t: number, offset: number): number => Math.round(t * 1000 + offset) / 1000;

/** Counters only grow: an old frame that comes late takes nothing away. */
const grown = (before: number, now: number | undefined): number => Math.max(before, now ?? 0);

function applyFrame(stage: Stage, frame: FrameRecord, seed: number): Stage {
  const t = Math.max(stage.t, frame.t);
  const { q, c, u, h, p, m } = frame;
  const { server, users } = stage;
  const every = grown(stage.every, frame.every);
  const isThere = (client: number) => isTold(seed, client, every);
  const answers = new Map<number, number>();
  const { clients, endings } = applyClients(stage, frame, isThere, answers);
  return {
    setup: stage.setup,
    t,
    queue: q === undefined ? stage.queue : { waiting: q[0]!, limit: q[1]!, own: q[2]! },
    server:
      c === undefined
        ? server
        : {
            open: c[0]!,
            accepted: grown(server.accepted, c[1]),
            answered: grown(server.answered, c[2]),
            limited: grown(server.limited, c[3]),
            refused: grown(server.refused, c[4]),
          },
    users:
      u === undefined
        ? users
        : {
            connected: grown(users.connected, u[0]),
            asked: grown(users.asked, u[1]),
            answered: grown(users.answered, u[2]),
            wrong: grown(users.wrong, u[3]),
            ended: grown(users.ended, u[4]),
            reset: grown(users.reset, u[5]),
            left: grown(users.left, u[6]),
          },
    lanes: withAnswers(applyLanes(stage, frame), answers),
    clients: every === stage.every ? clients : only(clients, isThere),
    every,
    endings,
    waits: h === undefined ? stage.waits : grownWaits(stage.waits, h),
    probe: p === undefined ? stage.probe : { light: p[0]!, since: p[1]!, recovery: p[2]! },
    cost:
      m === undefined
        ? stage.cost
        : { memory: m[0]!, processor: m[1]!, processes: m[2]!, threads: m[3]! },
    attack: stage.attack,
    code: stage.code,
    lines: stage.lines,
    lost: stage.lost,
    isUncertain: stage.isUncertain && frame.r === undefined,
  };
}

const grownWaits = (before: readonly number[], now: readonly number[]): readonly number[] =>
  Array.from({ length: Math.max(before.length, now.length) }, (_, bucket) =>
    grown(before[bucket] ?? 0, now[bucket]),
  );

function applyLanes(stage: Stage, { l, t }: FrameRecord): Stage['lanes'] {
  if (l === undefined) return stage.lanes;
  const lanes = new Map(stage.lanes);
  for (let at = 0; at + WIDTH.l <= l.length; at += WIDTH.l) {
    const row = l[at]!;
    const state = l[at + 3]! as LaneState;
    if (state === LANE.free) {
      lanes.delete(row);
      continue;
    }
    const client = l[at + 6]!;
    const before = lanes.get(row);
    const isSame = before?.state === state && before.client === client;
    lanes.set(row, {
      row,
      tid: l[at + 1]!,
      pid: l[at + 2]!,
      state,
      share: l[at + 4]!,
      open: l[at + 5]!,
      client,
      kernel: l[at + 7]! as KernelState,
      since: isSame ? before.since : t,
    });
  }
  return lanes;
}

/**
 * A lane that answers one client after the other may look the same at every sample. An answer ends what it did, so it
 * has done what it does now since the last one.
 *
 * @param answers of each lane that has answered: when, for the last time
 */
function withAnswers(lanes: Stage['lanes'], answers: ReadonlyMap<number, number>): Stage['lanes'] {
  const next = new Map(lanes);
  for (const [row, since] of answers) {
    const lane = next.get(row);
    if (lane !== undefined && since > lane.since) next.set(row, { ...lane, since });
  }
  return next;
}

function only(
  clients: Stage['clients'],
  isThere: (client: number) => boolean,
): ReadonlyMap<number, Client> {
  return new Map([...clients].filter(([client]) => isThere(client)));
}

function applyClients(
  stage: Stage,
  frame: FrameRecord,
  isThere: (client: number) => boolean,
  answers: Map<number, number>,
): Pick<Stage, 'clients' | 'endings'> {
  const { r, e, w, t } = frame;
  if (r === undefined && e === undefined && w === undefined) return stage;
  const clients = r === undefined ? new Map(stage.clients) : new Map<number, Client>();
  for (let at = 0; r !== undefined && at + WIDTH.r <= r.length; at += WIDTH.r) {
    const id = r[at]!;
    if (!isThere(id)) continue;
    const waits = r[at + 4]!;
    clients.set(id, {
      id,
      place: r[at + 1]! as Place,
      lane: r[at + 2]!,
      since: t - r[at + 3]! / 1000,
      asked: waits < 0 ? undefined : t - waits / 1000,
      bytes: stage.clients.get(id)?.bytes ?? 0,
      answers: r[at + 5]!,
    });
  }
  let endings = stage.endings;
  for (let at = 0; e !== undefined && at + WIDTH.e <= e.length; at += WIDTH.e) {
    const id = e[at + 1]!;
    if (!isThere(id)) continue;
    const kind = e[at + 2]! as EventKind;
    const when = microsecond(t, e[at]!);
    const wasThere = clients.has(id);
    // The lane may serve another client at the end of this frame.
    const lane = clients.get(id)?.lane ?? -1;
    if (kind === EVENT.answered) answers.set(lane, Math.max(when, answers.get(lane) ?? 0));
    const next = moved(clients.get(id) ?? newcomer(id, when), kind, when, e[at + 3]!, e[at + 4]!);
    if (next !== undefined) clients.set(id, next);
    else {
      clients.delete(id);
      const reason = kind === EVENT.limited || kind === EVENT.refused ? REASONS[e[at + 4]!] : '';
      endings = withEnding(endings, { t: when, client: id, kind, reason: reason ?? '' }, wasThere);
    }
  }
  if (w !== undefined) {
    const bytes = new Map<number, number>();
    for (let at = 0; at + WIDTH.w <= w.length; at += WIDTH.w) bytes.set(w[at]!, w[at + 1]!);
    for (const [id, client] of clients) {
      const now = bytes.get(id) ?? 0;
      if (client.bytes !== now) clients.set(id, { ...client, bytes: now });
    }
  }
  return { clients, endings };
}

/**
 * Both ends of a connection may report its end, in any order. They are one ending, and the server's word on the
 * reason is the better one.
 */
function withEnding(
  endings: readonly Ending[],
  ending: Ending,
  wasThere: boolean,
): readonly Ending[] {
  const same = wasThere
    ? -1
    : endings.findLastIndex(
        ({ client, t }) => client === ending.client && Math.abs(ending.t - t) < SAME_ENDING,
      );
  if (same === -1) return [...endings, ending].slice(-KEPT);
  return ending.reason === '' ? endings : endings.with(same, { ...ending, t: endings[same]!.t });
}

const newcomer = (id: number, t: number): Client => ({
  id,
  place: PLACE.connecting,
  lane: -1,
  since: t,
  asked: undefined,
  bytes: 0,
  answers: 0,
});

/** The client after an event; undefined: its visit is over. */
function moved(
  client: Client,
  kind: EventKind,
  t: number,
  lane: number,
  extra: number,
): Client | undefined {
  switch (kind) {
    case EVENT.connecting:
      // The server's account of the same visit may come first, and its clock may be some ms behind.
      if (client.place !== PLACE.connecting && client.since > t - SAME_VISIT) return client;
      return { ...newcomer(client.id, t), answers: client.answers };
    case EVENT.connected:
      // The server may have accepted before the client's process learned that it is connected.
      return client.place === PLACE.connecting
        ? { ...client, place: PLACE.kernel, since: t }
        : client;
    case EVENT.queued:
      return { ...client, place: PLACE.queue, since: t };
    case EVENT.accepted:
      return { ...client, place: PLACE.served, lane, since: t, bytes: 0 };
    case EVENT.asked:
      return {
        ...client,
        asked: client.asked ?? t,
        bytes: client.place === PLACE.served ? client.bytes : client.bytes + Math.max(0, extra),
      };
    case EVENT.answered:
      return { ...client, asked: undefined, answers: client.answers + 1 };
    case EVENT.wrong:
      return { ...client, asked: undefined };
    case EVENT.left:
    case EVENT.hungUp:
    case EVENT.limited:
    case EVENT.refused:
    case EVENT.reset:
    case EVENT.cut:
      return undefined;
    default:
      return client;
  }
}
