/**
 * What a picture for a slide has: title, all stages with their sentences, and a caption with date, machine and
 * command. A canvas or an SVG draws it. No DOM in here.
 */

import { html, joined, type Markup, trusted } from '../../report/markup.ts';
import { captionOf } from '../shared/caption.ts';
import { cast } from '../shared/cast.ts';
import type { Model } from '../shared/model.ts';
import type { HeaderRecord, Setup } from '../shared/records.ts';
import { why } from '../shared/why.ts';
import { drawn } from './drawing.ts';
import { gridOf } from './layout.ts';
import type { Drawing } from './marks.ts';
import { pictureStyle, svgOf } from './svg.ts';

export interface Line {
  readonly text: string;
  readonly x: number;
  /** The base line. */
  readonly y: number;
  readonly look: 'title' | 'name' | 'sentence' | 'caption';
}

export interface Cell {
  readonly x: number;
  readonly y: number;
  readonly index: number;
  readonly drawing: Drawing;
  /** Pixels of the poster for a pixel of the drawing. */
  readonly unit: number;
}

export interface Poster {
  readonly width: number;
  readonly height: number;
  readonly lines: readonly Line[];
  readonly cells: readonly Cell[];
}

/** Sizes of text; a letter of it is about half as wide, with some reserve. */
export const SIZES: Readonly<Record<Line['look'], number>> = {
  title: 22,
  name: 18,
  sentence: 15,
  caption: 13,
};
const EDGE = 16;
const PICTURE = 300;
/** A narrower drawing shrinks: its texts would meet. */
const NARROWEST = 540;
/** Lines of a sentence: all posters of one animation must have the same height. */
const SENTENCE = 3;

/** A model that can be drawn: it has a header. */
export interface Shot {
  readonly header: HeaderRecord;
  readonly setup: Setup;
  readonly model: Model;
  /** In ms since the recording began. */
  readonly t: number;
}

export function shotOf(model: Model, t: number): Shot | undefined {
  const { header, setup } = model;
  return header === undefined || setup === undefined ? undefined : { header, setup, model, t };
}

export function posterOf({ header, setup, model, t }: Shot, width: number): Poster {
  const lines: Line[] = [];
  const cells: Cell[] = [];
  const people = new Map(cast(setup.seed, setup.mix).map((person) => [person.id, person]));
  const { columns } = gridOf(model.stages.length, width);
  const wide = (width - EDGE) / columns - EDGE;
  const unit = Math.min(1, wide / NARROWEST);
  const title = setup.title === '' ? 'Mondo lab' : setup.title;
  let y = EDGE + SIZES.title;
  lines.push({ text: title, x: EDGE, y, look: 'title' });
  y += EDGE;
  for (let first = 0; first < model.stages.length; first += columns) {
    const row = model.stages.slice(first, first + columns);
    for (const [column, stage] of row.entries()) {
      const index = first + column;
      const x = EDGE + column * (wide + EDGE);
      const { text, culprits, victims } = why(model, index);
      lines.push({ text: stage.setup.architecture, x, y: y + SIZES.name, look: 'name' });
      const top = y + SIZES.name + 22;
      for (const [row, line] of wrapped(text, wide, SIZES.sentence, SENTENCE).entries()) {
        lines.push({ text: line, x, y: top + row * 20, look: 'sentence' });
      }
      const drawing = drawn(stage, {
        t: model.t,
        width: wide / unit,
        height: PICTURE / unit,
        people,
        culprits,
        victims,
        seed: setup.seed,
      });
      cells.push({ x, y: top + SENTENCE * 20 - 8, index, drawing, unit });
    }
    y += SIZES.name + 22 + SENTENCE * 20 + PICTURE + EDGE;
  }
  for (const text of captionOf(header, setup, t)) {
    for (const line of wrapped(text, width - 2 * EDGE, SIZES.caption, 2)) {
      y += 18;
      lines.push({ text: line, x: EDGE, y, look: 'caption' });
    }
  }
  return { width, height: Math.ceil(y + EDGE), lines, cells };
}

function wrapped(text: string, width: number, size: number, most: number): readonly string[] {
  const letters = Math.floor(width / (size * 0.53));
  const lines = [''];
  for (const word of text.split(' ')) {
    const last = lines.at(-1)!;
    if (last === '' || last.length + word.length < letters) {
      lines[lines.length - 1] = `${last} ${word}`.trim();
    } else lines.push(word);
  }
  if (lines.length <= most) return lines;
  return [...lines.slice(0, most - 1), `${lines[most - 1]} …`];
}

const posterStyle = `.poster-title{font-size:22px;font-weight:650}.poster-name{font-size:18px;font-weight:650}.poster-sentence{font-size:15px}.poster-caption{font-size:13px}`;

/** A whole SVG file, in light and dark. */
export function posterSvg({ width, height, lines, cells }: Poster): Markup {
  const none = trusted('');
  const texts = lines.map(
    ({ text, x, y, look }) => html`<text class="poster-${look}" x="${x}" y="${y}">${text}</text>`,
  );
  const pictures = cells.map(
    ({ x, y, drawing, unit }) =>
      html`<g transform="translate(${x} ${y}) scale(${unit})">${svgOf(drawing.marks, drawing.width, drawing.height, none)}</g>`,
  );
  return html`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-label="${lines[0]?.text}">
<style>${pictureStyle}${trusted(posterStyle)}</style>
<rect class="ground" width="${width}" height="${height}"/>
${joined([...texts, ...pictures], '\n')}
</svg>
`;
}
