/**
 * The one function that makes a picture's model of records: live is a replay with the newest record. No Node and no
 * DOM in here.
 */

import { applyClients, microsecond, pairsOf } from './clients.ts';
import {
  type Client,
  type Model,
  newStage,
  nothing,
  type Stage,
  type Standing,
  type Thread,
} from './model.ts';
import {
  type AttackRecord,
  type CodeRecord,
  type FrameRecord,
  isTold,
  type KernelState,
  LANE,
  type LabRecord,
  type LaneState,
  MOST,
  type ThreadsRecord,
  type TraceRecord,
  WIDTH,
} from './records.ts';

/** Commands that a model keeps. */
const KEPT = 32;

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
    case 'x':
    case 'z': {
      const stage = model.stages[record.s];
      if (stage === undefined) return model;
      const next =
        record.k === 'a'
          ? withAttack(stage, record)
          : record.k === 'd'
            ? withCode(stage, record)
            : record.k === 'x'
              ? withLines(stage, record)
              : withThreads(stage, record);
      const stages = model.stages.with(record.s, next);
      return { ...model, t: Math.max(model.t, record.t), stages };
    }
    case 'end':
      return { ...model, t: Math.max(model.t, record.t), hasEnded: true };
    default:
      return model;
  }
}

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

function withLines(stage: Stage, { x, y, t }: TraceRecord): Stage {
  const lines = new Map(stage.lines);
  for (const [offset, thread, file, line, client] of rowsOf(x, WIDTH.x)) {
    if (line === 0) lines.delete(thread!);
    else lines.set(thread!, standing(t, offset!, file!, line!, client!));
  }
  if (y === undefined) return { ...stage, lines };
  const asides = new Map(stage.asides);
  for (const [offset, number, file, line, client] of rowsOf(y, WIDTH.y)) {
    if (line === 0) asides.delete(number!);
    else if (asides.has(number!) || asides.size < MOST.aside) {
      asides.set(number!, standing(t, offset!, file!, line!, client!));
    }
  }
  return { ...stage, lines, asides };
}

function withThreads(stage: Stage, { z, channels }: ThreadsRecord): Stage {
  const rows = [...rowsOf(z, WIDTH.z)].map(([tid, accepted, channel]): [number, Thread] => [
    tid!,
    { accepted: accepted!, channel: channels[channel!] ?? '' },
  ]);
  return { ...stage, threads: new Map(rows) };
}

const standing = (
  t: number,
  offset: number,
  file: number,
  line: number,
  client: number,
): Standing => ({ file, line, client, since: microsecond(t, offset) });

function* rowsOf(numbers: readonly number[], width: number): Generator<readonly number[]> {
  for (let at = 0; at + width <= numbers.length; at += width) yield numbers.slice(at, at + width);
}

/** Counters only grow: an old frame that comes late takes nothing away. */
const grown = (before: number, now: number | undefined): number => Math.max(before, now ?? 0);

function applyFrame(stage: Stage, frame: FrameRecord, seed: number): Stage {
  const t = Math.max(stage.t, frame.t);
  const { q, c, u, h, p, m, n } = frame;
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
    threads: stage.threads,
    clients: every === stage.every ? clients : only(clients, isThere),
    every,
    endings,
    waits: h === undefined ? stage.waits : grownWaits(stage.waits, h),
    probe: p === undefined ? stage.probe : { light: p[0]!, since: p[1]!, recovery: p[2]! },
    memory: n === undefined ? stage.memory : pairsOf(n),
    cost:
      m === undefined
        ? stage.cost
        : { memory: m[0]!, processor: m[1]!, processes: m[2]!, threads: m[3]! },
    attack: stage.attack,
    code: stage.code,
    lines: stage.lines,
    asides: stage.asides,
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
