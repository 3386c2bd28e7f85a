/** The last minute, or a whole recording: a picture to drag a play head over, its buttons, and the same as a table. */

import { effect, useSignal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import { SPEEDS, type Speed } from '../shared/player.ts';
import { rateOf, sharesOf, waitOf } from '../shared/trail.ts';
import { durationText } from '../shared/words.ts';
import { Hatches } from './hatch.ts';
import { head, player, recordedText, rewind, speed, togglePause, toLive } from './playhead.ts';
import { isProjector, mode } from './state.ts';
import { coloursNow } from './theme.ts';
import { drawTimeline, GUTTER, heightOf, type Span } from './timeline-drawing.ts';

/** Interval between two pictures of the past, in ms. Only the head moves in each frame. */
const REDRAW = 250;
const MINUTE = 60_000;

/** What the picture shows: a live one ends now, and begins a minute ago or where the head is. */
function spanNow(): Span {
  const { from, to, isRecording, t } = player.value;
  if (isRecording) return { from, to: Math.max(to, from + 1000) };
  return { from: Math.min(to - MINUTE, Math.max(from, t - 1000)), to };
}

const speedText = (times: number): string =>
  times < 1 ? `1/${Math.round(1 / times)}` : `${times}`;

export function Timeline() {
  return (
    <section class="timeline" aria-label="Time">
      <Past />
      <PastTable />
    </section>
  );
}

/** The buttons of the play head. */
export function Transport() {
  const isPaused = mode.value === 'paused';
  const { isRecording } = player.value;
  const speeds = SPEEDS.filter((times) => isRecording || times <= 1);
  return (
    <div class="transport">
      <button type="button" onClick={rewind} title="10 s back, and play (Z)">
        ↺ 10 s
      </button>
      <button type="button" onClick={() => player.value.step(-1)} title="one event back (←)">
        ◁ event
      </button>
      <button type="button" class="pause" onClick={togglePause} title="space">
        {isPaused ? '▶ play' : '‖ pause'}
      </button>
      <button type="button" onClick={() => player.value.step(1)} title="one event forward (→)">
        event ▷
      </button>
      <label>
        speed{' '}
        <select
          value={String(speed.value)}
          onChange={(event) => player.value.play(Number(event.currentTarget.value) as Speed)}
        >
          {speeds.map((times) => (
            <option key={times} value={String(times)}>
              {speedText(times)}
            </option>
          ))}
        </select>
      </label>
      <button
        type="button"
        class="live"
        aria-pressed={mode.value === 'live'}
        onClick={toLive}
        title="the newest (L)"
      >
        {isRecording ? '⇥ end' : '● live'}
      </button>
      <HeadTime />
      {recordedText.value !== undefined && <span class="recorded">{recordedText.value}</span>}
    </div>
  );
}

/** Changes with each frame, without a new rendering of anything. */
function HeadTime() {
  const place = useRef<HTMLOutputElement>(null);
  useEffect(
    () =>
      effect(() => {
        // To the µs, where a viewer has the time to read them.
        const digits = mode.value === 'paused' ? 6 : speed.value < 1 ? 4 : 1;
        const text = `${(head.value / 1000).toFixed(digits)} s`;
        if (place.current !== null) place.current.textContent = text;
      }),
    [],
  );
  return <output class="head-time" ref={place} aria-live="off" />;
}

function Past() {
  const canvas = useRef<HTMLCanvasElement>(null);
  const slider = useRef<HTMLDivElement>(null);
  const span = useRef<Span>({ from: 0, to: 1 });
  useEffect(() => {
    let look = '';
    let hatches: Hatches | undefined;
    const draw = () => {
      const context = canvas.current?.getContext('2d');
      const parent = canvas.current?.parentElement;
      if (!context || !parent || parent.clientWidth === 0) return;
      const { history } = player.value;
      const [width, height] = [parent.clientWidth, heightOf(history.samples)];
      const ratio = window.devicePixelRatio || 1;
      const colours = coloursNow();
      const newLook = `${Object.values(colours).join()} ${ratio}`;
      if (newLook !== look || hatches === undefined) hatches = new Hatches(colours, ratio);
      look = newLook;
      span.current = spanNow();
      const { canvas: element } = context;
      element.width = Math.round(width * ratio);
      element.height = Math.round(height * ratio);
      element.style.height = `${height}px`;
      context.scale(ratio, ratio);
      drawTimeline(context, { history, span: span.current, width, colours, hatches });
      describe(slider.current, span.current);
    };
    draw();
    const timer = setInterval(draw, REDRAW);
    const stop = effect(() => placeHead(slider.current, span.current, head.value));
    return () => {
      clearInterval(timer);
      stop();
    };
  }, []);
  const seek = (event: PointerEvent) => {
    const box = slider.current?.getBoundingClientRect();
    if (box === undefined || box.width === 0) return;
    const share = (event.clientX - box.left) / box.width;
    const { from, to } = span.current;
    player.value.seek(from + share * (to - from));
  };
  return (
    <div class="past">
      <div aria-hidden="true">
        <canvas ref={canvas} />
      </div>
      <div
        class="slider"
        style={{ left: `${GUTTER}px` }}
        ref={slider}
        role="slider"
        tabIndex={0}
        aria-label="Play head"
        aria-orientation="horizontal"
        aria-valuemin={0}
        aria-valuenow={0}
        onPointerDown={(event) => {
          event.currentTarget.setPointerCapture(event.pointerId);
          player.value.pause();
          seek(event);
        }}
        onPointerMove={(event) => {
          if (event.currentTarget.hasPointerCapture(event.pointerId)) seek(event);
        }}
        onKeyDown={onSliderKey}
      >
        <div class="head" />
      </div>
    </div>
  );
}

/** The arrow keys on the slider move it by time; elsewhere they move by events. */
function onSliderKey(event: KeyboardEvent): void {
  const { value } = player;
  const moves: Readonly<Record<string, () => void>> = {
    ArrowLeft: () => value.jump(event.shiftKey ? -100 : -1000),
    ArrowDown: () => value.jump(event.shiftKey ? -100 : -1000),
    ArrowRight: () => value.jump(event.shiftKey ? 100 : 1000),
    ArrowUp: () => value.jump(event.shiftKey ? 100 : 1000),
    PageDown: () => value.jump(-10_000),
    PageUp: () => value.jump(10_000),
    Home: () => value.seek(value.from),
    End: () => value.seek(value.to),
  };
  const move = moves[event.key];
  if (move === undefined) return;
  event.preventDefault();
  value.pause();
  move();
}

function placeHead(slider: HTMLDivElement | null, { from, to }: Span, t: number): void {
  const mark = slider?.firstElementChild;
  if (!(mark instanceof HTMLElement) || slider === null) return;
  const share = Math.min(1, Math.max(0, (t - from) / Math.max(1, to - from)));
  mark.style.transform = `translateX(${share * slider.clientWidth}px)`;
}

function describe(slider: HTMLDivElement | null, { from, to }: Span): void {
  if (slider === null) return;
  const { t, state, live } = player.value;
  const seconds = (ms: number) => (ms / 1000).toFixed(1);
  const stages = (state === 'live' ? live : player.value.model).stages.map(
    ({ setup, queue }) => `${setup.architecture}: ${queue.waiting} in the kernel’s queue`,
  );
  const facts: Readonly<Record<string, string>> = {
    'aria-valuemin': seconds(from),
    'aria-valuemax': seconds(to),
    'aria-valuenow': seconds(Math.min(Math.max(t, from), to)),
    'aria-valuetext': [`${seconds(t)} s, ${state}`, ...stages].join('; '),
  };
  for (const [name, value] of Object.entries(facts)) {
    // Only a viewer who is at the slider hears of its changes.
    if (slider.getAttribute(name) !== value) slider.setAttribute(name, value);
  }
}

/** The picture of the past in figures, for a viewer who does not see it. */
function PastTable() {
  const isOpen = useSignal(false);
  const rows = useSignal<readonly (readonly string[])[]>([]);
  const happenings = useSignal<readonly string[]>([]);
  useEffect(() => {
    const count = () => {
      if (!isOpen.value) return;
      const { history } = player.value;
      rows.value = rowsOf();
      happenings.value = history.happenings
        .slice(-20)
        .map(({ t, is, text }) => `${(t / 1000).toFixed(1)} s: ${is} ${text}`.trim());
    };
    count();
    const timer = setInterval(count, 1000);
    const stop = effect(() => void count());
    return () => {
      clearInterval(timer);
      stop();
    };
  }, []);
  if (isProjector.value) return null;
  return (
    <details open={isOpen.value} onToggle={(event) => (isOpen.value = event.currentTarget.open)}>
      <summary>The same as a table</summary>
      <table>
        <thead>
          <tr>
            {[
              'server',
              'its threads',
              'most in the queue',
              'answers/s',
              'median wait',
              'slowest 1 %',
            ].map((name) => (
              <th key={name} scope="col">
                {name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.value.map(([name, ...cells]) => (
            <tr key={name}>
              <th scope="row">{name}</th>
              {cells.map((cell, index) => (
                <td key={String(index)}>{cell}</td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
      {happenings.value.length > 0 && (
        <ul>
          {happenings.value.map((line) => (
            <li key={line}>{line}</li>
          ))}
        </ul>
      )}
    </details>
  );
}

/** One row for each stage: of all that is kept. */
function rowsOf(): readonly (readonly string[])[] {
  const { history, to } = player.value;
  const { samples } = history;
  const [first, last] = [samples[0], samples.at(-1)];
  if (first === undefined || last === undefined) return [];
  return last.stages.map((stage, s) => {
    const shares = sharesOf(samples, s, to)
      .slice(0, 3)
      .map(([doing, share]) => `${doing} ${Math.round(100 * share)} %`);
    const most = Math.max(0, ...samples.map(({ stages }) => stages[s]?.waiting ?? 0));
    const wait = (share: number) => {
      const ms = waitOf(first.stages[s], stage, share);
      return ms === undefined ? '–' : durationText(ms);
    };
    const rate = rateOf(first, last, s).toFixed(1);
    return [stage.architecture, shares.join(', '), String(most), rate, wait(0.5), wait(0.99)];
  });
}
