/** Draws the last minute, or a whole recording: what each lane did, who waited, and what was answered. */

import type { Happening, History } from '../shared/history.ts';
import {
  MOST_LANES,
  rateOf,
  type Sample,
  type StageSample,
  stretchesOf,
  waitOf,
} from '../shared/trail.ts';
import { counted, durationText } from '../shared/words.ts';
import type { Hatches } from './hatch.ts';
import type { Colours } from './theme.ts';

/** A piece of the past, in ms. */
export interface Span {
  readonly from: number;
  readonly to: number;
}

/** Width of the names at the left, in CSS pixels. */
export const GUTTER = 176;
const HEADING = 20;
const LANE = 12;
const CHART = 26;
const GAP = 6;
const TICKS = 22;
/** Lanes of a stage that are drawn. */
const MOST_SHOWN = 8;
/** A rate, or a share of waits, is that of this many samples: one second. */
const SECOND = 10;

const lanesOf = (samples: readonly Sample[], s: number): number =>
  Math.min(MOST_LANES, Math.max(0, ...samples.map(({ stages }) => stages[s]?.lanes.length ?? 0)));

const stagesOf = (samples: readonly Sample[]): number => samples.at(-1)?.stages.length ?? 0;

/** CSS pixels that the picture needs. */
export function heightOf(samples: readonly Sample[]): number {
  let height = TICKS;
  for (let s = 0; s < stagesOf(samples); s++) {
    const lanes = Math.min(MOST_SHOWN, Math.max(1, lanesOf(samples, s)));
    height += HEADING + lanes * (LANE + 2) + 3 * (CHART + GAP) + GAP;
  }
  return height;
}

export interface Scene {
  readonly history: History;
  readonly span: Span;
  readonly width: number;
  readonly colours: Colours;
  readonly hatches: Hatches;
}

/** @param context scaled to CSS pixels, and clear */
export function drawTimeline(context: CanvasRenderingContext2D, scene: Scene): void {
  const { history, span } = scene;
  const before = history.samples.findLastIndex(({ t }) => t <= span.from);
  const samples = history.samples.slice(Math.max(0, before));
  drawAxis(context, scene, heightOf(history.samples));
  for (const happening of history.happenings) drawHappening(context, scene, happening);
  let y = TICKS;
  for (let s = 0; s < stagesOf(history.samples); s++) {
    y = drawStage(context, scene, { samples, s, lanes: lanesOf(history.samples, s) }, y);
  }
}

const xOf = ({ span, width }: Scene, t: number): number => {
  const share = (t - span.from) / Math.max(1, span.to - span.from);
  return GUTTER + Math.min(1, Math.max(0, share)) * (width - GUTTER);
};

interface TextLook {
  readonly colour: string;
  readonly isBold?: boolean;
  readonly size?: number;
}

function text(
  context: CanvasRenderingContext2D,
  line: string,
  x: number,
  y: number,
  { colour, isBold = false, size = 13 }: TextLook,
): void {
  context.fillStyle = colour;
  context.font = `${isBold ? 650 : 400} ${size}px system-ui, sans-serif`;
  context.textAlign = 'left';
  context.textBaseline = 'alphabetic';
  context.fillText(line, x, y);
}

/** A line each second, or each 5, 10, 30 s: as many as have room. */
function drawAxis(context: CanvasRenderingContext2D, scene: Scene, height: number): void {
  const { span, width, colours } = scene;
  const least = ((span.to - span.from) / Math.max(1, width - GUTTER)) * 70;
  const step = [1000, 2000, 5000, 10_000, 30_000, 60_000, 600_000].find((ms) => ms >= least);
  if (step === undefined) return;
  context.strokeStyle = colours.seat;
  context.lineWidth = 1;
  context.beginPath();
  for (let t = Math.ceil(span.from / step) * step; t <= span.to; t += step) {
    const x = Math.round(xOf(scene, t)) + 0.5;
    context.moveTo(x, TICKS - 4);
    context.lineTo(x, height);
    if (x < width - 50) text(context, `${t / 1000} s`, x + 3, TICKS - 8, { colour: colours.faint });
  }
  context.stroke();
}

const glyphOf: Readonly<Record<Happening['is'], string>> = {
  command: '▾',
  attack: '▲',
  calm: '△',
  scene: '↻',
};

function drawHappening(
  context: CanvasRenderingContext2D,
  scene: Scene,
  { t, is }: Happening,
): void {
  if (t < scene.span.from || t > scene.span.to) return;
  const x = xOf(scene, t);
  const colour = is === 'attack' ? scene.colours.red : scene.colours.accent;
  context.fillStyle = colour;
  context.fillRect(x - 1, 0, 2, TICKS);
  text(context, glyphOf[is], x + 3, 11, { colour, isBold: true });
}

interface Track {
  readonly samples: readonly Sample[];
  readonly s: number;
  readonly lanes: number;
}

/** @returns the y below it */
function drawStage(
  context: CanvasRenderingContext2D,
  scene: Scene,
  track: Track,
  top: number,
): number {
  const { colours, span } = scene;
  const { samples, s, lanes } = track;
  const name = samples.at(-1)?.stages[s]?.architecture ?? '';
  const rest = lanes - MOST_SHOWN;
  const heading = rest > 0 ? `${name}, and ${counted(rest, 'lane')} more` : name;
  text(context, heading, 4, top + 14, { colour: colours.ink, isBold: true });
  let y = top + HEADING;
  for (let row = 0; row < Math.min(lanes, MOST_SHOWN); row++) {
    text(context, `thread ${row + 1}`, 12, y + LANE - 1, { colour: colours.faint, size: 11 });
    for (const { from, to, doing } of stretchesOf(samples, s, row, span.to)) {
      const [left, right] = [xOf(scene, from), xOf(scene, to)];
      if (right <= left) continue;
      context.fillStyle = scene.hatches.of(context, doing);
      context.fillRect(left, y, right - left, LANE);
    }
    y += LANE + 2;
  }
  if (lanes === 0) y += LANE + 2;
  y += GAP;
  const queue = (_: Sample, { stages }: Sample) => stages[s]?.waiting;
  y = drawChart(context, scene, track, { y, name: 'kernel queue', colour: colours.accent }, queue);
  const rate = (before: Sample, after: Sample) => rateOf(before, after, s);
  y = drawChart(context, scene, track, { y, name: 'answers/s', colour: colours.working }, rate);
  return drawWaits(context, scene, track, y) + GAP;
}

interface Chart {
  readonly y: number;
  readonly name: string;
  readonly colour: string;
}

function drawChart(
  context: CanvasRenderingContext2D,
  scene: Scene,
  { samples }: Track,
  { y, name, colour }: Chart,
  rateAt: (secondBefore: Sample, now: Sample) => number | undefined,
): number {
  const values = samples.map((sample, index) =>
    rateAt(samples[Math.max(0, index - SECOND)]!, sample),
  );
  const most = Math.max(0, ...values.map((value) => value ?? 0));
  const last = values.at(-1) ?? 0;
  const figure = last < 9.5 ? Math.round(last * 10) / 10 : Math.round(last);
  const label = `${name} ${figure.toLocaleString('en')}`;
  text(context, label, 12, y + CHART - 8, { colour: scene.colours.faint });
  context.strokeStyle = colour;
  context.lineWidth = 2;
  context.beginPath();
  let isOpen = false;
  for (const [index, value] of values.entries()) {
    if (value === undefined) {
      isOpen = false;
      continue;
    }
    const top = y + CHART - (most === 0 ? 0 : (value / most) * (CHART - 2));
    const left = xOf(scene, samples[index]!.t);
    const right = xOf(scene, samples[index + 1]?.t ?? scene.span.to);
    if (isOpen) context.lineTo(left, top);
    else context.moveTo(left, top);
    context.lineTo(right, top);
    isOpen = true;
  }
  context.stroke();
  return y + CHART + GAP;
}

/** The heights of waits: 1 ms at the foot, 10 s at the head. */
const shareOfWait = (ms: number): number => Math.min(1, Math.max(0, Math.log10(ms) / 4));

/** A bar from the median wait to that of the slowest hundredth, for each second. */
function drawWaits(
  context: CanvasRenderingContext2D,
  scene: Scene,
  { samples, s }: Track,
  y: number,
): number {
  let label = 'waited: –';
  for (let index = 0; index < samples.length; index += SECOND) {
    const before = samples[Math.max(0, index - SECOND)]!;
    const [earlier, later]: (StageSample | undefined)[] = [
      before.stages[s],
      samples[index]!.stages[s],
    ];
    if (later === undefined) continue;
    const half = waitOf(earlier, later, 0.5);
    const slowest = waitOf(earlier, later, 0.99);
    if (half === undefined || slowest === undefined) continue;
    label = `waited ${durationText(half)}, ${durationText(slowest)}`;
    const [left, right] = [xOf(scene, before.t), xOf(scene, samples[index]!.t)];
    const foot = y + CHART - 2 - shareOfWait(half) * (CHART - 4);
    const top = y + CHART - 2 - shareOfWait(slowest) * (CHART - 4);
    context.fillStyle = scene.colours.one;
    context.fillRect(left, top, Math.max(2, right - left - 2), Math.max(2, foot - top));
  }
  text(context, label, 12, y + CHART - 8, { colour: scene.colours.faint });
  return y + CHART + GAP;
}
