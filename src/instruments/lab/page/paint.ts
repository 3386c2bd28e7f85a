/** One loop that draws all stages: at most one frame for each of the screen, and none while nothing changes. */

import { effect } from '@preact/signals';
import { Pace } from './pace.ts';
import { isReduced, pacing, shown } from './state.ts';

export interface Painter {
  /** Takes the newest model, if it has changed. @param every draw only 1 of this many clients */
  update(every: number): void;
  /** @param ms since the last frame @returns whether the next frame will differ */
  frame(ms: number): boolean;
}

/** The picture takes a new model at most this often, in ms. */
const BETWEEN = 45;
/** Of a viewer who wants no motion: things stand, and step twice a second. */
const STEP = 500;

const painters = new Set<Painter>();
const pace = new Pace();
let isAsked = false;
/** While the next step is not due. */
let step: ReturnType<typeof setTimeout> | undefined;
let last = 0;
let updated = 0;
let frames = 0;
let hasNews = true;

function frame(now: number): void {
  isAsked = false;
  const delta = Math.min(now - last, 1000);
  frames++;
  if (frames % pace.frames !== 0) {
    ask();
    return;
  }
  last = now;
  const start = performance.now();
  const isDue = now - updated >= (isReduced.value ? STEP : BETWEEN);
  const isUpdate = hasNews && isDue;
  if (isUpdate) {
    hasNews = false;
    updated = now;
    for (const painter of painters) painter.update(pace.every);
  }
  let isMoving = false;
  for (const painter of painters) if (painter.frame(delta)) isMoving = true;
  if (isMoving) rate(performance.now() - start, delta);
  if (isMoving || hasNews) ask();
}

/** Frames that work too long, or that come too late because the drawing of the last one took so long. */
function rate(worked: number, delta: number): void {
  const level = pace.level;
  if (delta < 500) pace.add(Math.max(worked, delta / pace.frames - 17));
  if (pace.level === level) return;
  hasNews = true;
  // The stage whose clients are a sample says so itself.
  pacing.value = pace.level === 0 ? '' : 'This machine draws slowly.';
}

function ask(): void {
  if (isAsked) return;
  isAsked = true;
  const rest = isReduced.peek() ? updated + STEP - performance.now() : 0;
  if (rest <= 0) requestAnimationFrame(frame);
  else step = setTimeout(askNow, rest);
}

/** Does not wait for the next step. A frame in which nothing is drawn costs the browser as much as another one. */
function askNow(): void {
  if (step !== undefined) {
    clearTimeout(step);
    step = undefined;
    requestAnimationFrame(frame);
  }
  ask();
}

/** The picture must be drawn again: another size, theme or stage. */
export function repaint(): void {
  hasNews = true;
  updated = 0;
  askNow();
}

/** @returns a function that ends it */
export function paintBy(painter: Painter): () => void {
  painters.add(painter);
  repaint();
  return () => painters.delete(painter);
}

effect(() => {
  shown.value;
  hasNews = true;
  ask();
});
