/**
 * A timeline in the Trace Event Format ("Chrome trace"), which Perfetto and Chrome's own viewer
 * open. Each thread is a track with its calls and questions as slices. Each connection is an
 * asynchronous track. There are also counters. Slices of a track are disjoint or nested; they never
 * overlap in part.
 */
import type { TraceEvent } from '../report/trace-event.ts';
import { roleOf } from './role.ts';
import type { Lane, Timeline } from './timeline.ts';
import { LOOP, reasonOf } from './waits.ts';

interface Slice {
  readonly from: number;
  readonly to: number;
  readonly name: string;
  readonly cat: string;
  readonly args: Readonly<Record<string, unknown>>;
}

export function chromeTrace(timeline: Timeline, title: string): { traceEvents: TraceEvent[] } {
  const events: TraceEvent[] = [];
  const workers = new Map(timeline.lanes.map(({ pid, worker }) => [pid, worker]));
  for (const [pid, worker] of workers) {
    const name = `${title}, worker ${worker}`;
    events.push({ ph: 'M', name: 'process_name', pid, args: { name } });
  }
  for (const lane of timeline.lanes) {
    const { pid, tid } = lane;
    events.push({ ph: 'M', name: 'thread_name', pid, tid, args: { name: roleOf(tid, lane) } });
    for (const { from, to, name, cat, args } of nested(slicesOf(lane))) {
      events.push({ ph: 'X', name, cat, pid, tid, ts: us(from), dur: us(to - from), args });
    }
  }
  events.push(...connectionEvents(timeline), ...counters(timeline));
  return { traceEvents: events };
}

function slicesOf(lane: Lane): Slice[] {
  const slices: Slice[] = [];
  for (const { t, end, name, args, result, blocked } of lane.calls) {
    const cat = blocked > 0 ? 'call,asleep' : 'call';
    const details = { args, result, asleep_us: us(blocked), waiting: reasonOf(name) };
    slices.push({ from: t, to: end, name, cat, args: details });
  }
  for (const { t, end, question, answer, peer } of lane.questions) {
    const name = question === '' ? 'answer' : `question ${JSON.stringify(question)}`;
    slices.push({ from: t, to: end, name, cat: 'question', args: { question, answer, peer } });
  }
  for (const { t, end, phase, text } of lane.phases) {
    slices.push({ from: t, to: end, name: phase, cat: 'loop', args: { callback: text } });
  }
  for (const { from, to } of lane.idle) {
    const args = { waiting: reasonOf(LOOP) };
    slices.push({ from, to, name: "Node's own loop waits", cat: 'loop,asleep', args });
  }
  return slices;
}

/** Sorts slices by start, and cuts each one that ends after the slice around it. */
function nested(slices: Slice[]): Slice[] {
  slices.sort((a, b) => a.from - b.from || b.to - a.to);
  const open: Slice[] = [];
  return slices.map((slice) => {
    while (open.length > 0 && open.at(-1)!.to <= slice.from) open.pop();
    const outer = open.at(-1);
    // Only the length of a sleep of Node's loop is known, so its start may be slightly wrong.
    const fitting = outer !== undefined && slice.to > outer.to ? { ...slice, to: outer.to } : slice;
    open.push(fitting);
    return fitting;
  });
}

function connectionEvents({ connections, lanes, end }: Timeline): TraceEvent[] {
  const pidOf = new Map(lanes.map(({ tid, pid }) => [tid, pid]));
  return connections.flatMap(({ peer, tid, from, to, how, questions }, index) => {
    const common = { cat: 'connection', id: String(index), pid: pidOf.get(tid) ?? 0, tid };
    const name = `connection ${peer}`;
    const asked = questions.map(
      ({ t, question, answer }): TraceEvent => ({
        ...common,
        ph: 'n',
        name,
        ts: us(t),
        args: { question, answer },
      }),
    );
    const ending = { how: how ?? (to === undefined ? 'open at the end' : 'closed') };
    return [
      { ...common, ph: 'b', name, ts: us(from), args: { peer } },
      ...asked,
      { ...common, ph: 'e', name, ts: us(to ?? end), args: ending },
    ] satisfies TraceEvent[];
  });
}

function counters({ connections, lanes, queue }: Timeline): TraceEvent[] {
  const pid = lanes[0]?.pid ?? 0;
  const changes = connections.flatMap(({ from, to }) => [
    { t: from, by: 1 },
    ...(to === undefined ? [] : [{ t: to, by: -1 }]),
  ]);
  changes.sort((a, b) => a.t - b.t);
  let open = 0;
  const events = changes.map(({ t, by }): TraceEvent => {
    open += by;
    return { ph: 'C', name: 'open connections', pid, ts: us(t), args: { open } };
  });
  const depths = [...queue].sort((a, b) => a.t - b.t);
  for (const { t, depth } of depths) {
    events.push({ ph: 'C', name: 'queue depth', pid, ts: us(t), args: { waiting: depth } });
  }
  return events;
}

const us = (ns: number): number => ns / 1000;
