/** The content of a picture of a run: rows of bars on one time axis. svg.ts draws it. */

import { nanoseconds } from '../report/figures.ts';
import { roleOf } from './role.ts';
import type { Connection, Lane, Timeline } from './timeline.ts';
import { LOOP, reasonOf, waitName } from './waits.ts';

/** The meaning of a bar. Each kind has its own hatching. */
export type Kind =
  | 'working'
  | 'waiting for any client'
  | 'waiting for one client'
  | 'asleep'
  | 'in the accept queue'
  | 'open'
  | 'asking';

export interface Bar {
  /** In ns. */
  readonly from: number;
  readonly to: number;
  readonly kind: Kind;
  readonly title: string;
}

/** A moment. `connected`: the kernel has established the connection, whether or not the server accepts it. */
export interface Mark {
  readonly at: number;
  readonly kind: 'question' | 'connected' | 'accepted';
  readonly title: string;
}

export interface Row {
  readonly label: string;
  /** Stands behind the label. */
  readonly note?: string;
  readonly bars: readonly Bar[];
  readonly marks: readonly Mark[];
  readonly isThin?: boolean;
  /** True if bars that follow each other stay apart, however short they are. */
  readonly isSeparate?: boolean;
}

export interface Group {
  readonly title: string;
  /** A remark beside the title. */
  readonly note?: string;
  readonly rows: readonly Row[];
}

export interface Picture {
  readonly title: string;
  /** Sentences above the picture. */
  readonly notes: readonly string[];
  readonly from: number;
  readonly to: number;
  readonly groups: readonly Group[];
}

/** At most this many rows are drawn. */
const MOST_ROWS = 40;

/**
 * While a thread waits for any client, it serves the next client that needs it. While it waits for one
 * client, all its other clients wait too.
 */
const kinds: Readonly<Record<string, Kind>> = {
  recv: 'waiting for one client',
  send: 'waiting for one client',
  futex: 'asleep',
};

type Naming = (lane: Lane, index: number, all: readonly Lane[]) => string;

/** Names as in the printed lines. */
const tagged: Naming = (lane, _index, all) => {
  const isOneWorker = all.every(({ worker }) => worker === lane.worker);
  const name = roleOf(lane.tid, lane);
  return isOneWorker || lane.role === 'main' ? name : `worker ${lane.worker}, ${name}`;
};

/** Short names, without thread and process numbers. */
export const numbered: Naming = ({ tid, pid, role }, index, all) => {
  if (all.length === 1) return 'one thread';
  return role === 'main' || tid === pid ? `process ${index + 1}` : `thread ${index + 1}`;
};

export function lanesOf(all: readonly Lane[], nameOf: Naming = tagged): Row[] {
  const lanes = all.toSorted((a, b) => a.worker - b.worker || a.from - b.from);
  return limited(lanes.map((lane, i) => rowOf(lane, nameOf(lane, i, lanes))));
}

/** When a thread slept, in which call. */
export const sleepsOf = (lane: Lane) =>
  [
    ...lane.calls
      .filter(({ blocked }) => blocked > 0)
      .map(({ t, end, blocked, name }) => ({ from: Math.max(t, end - blocked), to: end, name })),
    ...lane.idle.map(({ from, to }) => ({ from, to, name: LOOP })),
  ].sort((a, b) => a.from - b.from);

function rowOf(lane: Lane, label: string): Row {
  const bars: Bar[] = [];
  let at = lane.from;
  for (const { from, to, name } of sleepsOf(lane)) {
    if (from > at) bars.push({ from: at, to: from, kind: 'working', title: 'working' });
    const title = `${waitName(name)}: ${reasonOf(name)}`;
    bars.push({
      from: Math.max(from, at),
      to,
      kind: kinds[name] ?? 'waiting for any client',
      title,
    });
    at = Math.max(at, to);
  }
  if (lane.to > at) bars.push({ from: at, to: lane.to, kind: 'working', title: 'working' });
  return { label, bars, marks: marksOf(lane.questions) };
}

function connectionsOf(timeline: Timeline): Row[] {
  return limited(timeline.connections.map((connection) => connectionRow(connection, timeline.end)));
}

function connectionRow(connection: Connection, end: number): Row {
  const { peer, from, queued = 0, to, how, questions } = connection;
  const bars: Bar[] = [
    { from, to: to ?? end, kind: 'open', title: how ?? `Connection from ${peer}` },
  ];
  const marks = marksOf(questions);
  const shown = queued >= LEAST_QUEUED ? `${nanoseconds(queued)} in the accept queue` : undefined;
  if (shown !== undefined) {
    const title = `${shown}: the kernel has connected ${peer}, and the server has not accepted it`;
    bars.unshift({ from: from - queued, to: from, kind: 'in the accept queue', title });
    marks.unshift({ at: from - queued, kind: 'connected', title: 'the kernel connects it' });
    marks.push({ at: from, kind: 'accepted', title: 'the server accepts it' });
  }
  const note = shown === undefined ? {} : { note: shown };
  return { label: peer, ...note, bars, marks, isThin: true };
}

/** The kernel counts the time in the accept queue in ticks, so less than two of them, in ns, may be none. */
const LEAST_QUEUED = 8e6;

const marksOf = (questions: Connection['questions']): Mark[] =>
  questions.map(({ t, question, answer }) => ({
    at: t,
    kind: 'question',
    title: `${question} → ${answer}`,
  }));

function limited(rows: Row[]): Row[] {
  if (rows.length <= MOST_ROWS) return rows;
  const rest = rows.length - MOST_ROWS;
  return [...rows.slice(0, MOST_ROWS), { label: `… and ${rest} more`, bars: [], marks: [] }];
}

/**
 * Time shown before the first connection and after the last one, as a share of the time between.
 */
const MARGIN = 0.06;

/** The picture of one run. If there were connections, it shows only their time. */
export function pictureOf(timeline: Timeline, title: string, sentence: string): Picture {
  const { lanes, connections, end } = timeline;
  const launch = Math.min(end, ...lanes.map((lane) => lane.from));
  const came = Math.min(end, ...connections.map(({ from, queued = 0 }) => from - queued));
  const left = Math.max(launch, ...connections.map(({ to }) => to ?? end));
  const margin = Math.max(1e6, (left - came) * MARGIN);
  const [from, to] =
    connections.length === 0
      ? [launch, end]
      : [Math.max(launch, came - margin), Math.min(end, left + margin)];
  const shown = `The picture shows ${nanoseconds(to - from)}, starting ${nanoseconds(from)} after the launch.`;
  return {
    title,
    notes: [sentence, shown],
    from,
    to,
    groups: [
      { title: 'threads', rows: lanesOf(timeline.lanes) },
      { title: 'connections', rows: connectionsOf(timeline) },
    ],
  };
}
