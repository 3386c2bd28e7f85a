/** A stage's picture as SVG: a file for a slide, and a picture in a document. */

import { html, type Markup, trusted } from '../../report/markup.ts';
import type { ClientMark, Form, Mark } from './marks.ts';

/** Light and dark, for a file of its own. The names are those of the pictures of `mondo trace`. */
export const pictureStyle: Markup = trusted(`text{font:14px system-ui,sans-serif;fill:#1b1b1b}
.ground{fill:#fff}.title{font-weight:600}.faint{fill:#5b5b5b}.figure{font-size:26px;font-weight:700}.large{font-size:17px;font-weight:600}.warning{fill:#b91c1c;font-weight:600}
.box{fill:none;stroke:#8a8a8a;stroke-width:1.5}.seat{fill:none;stroke:#b5b5b5}.lane,.meter{fill:#f1f1f1;stroke:#8a8a8a}.share{fill:#c4c4c4}
.ring{fill:none;stroke:#8a8a8a;stroke-width:2}.line{stroke:#8a8a8a;stroke-width:1.5}.limit{stroke:#b91c1c;stroke-width:3}
.client path{fill:#fff;stroke:#1b1b1b;stroke-width:2}.client.plain path{fill:#1d4ed8;stroke:#1d4ed8}.client.amber path{fill:#b45309;stroke:#b45309}.client.red path{fill:#b91c1c;stroke:#b91c1c}
.client text{fill:#fff;font-size:13px;font-weight:600;text-anchor:middle}.client.quiet text{fill:#1b1b1b}.client .halo{fill:none;stroke:#7c3aed;stroke-width:3}
.working{fill:#c2410c}.asleep-for-one-client{fill:#1d4ed8}.asleep-for-anyone{fill:#777}.asleep,.asleep-in-an-answer{fill:#7c3aed}.stuck,.stopped{fill:#b91c1c}.runner{stroke:#1b1b1b;stroke-width:2}
@media (prefers-color-scheme:dark){text{fill:#eee}.ground{fill:#191917}.faint{fill:#aaa}.client path{fill:#191917;stroke:#eee}.client.quiet text{fill:#eee}.lane,.meter{fill:#262626}}`);

/** Colours come from `style`: `pictureStyle`, unless a document has its own. */
export const svgOf = (
  marks: readonly Mark[],
  width: number,
  height: number,
  style: Markup = pictureStyle,
): Markup =>
  html`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" aria-hidden="true"><style>${style}</style><rect class="ground" width="${width}" height="${height}"/>${marks.map(markOf)}</svg>`;

const classOf = (doing: string | undefined) => (doing ?? '').replaceAll(' ', '-');

function markOf(mark: Mark): Markup {
  switch (mark.is) {
    case 'text':
      return html`<text class="${mark.look}" x="${round(mark.x)}" y="${round(mark.y)}" text-anchor="${mark.anchor}">${mark.text}</text>`;
    case 'client':
      return clientOf(mark);
    case 'ring':
      return html`<circle class="ring" cx="${round(mark.x)}" cy="${round(mark.y)}" r="${round(mark.radius)}"${mark.parts === 4 ? html` stroke-dasharray="${round((Math.PI * mark.radius) / 2 - 10)} 10"` : undefined}/>`;
    case 'runner':
      return html`<circle class="runner ${classOf(mark.doing)}" cx="${round(mark.x)}" cy="${round(mark.y)}" r="${round(mark.size / 2)}"/>`;
    case 'line':
      return html`<path class="line ${mark.look}" d="M${round(mark.x)} ${round(mark.y)}L${round(mark.toX)} ${round(mark.toY)}"/>`;
    default: {
      const { is, x, y, width, height, doing, share } = mark;
      const filled = width * share;
      const ground = html`<rect class="${is}" x="${round(x)}" y="${round(y)}" width="${round(width)}" height="${round(height)}"/>`;
      if (is !== 'lane' && is !== 'meter') return ground;
      return html`${ground}<rect class="${doing === undefined ? 'share' : classOf(doing)}" x="${round(x)}" y="${round(y)}" width="${round(filled)}" height="${round(height)}"/>`;
    }
  }
}

function clientOf({ form, tone, role, label, x, y, size }: ClientMark): Markup {
  const halo =
    role === 'culprit'
      ? html`<circle class="halo" cx="${round(x)}" cy="${round(y)}" r="${round(size / 2 + 4)}"/>`
      : undefined;
  const shown = `${label}${tone === 'red' && label !== '' ? '!' : ''}`;
  return html`<g class="client ${tone}">${halo}<path d="${outlineOf(form, round(x), round(y), round(size / 2))}"/><text x="${round(x)}" y="${round(y + 4.5)}">${shown}</text></g>`;
}

const round = (pixels: number) => Math.round(pixels * 10) / 10;

/** Around a centre; `r` is half of its width. */
export function outlineOf(form: Form, x: number, y: number, r: number): string {
  switch (form) {
    case 'dot':
      return `M${x - r} ${y}a${r} ${r} 0 1 0 ${2 * r} 0a${r} ${r} 0 1 0 ${-2 * r} 0z`;
    case 'square':
      return `M${x - r} ${y - r}h${2 * r}v${2 * r}h${-2 * r}z`;
    case 'triangle':
      return `M${x} ${y - r}l${r} ${2 * r}h${-2 * r}z`;
    case 'diamond':
      return `M${x} ${y - r}l${r} ${r}l${-r} ${r}l${-r} ${-r}z`;
  }
}
