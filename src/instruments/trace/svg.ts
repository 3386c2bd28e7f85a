/**
 * Draws a picture as a self-contained SVG, in light and dark. Hatchings repeat what the colours
 * say.
 */

import { nanoseconds } from '../report/figures.ts';
import { html, joined, type Markup, trusted } from '../report/markup.ts';
import type { Bar, Kind, Picture, Row } from './picture.ts';

const WIDTH = 1200;
const LABELS = 170;
const RIGHT = 20;
const ROW = 26;
const THIN = 17;
const TITLE = 30;
const GROUP = 24;
const AXIS = 34;
/** A narrower bar, in pixels, joins the bar before it. */
const NARROW = 0.6;
/** Minimum width of a working bar, in pixels. */
const MOMENT = 1;

const legend: readonly (readonly [kind: Kind, text: string])[] = [
  ['working', 'working'],
  ['waiting for one client', 'asleep, waiting for one client'],
  ['waiting for any client', 'asleep, waiting for any client'],
  ['asleep', 'asleep, waiting for another thread or for time'],
  ['open', 'connection open'],
  ['asking', 'client waits for an answer'],
];

const classOf = (kind: Kind) => kind.replaceAll(' ', '-');

/** @returns the whole of an SVG file */
export function svgOf(picture: Picture): Markup {
  const span = Math.max(1, picture.to - picture.from);
  const scale = (WIDTH - LABELS - RIGHT) / span;
  const x = (t: number) =>
    LABELS + (Math.min(Math.max(t, picture.from), picture.to) - picture.from) * scale;
  const out: Markup[] = [];
  let y = TITLE;
  for (const note of picture.notes) {
    for (const line of wrapped(note, 170)) {
      out.push(html`<text class="note" x="10" y="${y + 12}">${line}</text>`);
      y += 17;
    }
  }
  y += 8;
  const top = y;
  for (const { title, note, rows } of picture.groups) {
    const beside =
      note === undefined ? undefined : html`<tspan class="note" dx="10">${note}</tspan>`;
    out.push(html`<text class="group" x="10" y="${y + 15}">${title}${beside}</text>`);
    y += GROUP;
    for (const row of rows) {
      const height = row.isThin === true ? THIN : ROW;
      out.push(drawRow(row, y, height, picture, x));
      y += height;
    }
    y += 6;
  }
  out.push(axis(picture, top, y, x));
  y += AXIS;
  const used = new Set(
    picture.groups.flatMap(({ rows }) => rows.flatMap(({ bars }) => bars.map(({ kind }) => kind))),
  );
  const hasMarks = picture.groups.some(({ rows }) => rows.some(({ marks }) => marks.length > 0));
  y = drawLegend(out, y, used, hasMarks);
  const { title } = picture;
  return html`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${y}" width="${WIDTH}" height="${y}" role="img" aria-label="${title}">
<style>${trusted(style)}</style>
<defs>${patterns}</defs>
<rect class="paper" width="${WIDTH}" height="${y}"/>
<text class="title" x="10" y="21">${title}</text>
${joined(out, '\n')}
</svg>
`;
}

function drawRow(
  { label, bars, marks, isThin }: Row,
  y: number,
  height: number,
  { from, to }: Pick<Picture, 'from' | 'to'>,
  x: (t: number) => number,
): Markup {
  const [top, tall] = isThin === true ? [y + 3, height - 6] : [y + 4, height - 8];
  const text = html`<text class="label${isThin === true ? ' thin' : ''}" x="${LABELS - 8}" y="${y + height / 2 + 4}">${label}</text>`;
  const seen = bars.filter((bar) => bar.to >= from && bar.from <= to);
  // Work is drawn over waiting, so that a short piece of work is visible beside seconds of waiting.
  const drawn = [
    ...merged(
      seen.filter(({ kind }) => kind !== 'working'),
      x,
    ),
    ...merged(
      seen.filter(({ kind }) => kind === 'working'),
      x,
    ),
  ];
  const rects = drawn.map((bar) => {
    const left = x(bar.from);
    const width = Math.max(bar.kind === 'working' ? MOMENT : 0.4, x(bar.to) - left);
    const text = oneLine(`${bar.title}, ${nanoseconds(bar.to - bar.from)}`);
    return html`<rect class="${classOf(bar.kind)}" x="${px(left)}" y="${top}" width="${px(width)}" height="${tall}"><title>${text}</title></rect>`;
  });
  let last = Number.NEGATIVE_INFINITY;
  const ticks: Markup[] = [];
  for (const { at, title } of marks) {
    if (at < from || at > to) continue;
    const left = x(at);
    if (left - last < 1.5) continue;
    last = left;
    ticks.push(
      html`<path class="mark" d="M${px(left - 3)} ${top - 3}h6l-3 5z"><title>${oneLine(title)}</title></path>`,
    );
  }
  return joined([text, rects, ticks]);
}

/** Merges bars that are too narrow to see into their neighbour. */
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

function axis(
  { from, to }: Picture,
  top: number,
  bottom: number,
  x: (t: number) => number,
): Markup {
  const step = niceStep((to - from) / 10);
  const lines: Markup[] = [];
  for (let at = 0; at <= to - from; at += step) {
    const left = px(x(from + at));
    lines.push(
      html`<path class="grid" d="M${left} ${top}V${bottom}"/><text class="tick" x="${left}" y="${bottom + 15}">${nanoseconds(at)}</text>`,
    );
  }
  return joined(lines);
}

/** The next value of 1, 2 or 5 times a power of ten. */
function niceStep(least: number): number {
  const power = 10 ** Math.floor(Math.log10(Math.max(1, least)));
  for (const times of [1, 2, 5]) if (times * power >= least) return times * power;
  return power * 10;
}

function drawLegend(out: Markup[], y: number, used: ReadonlySet<Kind>, hasMarks: boolean): number {
  let left = 10;
  let line = y;
  const entry = (symbol: (left: number, top: number) => Markup, text: string) => {
    const width = 30 + text.length * 6.3;
    if (left + width > WIDTH - RIGHT) {
      left = 10;
      line += 20;
    }
    out.push(
      symbol(left, line),
      html`<text class="note" x="${left + 24}" y="${line + 11}">${text}</text>`,
    );
    left += width + 14;
  };
  for (const [kind, text] of legend) {
    if (!used.has(kind)) continue;
    entry(
      (at, top) =>
        html`<rect class="${classOf(kind)}" x="${at}" y="${top}" width="18" height="13"/>`,
      text,
    );
  }
  if (hasMarks) {
    entry(
      (at, top) => html`<path class="mark" d="M${at + 6} ${top + 3}h6l-3 5z"/>`,
      'a question is worked on',
    );
  }
  return line + 26;
}

/** A tooltip shows a question or an answer in one line. */
const oneLine = (text: string) => text.replace(/[\t\n\r]/g, '·');

const px = (value: number) => Number(value.toFixed(2));

function wrapped(text: string, width: number): string[] {
  const lines = [''];
  for (const word of text.split(' ')) {
    const last = lines.at(-1)!;
    if (last.length + word.length < width) lines[lines.length - 1] = `${last} ${word}`.trim();
    else lines.push(word);
  }
  return lines;
}

const hatch = (id: string, size: number, path: string) =>
  html`<pattern id="${id}" width="${size}" height="${size}" patternUnits="userSpaceOnUse"><rect class="${id}-ground" width="${size}" height="${size}"/><path class="${id}-lines" d="${path}"/></pattern>`;

const patterns = joined([
  hatch('one', 6, 'M-1 1l2-2M0 6l6-6M5 7l2-2'),
  hatch('any', 8, 'M2 2h1v1h-1zM6 6h1v1h-1z'),
  hatch('sleep', 6, 'M0 3h6'),
  hatch('ask', 6, 'M-1 5l2 2M0 0l6 6M5-1l2 2'),
]);

const style = `
text{font:12px system-ui,sans-serif;fill:#1b1b1b}
.paper{fill:#fff}.title{font-size:16px;font-weight:600}.group{font-weight:600}
.label{text-anchor:end}.thin{font-size:11px}.note{font-weight:400}.tick{text-anchor:middle;font-size:11px}
.grid{stroke:#0002;fill:none}
.working{fill:#c2410c}
.waiting-for-one-client{fill:url(#one);stroke:#1d4ed8;stroke-width:.5}
.waiting-for-any-client{fill:url(#any);stroke:#999;stroke-width:.5}
.asleep{fill:url(#sleep);stroke:#7c3aed;stroke-width:.5}
.open{fill:#0f766e55;stroke:#0f766e;stroke-width:.5}
.asking{fill:url(#ask);stroke:#b91c1c;stroke-width:.5}
.one-ground{fill:#dbe7ff}.one-lines{stroke:#1d4ed8;stroke-width:1.4;fill:none}
.any-ground{fill:#f1f1f1}.any-lines{fill:#666}
.sleep-ground{fill:#efe7ff}.sleep-lines{stroke:#7c3aed;fill:none}
.ask-ground{fill:#ffe3e3}.ask-lines{stroke:#b91c1c;stroke-width:1.4;fill:none}
.mark{fill:#111}
@media (prefers-color-scheme:dark){text{fill:#eee}.paper{fill:#161616}.grid{stroke:#fff3}.mark{fill:#fff}
.working{fill:#fb923c}.open{fill:#2dd4bf66;stroke:#2dd4bf}.one-ground{fill:#16254d}.one-lines{stroke:#93b4ff}.any-ground{fill:#262626}.any-lines{fill:#aaa}
.sleep-ground{fill:#2b1d4d}.sleep-lines{stroke:#c4b5fd}.ask-ground{fill:#4a1717}.ask-lines{stroke:#fca5a5}}
`;
