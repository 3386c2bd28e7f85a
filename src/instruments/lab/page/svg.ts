/** A stage's picture as SVG: in a page, and as a file for a slide. */

import { html, type Markup } from '../../report/markup.ts';
import type { Mark } from './drawing.ts';

/** Colours come from the style of the page, or from `style` in a file of its own. */
export const svgOf = (
  marks: readonly Mark[],
  width: number,
  height: number,
  style: Markup,
): Markup =>
  html`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" aria-hidden="true"><style>${style}</style><rect class="ground" width="${width}" height="${height}"/>${marks.map(markOf)}</svg>`;

function markOf(mark: Mark): Markup {
  const { x, y } = mark;
  switch (mark.is) {
    case 'text':
    case 'title':
      return html`<text class="${mark.is}" x="${round(x)}" y="${round(y)}">${mark.text}</text>`;
    case 'client':
      return html`<g class="client ${mark.tone}"><path d="${outlineOf(mark.form, round(x), round(y))}"/><text x="${round(x)}" y="${round(y + 4)}">${mark.label}</text></g>`;
    case 'ring':
      return html`<circle class="ring" cx="${round(x + mark.width / 2)}" cy="${round(y + mark.height / 2)}" r="${round(mark.width / 2 - 13)}"/>`;
    default:
      return html`<rect class="${mark.is} ${(mark.doing ?? '').replaceAll(' ', '-')}" x="${round(x)}" y="${round(y)}" width="${round(mark.width)}" height="${round(mark.height)}"/>`;
  }
}

const round = (pixels: number) => Math.round(pixels * 10) / 10;

/** 22 pixels wide, around a centre. */
function outlineOf(form: 'dot' | 'square' | 'triangle', x: number, y: number): string {
  switch (form) {
    case 'dot':
      return `M${x - 11} ${y}a11 11 0 1 0 22 0a11 11 0 1 0 -22 0z`;
    case 'square':
      return `M${x - 10} ${y - 10}h20v20h-20z`;
    case 'triangle':
      return `M${x} ${y - 12}l12 22h-24z`;
  }
}
