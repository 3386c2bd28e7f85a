/**
 * Draws a picture as a self-contained SVG, in light and dark. Hatchings repeat what the colours say.
 *
 * Each text has lines of its own, above the bars that it names. So text, bars and grid lines never meet, and a narrow
 * picture needs no other layout than a wide one.
 */

import { nanoseconds } from '../report/figures.ts';
import { html, joined, type Markup, trusted } from '../report/markup.ts';
import type { Bar, Kind, Mark, Picture, Row } from './picture.ts';

export interface SvgOptions {
  /** Width in units of which a letter is about 8 wide. Default 1000. */
  readonly width?: number;
  /** The start of its ids, so that a page may have several pictures. Default `p`. */
  readonly id?: string;
  /** Whether it begins with its title and notes. Default true. */
  readonly hasHeading?: boolean;
}

/** The size of all text, and the height of a line of text. */
const TEXT = 16;
const LINE = 21;
/** A letter is this wide on average, as far as wrapping is concerned: with some reserve for wide fonts. */
const LETTER = 8.8;
const EDGE = 10;
const BAR = 18;
const THIN_BAR = 12;
/** Room above the bars for the marks of questions, and below for those of accepts. */
const MARK = 9;
const GAP = 8;
/** Room at the right, for short bars that stay apart. */
const RESERVE = 20;
/** A tick of the axis needs this much room. */
const TICK = 90;
/** A narrower bar joins the bar before it. */
const NARROW = 0.6;
/** Minimum width of a working bar. */
const MOMENT = 1;
/** Minimum width of a bar that must stay apart from the one before it, and the gap between them. */
const APART = 3;
const BETWEEN = 1.5;

const legend: readonly (readonly [kind: Kind, text: string])[] = [
  ['working', 'working'],
  ['waiting for one client', 'asleep, waiting for one client'],
  ['waiting for any client', 'asleep, waiting for any client'],
  ['asleep', 'asleep: another thread, or time'],
  ['in the accept queue', 'connected, but not accepted yet'],
  ['open', 'connection open'],
  ['asking', 'client waits for an answer'],
];

const markLegend: readonly (readonly [kind: Mark['kind'], text: string])[] = [
  ['question', 'a question arrives'],
  ['connected', 'the kernel has connected the client'],
  ['accepted', 'the server accepts the client'],
];

/** Which hatching fills a bar; the others have a plain colour. */
const hatchings: Readonly<Partial<Record<Kind, string>>> = {
  'waiting for one client': 'one',
  'waiting for any client': 'any',
  asleep: 'sleep',
  asking: 'ask',
};

const classOf = (kind: Kind) => kind.replaceAll(' ', '-');

/** Where a moment is drawn, and in what picture. */
interface Frame extends Pick<Picture, 'from' | 'to'> {
  readonly x: (t: number) => number;
  readonly id: string;
  readonly width: number;
  /** Where the grid lines stand. */
  readonly grid: readonly number[];
}

/** @returns the whole of an SVG file */
export function svgOf(
  picture: Picture,
  { width = 1000, id = 'p', hasHeading = true }: SvgOptions = {},
): Markup {
  const { from, to, title } = picture;
  const scale = (width - 2 * EDGE - RESERVE) / Math.max(1, to - from);
  const x = (t: number) => EDGE + (Math.min(Math.max(t, from), to) - from) * scale;
  const ticks = ticksOf(picture, Math.max(2, Math.floor(width / TICK)));
  const frame = { from, to, x, id, width, grid: ticks.map(x) };
  const out: Markup[] = [];
  const text = (name: string, line: string, y: number) =>
    out.push(html`<text class="${name}" x="${EDGE}" y="${y + TEXT}">${line}</text>`);
  let y = EDGE / 2;
  const lines = (name: string, words: string) => {
    for (const line of wrapped(words, width - 2 * EDGE)) {
      text(name, line, y);
      y += LINE;
    }
  };
  if (hasHeading) {
    lines('title', title);
    for (const note of picture.notes) lines('note', note);
  }
  y = drawLegend(out, y + GAP, picture, frame);
  for (const { title: name, note, rows } of picture.groups) {
    y += GAP;
    lines('group', name);
    if (note !== undefined) lines('note', note);
    for (const row of rows) {
      lines('label', row.note === undefined ? row.label : `${row.label}: ${row.note}`);
      y = drawRow(out, row, y, frame);
    }
  }
  for (const at of ticks) {
    const left = x(at);
    const anchor = left < EDGE + TICK / 2 ? 'start' : left > width - TICK / 2 ? 'end' : 'middle';
    const label = nanoseconds(at - from);
    out.push(
      html`<text class="tick" x="${px(left)}" y="${y + TEXT}" text-anchor="${anchor}">${label}</text>`,
    );
  }
  y += LINE + EDGE / 2;
  return html`<svg class="${id}" xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${y}" width="${width}" height="${y}" role="img" aria-label="${title}">
<style>${trusted(style)}</style>
<defs>${hatches(id)}</defs>
<rect class="paper" width="${width}" height="${y}"/>
${joined(out, '\n')}
</svg>
`;
}

/** @returns the bottom of the row */
function drawRow(out: Markup[], row: Row, y: number, frame: Frame): number {
  const { from, to, x, grid } = frame;
  const marks = row.marks.filter(({ at }) => at >= from && at <= to);
  const hasBelow = marks.some(({ kind }) => kind === 'accepted');
  const top = y + MARK;
  const tall = row.isThin === true ? THIN_BAR : BAR;
  const bottom = top + tall + (hasBelow ? MARK : 0);
  const band = grid.map((left) => `M${px(left)} ${y + 2}V${bottom}`).join('');
  out.push(html`<path class="grid" d="${band}"/>`);
  const seen = row.bars.filter((bar) => bar.to >= from && bar.from <= to);
  // Work is drawn over the wait that it interrupts, so that a moment of it is visible beside seconds of waiting.
  const isWork = ({ kind }: Bar) => kind === 'working';
  const drawn =
    row.isSeparate === true
      ? seen
      : [
          ...merged(
            seen.filter((bar) => !isWork(bar)),
            x,
          ),
          ...merged(seen.filter(isWork), x),
        ];
  let free = 0;
  for (const bar of drawn) {
    const left = row.isSeparate === true ? Math.max(x(bar.from), free) : x(bar.from);
    const least = row.isSeparate === true ? APART : isWork(bar) ? MOMENT : 0.4;
    const wide = Math.max(least, x(bar.to) - left);
    free = left + wide + BETWEEN;
    const told = oneLine(`${bar.title}, ${nanoseconds(bar.to - bar.from)}`);
    out.push(rect(bar.kind, left, top, wide, tall, frame.id, html`<title>${told}</title>`));
  }
  const last = new Map<Mark['kind'], number>();
  for (const { at, kind, title } of marks) {
    const left = x(at);
    if (left - (last.get(kind) ?? Number.NEGATIVE_INFINITY) < 1.5) continue;
    last.set(kind, left);
    const name = html`<title>${oneLine(title)}</title>`;
    out.push(mark(kind, left, kind === 'accepted' ? top + tall + 1 : top - MARK + 1, name));
  }
  return bottom + GAP;
}

const rect = (
  kind: Kind,
  ...[left, top, width, height, id, title]: [number, number, number, number, string, Markup?]
): Markup => {
  const hatching = hatchings[kind];
  const fill = hatching === undefined ? undefined : html` fill="url(#${id}-${hatching})"`;
  return html`<rect class="${classOf(kind)}" x="${px(left)}" y="${top}" width="${px(width)}" height="${height}"${fill}>${title}</rect>`;
};

/** A triangle, 7 high. It points down at a bar, or up at one; hollow for what only the kernel does. */
const mark = (kind: Mark['kind'], left: number, top: number, title?: Markup): Markup => {
  const path =
    kind === 'accepted' ? `M${px(left - 4)} ${top + 7}h8l-4-7z` : `M${px(left - 4)} ${top}h8l-4 7z`;
  return html`<path class="mark ${kind}" d="${path}">${title}</path>`;
};

/** A bar that is too narrow to be visible becomes part of its neighbour. */
function merged(bars: readonly Bar[], x: (t: number) => number): Bar[] {
  const wide: Bar[] = [];
  for (const bar of bars) {
    const last = wide.at(-1);
    const isNarrow = x(bar.to) - x(bar.from) < NARROW;
    const touches = last !== undefined && x(bar.from) - x(last.to) < NARROW;
    if (touches && (isNarrow || last.kind === bar.kind)) {
      wide[wide.length - 1] = { ...last, to: bar.to };
    } else wide.push(bar);
  }
  return wide;
}

/** The moments of the grid, at most `most` of them. */
function ticksOf({ from, to }: Picture, most: number): number[] {
  const step = niceStep((to - from) / most);
  const count = Math.floor((to - from) / step) + 1;
  return Array.from({ length: count }, (_, i) => from + i * step);
}

/** 1, 2 or 5 times a power of ten. */
function niceStep(least: number): number {
  const power = 10 ** Math.floor(Math.log10(Math.max(1, least)));
  for (const times of [1, 2, 5]) if (times * power >= least) return times * power;
  return power * 10;
}

/** Only what the picture has. @returns the bottom of the legend */
function drawLegend(out: Markup[], y: number, { groups }: Picture, { id, width }: Frame): number {
  const rows = groups.flatMap((group) => group.rows);
  const bars = new Set(rows.flatMap((row) => row.bars.map(({ kind }) => kind)));
  const marks = new Set(rows.flatMap((row) => row.marks.map(({ kind }) => kind)));
  let left = EDGE;
  let top = y;
  const entry = (symbol: (left: number, top: number) => Markup, text: string) => {
    const wide = 28 + text.length * LETTER;
    if (left > EDGE && left + wide > width - EDGE) {
      left = EDGE;
      top += LINE;
    }
    const x = left + 26;
    out.push(symbol(left, top), html`<text class="note" x="${x}" y="${top + TEXT}">${text}</text>`);
    left += wide + GAP;
  };
  for (const [kind, text] of legend) {
    if (bars.has(kind)) entry((at, from) => rect(kind, at, from + 4, 20, 13, id), text);
  }
  for (const [kind, text] of markLegend) {
    if (marks.has(kind)) entry((at, from) => mark(kind, at + 10, from + 7), text);
  }
  return left > EDGE ? top + LINE : top;
}

/** Questions and answers may have line ends; a tooltip shows them as one line. */
const oneLine = (text: string) => text.replace(/[\t\n\r]/g, '·');

const px = (value: number) => Number(value.toFixed(2));

function wrapped(text: string, width: number): string[] {
  const most = Math.floor(width / LETTER);
  const lines = [''];
  for (const word of text.split(' ')) {
    const last = lines.at(-1)!;
    if (last === '' || last.length + word.length < most) {
      lines[lines.length - 1] = `${last} ${word}`.trim();
    } else lines.push(word);
  }
  return lines;
}

const hatches = (id: string) => {
  const hatch = (name: string, size: number, path: string) =>
    html`<pattern id="${id}-${name}" width="${size}" height="${size}" patternUnits="userSpaceOnUse"><rect class="${name}-ground" width="${size}" height="${size}"/><path class="${name}-lines" d="${path}"/></pattern>`;
  return joined([
    hatch('one', 6, 'M-1 1l2-2M0 6l6-6M5 7l2-2'),
    hatch('any', 8, 'M2 2h1v1h-1zM6 6h1v1h-1z'),
    hatch('sleep', 6, 'M0 3h6'),
    hatch('ask', 6, 'M-1 5l2 2M0 0l6 6M5-1l2 2'),
  ]);
};

const style = `
text{font:${TEXT}px system-ui,sans-serif;fill:#1b1b1b}
.paper{fill:#fff}.title{font-weight:600}.group{font-weight:600}
.grid{stroke:#0003;fill:none}
.working{fill:#c2410c}
.waiting-for-one-client{stroke:#1d4ed8;stroke-width:.5}
.waiting-for-any-client{stroke:#777;stroke-width:.5}
.asleep{stroke:#7c3aed;stroke-width:.5}
.in-the-accept-queue{fill:none;stroke:#0f766e;stroke-dasharray:4 3}
.open{fill:#0f766e55;stroke:#0f766e;stroke-width:.5}
.asking{stroke:#b91c1c;stroke-width:1}
.one-ground{fill:#dbe7ff}.one-lines{stroke:#1d4ed8;stroke-width:1.4;fill:none}
.any-ground{fill:#f1f1f1}.any-lines{fill:#666}
.sleep-ground{fill:#efe7ff}.sleep-lines{stroke:#7c3aed;fill:none}
.ask-ground{fill:#ffe3e3}.ask-lines{stroke:#b91c1c;stroke-width:1.4;fill:none}
.mark{fill:#111;stroke:#111}.connected{fill:none}
@media (prefers-color-scheme:dark){text{fill:#eee}.paper{fill:#191917}.grid{stroke:#fff4}.mark{fill:#fff;stroke:#fff}.connected{fill:none}
.working{fill:#fb923c}.open{fill:#2dd4bf66;stroke:#2dd4bf}.in-the-accept-queue{stroke:#2dd4bf}.one-ground{fill:#16254d}.one-lines{stroke:#93b4ff}.any-ground{fill:#262626}.any-lines{fill:#aaa}
.sleep-ground{fill:#2b1d4d}.sleep-lines{stroke:#c4b5fd}.ask-ground{fill:#4a1717}.ask-lines{stroke:#fca5a5}}
`;
