/** What a picture of a run is made of: rows of bars on one time axis. Drawing them is the next file's business. */
import type { Connection, Lane, Timeline } from './timeline.ts';
import { LOOP, reasonOf, waitName } from './waits.ts';

/** What a bar stands for; each has a hatching of its own. */
export type Kind =
  | 'working'
  | 'waiting for anyone'
  | 'waiting for one client'
  | 'asleep'
  | 'open'
  | 'asking';

export interface Bar {
  /** In ns. */
  readonly from: number;
  readonly to: number;
  readonly kind: Kind;
  readonly title: string;
}

export interface Row {
  readonly label: string;
  readonly bars: readonly Bar[];
  /** Moments, with what happened. */
  readonly marks: readonly { readonly at: number; readonly title: string }[];
  readonly isThin?: boolean;
}

export interface Group {
  readonly title: string;
  readonly rows: readonly Row[];
}

export interface Picture {
  readonly title: string;
  /** One sentence for each group, or for all. */
  readonly notes: readonly string[];
  readonly from: number;
  readonly to: number;
  readonly groups: readonly Group[];
}

/** More rows than that nobody counts. */
const MOST_ROWS = 40;

/** For anyone: whoever comes next is served. For one client: everybody else waits as well. */
const kinds: Readonly<Record<string, Kind>> = {
  recv: 'waiting for one client',
  send: 'waiting for one client',
  futex: 'asleep',
};

export function lanesOf(timeline: Timeline): Row[] {
  return limited(timeline.lanes.map((lane) => rowOf(lane)));
}

function rowOf(lane: Lane): Row {
  const sleeps = [
    ...lane.calls
      .filter(({ blocked }) => blocked > 0)
      .map(({ t, end, blocked, name }) => ({ from: Math.max(t, end - blocked), to: end, name })),
    ...lane.idle.map(({ from, to }) => ({ from, to, name: LOOP })),
  ].sort((a, b) => a.from - b.from);
  const bars: Bar[] = [];
  let at = lane.from;
  for (const { from, to, name } of sleeps) {
    if (from > at) bars.push({ from: at, to: from, kind: 'working', title: 'working' });
    const title = `${waitName(name)}: ${reasonOf(name)}`;
    bars.push({ from: Math.max(from, at), to, kind: kinds[name] ?? 'waiting for anyone', title });
    at = Math.max(at, to);
  }
  if (lane.to > at) bars.push({ from: at, to: lane.to, kind: 'working', title: 'working' });
  const marks = lane.questions.map(({ t, question, answer }) => ({
    at: t,
    title: `${question} → ${answer}`,
  }));
  return { label: lane.name, bars, marks };
}

function connectionsOf(timeline: Timeline): Row[] {
  return limited(timeline.connections.map((connection) => connectionRow(connection, timeline.end)));
}

function connectionRow({ peer, from, to, how, questions }: Connection, end: number): Row {
  const title = `${peer}: ${how ?? 'open'}`;
  const bars: Bar[] = [{ from, to: to ?? end, kind: 'open', title }];
  const marks = questions.map(({ t, question, answer }) => ({
    at: t,
    title: `${question} → ${answer}`,
  }));
  return { label: peer, bars, marks, isThin: true };
}

function limited(rows: Row[]): Row[] {
  if (rows.length <= MOST_ROWS) return rows;
  const rest = rows.length - MOST_ROWS;
  return [...rows.slice(0, MOST_ROWS), { label: `… and ${rest} more`, bars: [], marks: [] }];
}

/** The picture of one run. */
export function pictureOf(timeline: Timeline, title: string, sentence: string): Picture {
  const from = Math.min(...timeline.lanes.map((lane) => lane.from));
  return {
    title,
    notes: [sentence],
    from: Number.isFinite(from) ? from : 0,
    to: timeline.end,
    groups: [
      { title: 'threads', rows: lanesOf(timeline) },
      { title: 'connections', rows: connectionsOf(timeline) },
    ],
  };
}
