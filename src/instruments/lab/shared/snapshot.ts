/** Records that make a model again, for a viewer who comes later. No Node and no DOM in here. */

import { reasons } from '../../../worker/reasons.ts';
import type { Lane, Model, Stage, Standing } from './model.ts';
import { EVENT, type FrameRecord, type LabRecord } from './records.ts';

/**
 * The records that make this model of `nothing`, in the order of their times. Times of clients are exact to 1 µs.
 * Empty if the model has no header yet.
 */
export function snapshotOf(model: Model): LabRecord[] {
  const { header, setup, stages, cost, t } = model;
  if (header === undefined || setup === undefined) return [];
  const records: LabRecord[] = [...stages.flatMap(stageRecords), ...model.commands];
  const begins = Math.min(t, ...records.map((record) => timeOf(record)));
  const scene: LabRecord[] = setup === header.setup ? [] : [{ k: 's', t: begins, s: -1, setup }];
  const ordered = records.toSorted((one, other) => timeOf(one) - timeOf(other));
  const end: LabRecord[] = model.hasEnded ? [{ k: 'end', t }] : [];
  return [header, ...scene, ...ordered, { k: 'o', t, ...cost }, ...end];
}

/**
 * The records after a gap: all stages anew, as they are now. Unlike `snapshotOf` they have the time of now only,
 * so that they can follow older records. Since when a lane is at its work, or an attack runs, is lost.
 */
export function resumptionOf(model: Model, lost: number): LabRecord[] {
  const { setup, stages, t } = model;
  if (setup === undefined) return [];
  return [
    { k: 's', t, s: -1, setup },
    { k: 'gap', t, s: -1, lost },
    ...stages.flatMap((stage, s): LabRecord[] => [
      { ...frameOf(stage, s, t), l: [...stage.lanes.values()].flatMap(rowOf) },
      ...threadsRecords(stage, s, t),
      ...codeRecords(stage, s, t),
      { k: 'a', t, s, attack: stage.attack.name, reached: stage.attack.reached },
    ]),
  ];
}

const timeOf = (record: LabRecord): number => (record.k === 'h' ? 0 : record.t);

function stageRecords(stage: Stage, s: number): LabRecord[] {
  const { t, lost } = stage;
  const gap = (count: number): LabRecord => ({ k: 'gap', t, s, lost: count });
  return [
    ...laneRecords(stage, s),
    ...endingRecords(stage, s),
    ...attackRecords(stage, s),
    ...threadsRecords(stage, s, t),
    ...codeRecords(stage, s, t),
    ...(lost > 0 && !stage.isUncertain ? [gap(lost)] : []),
    frameOf(stage, s, t),
    // After the roster, which would end the uncertainty.
    ...(stage.isUncertain ? [gap(lost)] : []),
  ];
}

const rowOf = (lane: Lane): number[] => [
  lane.row,
  lane.tid,
  lane.pid,
  lane.state,
  lane.share,
  lane.open,
  lane.client,
  lane.kernel,
];

/** One frame for each time at which lanes began what they do. */
function laneRecords(stage: Stage, s: number): FrameRecord[] {
  const groups = Map.groupBy(stage.lanes.values(), (lane) => lane.since);
  return [...groups].map(([t, lanes]) => ({ k: 'f', s, t, l: lanes.flatMap(rowOf) }));
}

/**
 * Each ending after a visit of the same client: the ends of two visits would become one. A frame that forgets the
 * clients of these visits comes later.
 */
function endingRecords({ endings, t }: Stage, s: number): FrameRecord[] {
  if (endings.length === 0) return [];
  const e = endings.flatMap(({ t: when, client, kind, reason }) => {
    const at = Math.round((when - t) * 1000);
    const extra = (reasons as readonly string[]).indexOf(reason);
    return [at, client, EVENT.connecting, -1, 0, at, client, kind, -1, extra];
  });
  return [{ k: 'f', s, t, e }];
}

function attackRecords({ attack, t }: Stage, s: number): LabRecord[] {
  const { name, reached, since, until } = attack;
  const begin = (at: number): LabRecord => ({ k: 'a', t: at, s, attack: 'earlier', reached: -1 });
  if (name === '') {
    if (until === 0) return reached === -1 ? [] : [{ k: 'a', t, s, attack: '', reached }];
    return [begin(since), { k: 'a', t: until, s, attack: '', reached }];
  }
  const before: LabRecord[] =
    until === 0 ? [] : [begin(until), { k: 'a', t: until, s, attack: '', reached: -1 }];
  return [...before, { k: 'a', t: since, s, attack: name, reached }];
}

function codeRecords({ code, lines, asides }: Stage, s: number, t: number): LabRecord[] {
  const files = [...code].map(([file, content]): LabRecord => ({ k: 'd', t, s, file, ...content }));
  if (lines.size === 0 && asides.size === 0) return files;
  const rowsOf = (places: ReadonlyMap<number, Standing>) =>
    [...places].flatMap(([number, { file, line, client, since }]) => [
      Math.round((since - t) * 1000),
      number,
      file,
      line,
      client,
    ]);
  const y = asides.size === 0 ? {} : { y: rowsOf(asides) };
  return [...files, { k: 'x', t, s, x: rowsOf(lines), ...y }];
}

function threadsRecords({ threads }: Stage, s: number, t: number): LabRecord[] {
  if (threads.size === 0) return [];
  const channels = [...new Set([...threads.values()].map(({ channel }) => channel))];
  const z = [...threads].flatMap(([tid, { accepted, channel }]) => [
    tid,
    accepted,
    channels.indexOf(channel),
  ]);
  return [{ k: 'z', t, s, z, channels }];
}

/** All of a stage but its lanes. */
function frameOf(stage: Stage, s: number, t: number): FrameRecord {
  const { queue, server, users, clients, probe, cost } = stage;
  const ago = (when: number) => Math.max(0, Math.round((t - when) * 1000));
  const all = [...clients.values()];
  return {
    k: 'f',
    s,
    t,
    every: stage.every,
    q: [queue.waiting, queue.limit, queue.own],
    c: [server.open, server.accepted, server.answered, server.limited, server.refused],
    u: [
      users.connected,
      users.asked,
      users.answered,
      users.wrong,
      users.ended,
      users.reset,
      users.left,
    ],
    h: stage.waits,
    p: [probe.light, probe.since, probe.recovery],
    m: [cost.memory, cost.processor, cost.processes, cost.threads],
    n: [...stage.memory].flat(),
    r: all.flatMap(({ id, place, lane, since, asked, answers }) => [
      id,
      place,
      lane,
      ago(since),
      asked === undefined ? -1 : ago(asked),
      answers,
    ]),
    v: all.flatMap(({ id, came }) => (came === undefined ? [] : [id, ago(came)])),
    w: all.flatMap(({ id, bytes }) => (bytes > 0 ? [id, bytes] : [])),
  };
}
