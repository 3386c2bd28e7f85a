/**
 * A recording in the Trace Event Format, which Perfetto opens: a process for each stage, a track for each lane with
 * what it does as slices, an asynchronous track for each visit of a client, and counters. No DOM in here.
 */

import type { TraceEvent } from '../../report/trace-event.ts';
import { type Model, nothing, type Stage } from './model.ts';
import { ENDS, EVENT, type LabRecord } from './records.ts';
import { apply } from './reducer.ts';
import { isEvent, stepsOf } from './steps.ts';
import { type Doing, doingOf } from './words.ts';

interface Slice {
  readonly from: number;
  readonly doing: Doing;
  readonly client: number;
}

interface Visit {
  readonly id: string;
  readonly name: string;
}

const names = Object.entries(EVENT) as readonly [name: string, kind: number][];
/** Keys of lanes and clients: stage and number. */
const keyOf = (s: number, number: number) => `${s}.${number}`;

export function perfettoOf(records: Iterable<LabRecord>): { readonly traceEvents: TraceEvent[] } {
  const events: TraceEvent[] = [];
  const slices = new Map<string, Slice>();
  const visits = new Map<string, Visit>();
  const named = new Set<string>();
  let model: Model = nothing;
  let count = 0;

  const closeSlice = (s: number, row: number, to: number) => {
    const key = keyOf(s, row);
    const slice = slices.get(key);
    slices.delete(key);
    if (slice === undefined || to <= slice.from) return;
    const args = slice.client < 0 ? {} : { client: slice.client };
    const place = { pid: s + 1, tid: row + 1 };
    const { from, doing } = slice;
    events.push({ ph: 'X', name: doing, cat: 'lane', ...place, ts: from, dur: to - from, args });
  };
  const lanesOf = (stage: Stage, before: Stage | undefined, s: number, at: number) => {
    for (const row of before?.lanes.keys() ?? []) if (!stage.lanes.has(row)) closeSlice(s, row, at);
    for (const lane of stage.lanes.values()) {
      const { row, tid, client } = lane;
      if (before?.lanes.get(row) === lane) continue;
      const place = keyOf(s, row);
      if (!named.has(place)) {
        named.add(place);
        const args = { name: `thread ${tid}` };
        events.push({ ph: 'M', name: 'thread_name', pid: s + 1, tid: row + 1, args });
      }
      const doing = doingOf(lane);
      const slice = slices.get(place);
      if (slice?.doing === doing && slice.client === client) continue;
      closeSlice(s, row, at);
      slices.set(place, { from: at, doing, client });
    }
  };
  const clientEvent = (s: number, client: number, kind: number, at: number, extra: number) => {
    const key = keyOf(s, client);
    const common = (visit: Visit) => ({ cat: 'client', ...visit, pid: s + 1, ts: at });
    let visit = visits.get(key);
    if (visit === undefined) {
      // The word of the other end of a connection that has ended already.
      if (ENDS.has(kind)) return;
      visit = { id: String(count++), name: `client ${client}` };
      visits.set(key, visit);
      events.push({ ph: 'b', ...common(visit) });
    }
    const what = names.find(([, number]) => number === kind)?.[0] ?? '';
    if (ENDS.has(kind)) {
      visits.delete(key);
      events.push({ ph: 'e', ...common(visit), args: { how: what } });
    } else events.push({ ph: 'n', ...common(visit), args: { what, extra } });
  };

  const steps = [...records].flatMap((record) => stepsOf(record)).sort((a, b) => a.at - b.at);
  for (const step of steps) {
    if (isEvent(step)) {
      if (model.stages[step.s] === undefined) continue;
      clientEvent(step.s, step.client, step.kind, step.at, step.extra);
      continue;
    }
    const before = model;
    model = apply(model, step.record);
    for (const [s, stage] of model.stages.entries()) {
      const { architecture } = stage.setup;
      if (!named.has(`${s}:${architecture}`)) {
        named.add(`${s}:${architecture}`);
        const args = { name: architecture };
        events.push({ ph: 'M', name: 'process_name', pid: s + 1, args });
      }
      const earlier = before.stages[s];
      if (earlier === stage) continue;
      lanesOf(stage, earlier, s, step.at);
      if (earlier?.queue !== stage.queue) {
        const { waiting, own } = stage.queue;
        const args = { kernel: waiting, own };
        events.push({ ph: 'C', name: 'queue', pid: s + 1, ts: step.at, args });
      }
    }
  }
  const last = steps.at(-1)?.at ?? 0;
  for (const key of [...slices.keys()]) {
    const [s, row] = key.split('.').map(Number);
    closeSlice(s!, row!, last);
  }
  for (const [key, visit] of visits) {
    const pid = Number(key.split('.')[0]) + 1;
    events.push({ ph: 'e', cat: 'client', ...visit, pid, ts: last, args: { how: 'still here' } });
  }
  return { traceEvents: events };
}
