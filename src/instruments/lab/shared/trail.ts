/** What the timeline shows of the past: a few numbers of each stage every 100 ms, and rates and waits made of them. */

import type { Model, Stage } from './model.ts';
import { type Doing, doingOf, glyphs } from './words.ts';

export interface StageSample {
  readonly architecture: string;
  /** Kernel queue, and the server's own. */
  readonly waiting: number;
  readonly own: number;
  readonly answered: number;
  /** See `FrameRecord.h`. */
  readonly waits: readonly number[];
  /** What each row does, as an index of `doings`; -1: there is no such lane. */
  readonly lanes: Int8Array;
  readonly attack: string;
}

export interface Sample {
  /** In ms. */
  readonly t: number;
  readonly stages: readonly StageSample[];
}

const doings = Object.keys(glyphs) as readonly Doing[];
const numberOf = new Map(doings.map((doing, index) => [doing, index]));
/** Lanes that a timeline can draw below each other. */
export const MOST_LANES = 64;

export const sampleOf = (model: Model, t: number): Sample => ({
  t,
  stages: model.stages.map(stageSample),
});

function stageSample(stage: Stage): StageSample {
  const rows = [...stage.lanes.keys()].filter((row) => row < MOST_LANES);
  const lanes = new Int8Array(Math.max(0, ...rows.map((row) => row + 1))).fill(-1);
  for (const row of rows) lanes[row] = numberOf.get(doingOf(stage.lanes.get(row)!))!;
  return {
    architecture: stage.setup.architecture,
    waiting: stage.queue.waiting,
    own: stage.queue.own,
    answered: stage.users.answered,
    waits: stage.waits,
    lanes,
    attack: stage.attack.name,
  };
}

/** A time during which a lane did one thing. Times in ms. */
export interface Stretch {
  readonly from: number;
  readonly to: number;
  readonly doing: Doing;
}

/** What the lane in `row` of stage `s` did, up to `to`. A gap: there was no such lane. */
export function stretchesOf(
  samples: readonly Sample[],
  s: number,
  row: number,
  to: number,
): Stretch[] {
  const stretches: Stretch[] = [];
  for (const [index, { t, stages }] of samples.entries()) {
    const doing = doings[stages[s]?.lanes[row] ?? -1];
    if (doing === undefined) continue;
    const end = samples[index + 1]?.t ?? to;
    const last = stretches.at(-1);
    if (last !== undefined && last.doing === doing && last.to === t) {
      stretches[stretches.length - 1] = { ...last, to: end };
    } else stretches.push({ from: t, to: end, doing });
  }
  return stretches;
}

/** The share of each thing that the lanes of stage `s` did, of all their time; the largest first. */
export function sharesOf(
  samples: readonly Sample[],
  s: number,
  to: number,
): readonly (readonly [doing: Doing, share: number])[] {
  const times = new Map<Doing, number>();
  let sum = 0;
  for (const [index, { t, stages }] of samples.entries()) {
    const length = (samples[index + 1]?.t ?? to) - t;
    for (const lane of stages[s]?.lanes ?? []) {
      const doing = doings[lane];
      if (doing === undefined) continue;
      times.set(doing, (times.get(doing) ?? 0) + length);
      sum += length;
    }
  }
  return [...times]
    .map(([doing, time]) => [doing, sum === 0 ? 0 : time / sum] as const)
    .sort((a, b) => b[1] - a[1]);
}

/** Answers a second between two samples. A stage that started again has no rate at its start. */
export function rateOf(before: Sample, after: Sample, s: number): number {
  const [first, last] = [before.stages[s], after.stages[s]];
  if (first === undefined || last === undefined || after.t <= before.t) return 0;
  return Math.max(0, last.answered - first.answered) / ((after.t - before.t) / 1000);
}

/**
 * The wait in ms that `share` of the answers between two samples did not exceed; undefined: there was no answer.
 * Buckets double, so it is right to a factor of two, and inside a bucket it is a guess.
 */
export function waitOf(
  before: StageSample | undefined,
  after: StageSample,
  share: number,
): number | undefined {
  const counts = after.waits.map((count, bucket) => {
    const earlier = before?.waits[bucket] ?? 0;
    return Math.max(0, count - earlier);
  });
  const wanted = share * counts.reduce((sum, count) => sum + count, 0);
  if (wanted === 0) return;
  let below = 0;
  for (const [bucket, count] of counts.entries()) {
    if (count > 0 && below + count >= wanted) {
      return (2 ** bucket * (1 + (wanted - below) / count)) / 1000;
    }
    below += count;
  }
  return;
}
