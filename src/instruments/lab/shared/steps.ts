/**
 * Records cut into steps, each at its own µs. Hub and street each send a frame every 50 ms, so one frame reports
 * earlier events than the frame before it: only steps can be put in the order in which things happened.
 */

import type { Model } from './model.ts';
import { type EventKind, type FrameRecord, type LabRecord, MOST, WIDTH } from './records.ts';
import { apply } from './reducer.ts';

/** One event of one client. */
export interface EventStep {
  /** µs since the recording began. */
  readonly at: number;
  readonly s: number;
  readonly client: number;
  readonly kind: EventKind;
  readonly lane: number;
  readonly extra: number;
}

/** A record without events, or what a frame says beside its events. */
interface RecordStep {
  readonly at: number;
  readonly record: LabRecord;
}

export type Step = EventStep | RecordStep;

export const isEvent = (step: Step): step is EventStep => 'kind' in step;

const microseconds = (ms: number) => Math.round(ms * 1000);

/** The steps of a record, not in order of time. A header has the time 0. */
export function stepsOf(record: LabRecord): Step[] {
  if (record.k === 'h') return [{ at: 0, record }];
  const at = microseconds(record.t);
  if (record.k === 'x') {
    const { k, s, x, y = [] } = record;
    const lineOf = (offset: number, rows: { readonly x: number[]; readonly y?: number[] }) => {
      const began = microseconds(record.t + offset / 1000);
      return { at: began, record: { k, s, t: began / 1000, ...rows } };
    };
    return [
      ...rowsOf(x, WIDTH.x).map(([offset, ...line]) => lineOf(offset!, { x: [0, ...line] })),
      ...rowsOf(y, WIDTH.y).map(([offset, ...line]) => lineOf(offset!, { x: [], y: [0, ...line] })),
    ];
  }
  if (record.k !== 'f') return [{ at, record }];
  const { e, ...rest } = record;
  if (e === undefined) return [{ at, record }];
  const steps: Step[] = rowsOf(e, WIDTH.e).map(([offset, client, kind, lane, extra]) => ({
    at: microseconds(record.t + offset! / 1000),
    s: record.s,
    client: client!,
    kind: kind as EventKind,
    lane: lane!,
    extra: extra!,
  }));
  return [...steps, { at, record: rest }];
}

function* rowsIn(numbers: readonly number[], width: number): Generator<number[]> {
  for (let at = 0; at + width <= numbers.length; at += width) yield numbers.slice(at, at + width);
}
const rowsOf = (numbers: readonly number[], width: number) => [...rowsIn(numbers, width)];

/** The same step at another time. */
export const movedTo = (step: Step, at: number): Step => ({ ...step, at });

/**
 * Steps as records again, with few frames: one frame has all events of a stage up to a record that names all its
 * clients. Events and the other arrays of frames do not depend on each other's order.
 */
export function* recordsOf(
  steps: readonly Step[],
  from = 0,
  to = steps.length,
): Generator<LabRecord> {
  const open = new Map<number, EventStep[]>();
  for (let index = from; index < to; index++) {
    const step = steps[index]!;
    if (isEvent(step)) {
      const events = open.get(step.s);
      if (events === undefined) open.set(step.s, [step]);
      else if (events.push(step) === MOST.events) yield* closed(open, step.s);
    } else {
      const { record } = step;
      if (record.k === 'f' && namesAll(record)) yield* closed(open, record.s);
      if (record.k === 's' || record.k === 'h') yield* closedAll(open);
      yield record;
    }
  }
  yield* closedAll(open);
}

/** Whether it says something of all clients of its stage. */
const namesAll = ({ r, w, every }: FrameRecord): boolean =>
  r !== undefined || w !== undefined || every !== undefined;

function* closedAll(open: Map<number, EventStep[]>): Generator<LabRecord> {
  for (const s of [...open.keys()].sort((a, b) => a - b)) yield* closed(open, s);
}

function* closed(open: Map<number, EventStep[]>, s: number): Generator<LabRecord> {
  const events = open.get(s);
  if (events === undefined) return;
  open.delete(s);
  const last = events.at(-1)!.at;
  const e = events.flatMap(({ at, client, kind, lane, extra }) => [
    at - last,
    client,
    kind,
    lane,
    extra,
  ]);
  yield { k: 'f', s, t: last / 1000, e };
}

/** The model after the steps from index `from` up to index `to`. */
export function applied(model: Model, steps: readonly Step[], from: number, to: number): Model {
  let next = model;
  for (const record of recordsOf(steps, from, to)) next = apply(next, record);
  return next;
}
