/**
 * The last minute of a lab, or a whole recording: all its steps in order of time, and models to start from. A model
 * never changes, so to keep one costs a reference.
 */

import { type Model, nothing } from './model.ts';
import type { LabRecord } from './records.ts';
import { applied, isEvent, movedTo, recordsOf, type Step, stepsOf } from './steps.ts';
import { type Sample, sampleOf } from './trail.ts';

/** A record may arrive this much later than one with later events, in µs. A later one counts as just happened. */
const LATE = 300_000;
/** Most steps that may still get one before them: a bound for a hostile recording whose times stand still. */
const MOST_OPEN = 20_000;
/** Interval between two models that are kept, and between two samples, in µs. */
const BETWEEN_MODELS = 2_000_000;
const BETWEEN_SAMPLES = 100_000;
/** Time before the first record that is shown, in µs. */
const LEAD = 500_000;
/** Time that one frame of a recording covers, in µs: a reader takes none that comes too late. */
const FRAME = 50_000;
/** Most steps of a live history. A crowd's minute is shorter then: at 8,000 events a second still a minute. */
const MOST_STEPS = 500_000;

/** The model before the step with this index; all steps before it are earlier than `at`. */
interface Kept {
  readonly index: number;
  readonly at: number;
  readonly model: Model;
}

/** What happened beside the clients: a button that a viewer pressed, an attack, another scene. */
export interface Happening {
  /** In ms. */
  readonly t: number;
  /** Index of its stage; -1: of all. */
  readonly s: number;
  readonly is: 'command' | 'attack' | 'calm' | 'scene';
  readonly text: string;
}

export class History {
  /** µs that are kept. */
  readonly #span: number;
  #steps: Step[] = [];
  /** Steps before this index stay where they are. */
  #settledCount = 0;
  #settled: Model = nothing;
  #newest = 0;
  #kept: Kept[] = [{ index: 0, at: Number.NEGATIVE_INFINITY, model: nothing }];
  #live: Model | undefined;
  #last: Kept | undefined;
  #sampleAt = 0;
  #samples: Sample[] = [];
  #happenings: Happening[] = [];
  #revision = 0;

  /** @param span ms that are kept; Infinity for a recording */
  constructor(span: number) {
    this.#span = span * 1000;
  }

  /** Grows with each record. */
  get revision(): number {
    return this.#revision;
  }

  /** The model after all records. */
  get live(): Model {
    this.#live ??= applied(this.#settled, this.#steps, this.#settledCount, this.#steps.length);
    return this.#live;
  }

  /** The first and the last moment that can be shown, in ms. The time in which servers started is left out. */
  get from(): number {
    const [header, first] = this.#steps;
    const began = Math.max(header?.at ?? 0, (first?.at ?? 0) - LEAD);
    return Math.min(Math.max(this.#kept[0]!.at, began), this.#newest) / 1000;
  }
  get to(): number {
    return this.#newest / 1000;
  }

  /** Every 100 ms, if something happened. The oldest first. */
  get samples(): readonly Sample[] {
    return this.#samples;
  }
  get happenings(): readonly Happening[] {
    return this.#happenings;
  }

  /**
   * A header forgets all: a hub sends it to a viewer who comes, or comes again, and then the last minute.
   *
   * @param needed the moment that a viewer looks at, in ms: it is kept, though it is older than the span
   */
  push(record: LabRecord, needed = Number.POSITIVE_INFINITY): void {
    if (record.k === 'h') this.#clear();
    this.#revision++;
    this.#live = undefined;
    if (this.#last !== undefined && this.#last.index > this.#settledCount) this.#last = undefined;
    const edge = this.#steps[this.#settledCount - 1]?.at ?? Number.NEGATIVE_INFINITY;
    for (const step of stepsOf(record)) {
      this.#newest = Math.max(this.#newest, step.at);
      const timed = step.at < edge ? movedTo(step, edge) : step;
      // Most steps are the last ones. Steps of one time stay in the order in which they came.
      this.#steps.splice(this.#indexAfter(timed.at), 0, timed);
    }
    this.#note(record);
    this.#settle(record.k === 'end' || this.#steps.length - this.#settledCount > MOST_OPEN);
    this.#drop(Math.min(this.#newest - this.#span, needed * 1000));
  }

  /** The model after all steps up to `t`, in ms; of the nearest moment that is kept. */
  modelAt(t: number): Model {
    const at = Math.max(Math.round(t * 1000), this.#kept[0]!.at);
    const to = this.#indexAfter(at);
    const last = this.#last !== undefined && this.#last.index <= to ? this.#last : undefined;
    const kept = this.#kept.findLast((one) => one.at <= at && one.index <= to) ?? this.#kept[0]!;
    const { index, model } = last !== undefined && last.index >= kept.index ? last : kept;
    this.#last = { index: to, at, model: applied(model, this.#steps, index, to) };
    return this.#last.model;
  }

  /** The time in ms of the next event after `t`, or of the one before it if `by` is -1; undefined: there is none. */
  eventFrom(t: number, by: 1 | -1): number | undefined {
    const at = Math.round(t * 1000);
    if (by === 1) {
      for (let index = this.#indexAfter(at); index < this.#steps.length; index++) {
        if (isStop(this.#steps[index]!)) return this.#steps[index]!.at / 1000;
      }
      return undefined;
    }
    for (let index = this.#indexAfter(at - 1) - 1; index >= 0; index--) {
      if (isStop(this.#steps[index]!)) return this.#steps[index]!.at / 1000;
    }
    return undefined;
  }

  /** The steps after `from` up to `to`, in ms, as records in order of time: a recording of that piece. */
  *records(from: number, to: number): Generator<LabRecord> {
    const end = this.#indexAfter(Math.round(to * 1000));
    let index = this.#indexAfter(Math.round(from * 1000));
    while (index < end) {
      const next = Math.min(end, this.#indexAfter(this.#steps[index]!.at + FRAME));
      yield* [...recordsOf(this.#steps, index, next)].sort((a, b) => timeOf(a) - timeOf(b));
      index = next;
    }
  }

  /** The index after the last step up to `at`. */
  #indexAfter(at: number): number {
    let [low, high] = [0, this.#steps.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#steps[middle]!.at <= at) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #note(record: LabRecord): void {
    if (record.k === 'c') {
      this.#happenings.push({ t: record.t, s: record.s, is: 'command', text: record.text });
    } else if (record.k === 's') {
      const text = record.setup.title;
      this.#happenings.push({ t: record.t, s: record.s, is: 'scene', text });
    } else if (record.k === 'a') {
      const before = this.#happenings.findLast(
        ({ is, s }) => s === record.s && (is === 'attack' || is === 'calm'),
      );
      // Each look at a running attack is a record, too.
      const text = record.attack;
      if (text === '' && before?.is === 'attack') {
        this.#happenings.push({ t: record.t, s: record.s, is: 'calm', text: before.text });
      } else if (text !== '' && (before?.is !== 'attack' || before.text !== text)) {
        this.#happenings.push({ t: record.t, s: record.s, is: 'attack', text });
      }
    }
  }

  /** Fixes the order of the steps that no record can still get between, and keeps models and samples of them. */
  #settle(all: boolean): void {
    const steps = this.#steps;
    const to = all ? steps.length : this.#indexAfter(this.#newest - LATE);
    while (this.#settledCount < to) {
      let end = this.#settledCount;
      while (end < to && steps[end]!.at < this.#sampleAt) end++;
      this.#settled = applied(this.#settled, steps, this.#settledCount, end);
      this.#settledCount = end;
      if (end === to) return;
      const next = steps[end]!.at;
      if (this.#settled.stages.length > 0) {
        this.#samples.push(sampleOf(this.#settled, this.#sampleAt / 1000));
      }
      this.#sampleAt = (Math.floor(next / BETWEEN_SAMPLES) + 1) * BETWEEN_SAMPLES;
      const period = Math.floor(next / BETWEEN_MODELS) * BETWEEN_MODELS;
      if (period > this.#kept.at(-1)!.at && end > 0 && period > steps[end - 1]!.at) {
        this.#kept.push({ index: end, at: period, model: this.#settled });
      }
    }
  }

  /** Drops what is older than `oldest`, in µs. The model before the first step that is kept stays. */
  #drop(oldest: number): void {
    if (!Number.isFinite(this.#span)) return;
    const before = this.#kept.length;
    while (
      this.#kept.length > 1 &&
      (this.#kept[1]!.at <= oldest || this.#steps.length > MOST_STEPS)
    ) {
      const { index } = this.#kept[1]!;
      this.#kept = this.#kept.slice(1).map((kept) => ({ ...kept, index: kept.index - index }));
      this.#steps.splice(0, index);
      this.#settledCount -= index;
    }
    if (this.#kept.length === before) return;
    this.#last = undefined;
    const from = this.#kept[0]!.at / 1000;
    this.#samples = this.#samples.filter(({ t }) => t >= from);
    this.#happenings = this.#happenings.filter(({ t }) => t >= from);
  }

  #clear(): void {
    this.#steps = [];
    this.#settledCount = 0;
    this.#settled = nothing;
    this.#newest = 0;
    this.#kept = [{ index: 0, at: Number.NEGATIVE_INFINITY, model: nothing }];
    this.#last = undefined;
    this.#sampleAt = 0;
    this.#samples = [];
    this.#happenings = [];
  }
}

const timeOf = (record: LabRecord): number => (record.k === 'h' ? 0 : record.t);

/** What a viewer steps to: what a client did, a button, an attack, another scene. */
const isStop = (step: Step): boolean =>
  isEvent(step) || step.record.k === 'c' || step.record.k === 'a' || step.record.k === 's';
