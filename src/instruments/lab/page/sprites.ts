/** Clients as small pictures, each drawn once: to copy one costs a software canvas the least. */

import { isSmall } from './crowd.ts';
import type { ClientMark } from './marks.ts';
import type { Colours } from './theme.ts';

const FONT = '600 1px system-ui, sans-serif';
export const font = (size: number, weight = 400): string =>
  FONT.replace('600 1px', `${weight} ${size}px`);

type Brush = CanvasRenderingContext2D | OffscreenCanvasRenderingContext2D;

/** Steps of the ring that fills. */
const STEPS = 12;
/** Room around a client for its halo and its ring, in pixels. */
const edgeOf = (mark: ClientMark) => (isSmall(mark) ? 1 : 7);

const forms = ['dot', 'square', 'triangle', 'diamond'] as const;
const tones = ['plain', 'amber', 'red', 'quiet'] as const;

export class Sprites {
  readonly #colours: Colours;
  /** Device pixels of a pixel of the picture. */
  readonly #scale: number;
  readonly #made = new Map<string, ImageBitmap>();
  readonly #crowd: (ImageBitmap | undefined)[] = [];

  constructor(colours: Colours, scale: number) {
    this.#colours = colours;
    this.#scale = scale;
  }

  draw(context: CanvasRenderingContext2D, mark: ClientMark, x: number, y: number): void {
    const sprite = this.of(mark);
    // On whole device pixels: between them a sprite blurs.
    const left = this.left(mark, x) / this.#scale;
    const top = this.left(mark, y) / this.#scale;
    context.drawImage(sprite, left, top, sprite.width / this.#scale, sprite.height / this.#scale);
  }

  of(mark: ClientMark): ImageBitmap {
    return isSmall(mark) ? this.#small(mark) : this.#large(mark);
  }

  /** The device pixel where the picture of a client begins whose centre is at `x`. The same goes for `y`. */
  left(mark: ClientMark, x: number): number {
    return Math.round((x - mark.size / 2 - edgeOf(mark)) * this.#scale);
  }

  #large(mark: ClientMark): ImageBitmap {
    const step = Math.ceil(mark.wait * STEPS);
    const key = `${mark.form} ${mark.tone} ${mark.size} ${step} ${mark.role} ${mark.label} ${mark.bytes > 0}`;
    let sprite = this.#made.get(key);
    if (sprite === undefined) {
      sprite = this.#make(mark, step);
      this.#made.set(key, sprite);
    }
    return sprite;
  }

  /** To put a text together for each of 10,000 would take longer than to draw them. */
  #small(mark: ClientMark): ImageBitmap {
    const key = (mark.size * 4 + forms.indexOf(mark.form)) * 4 + tones.indexOf(mark.tone);
    const known = this.#crowd[key];
    if (known !== undefined) return known;
    const sprite = this.#make(mark, 0);
    this.#crowd[key] = sprite;
    return sprite;
  }

  #make(mark: ClientMark, step: number): ImageBitmap {
    const side = mark.size + 2 * edgeOf(mark);
    const pixels = Math.ceil(side * this.#scale);
    const canvas = new OffscreenCanvas(pixels, pixels);
    const context = canvas.getContext('2d');
    if (context !== null) {
      context.scale(pixels / side, pixels / side);
      context.translate(side / 2, side / 2);
      this.#body(context, mark);
      if (!isSmall(mark)) this.#rings(context, mark, step);
    }
    // A canvas as a source is copied for each drawing; a bitmap is not.
    return canvas.transferToImageBitmap();
  }

  #toneColour({ tone }: ClientMark): string {
    const { accent, amber, red, ink } = this.#colours;
    return { plain: accent, amber, red, quiet: ink }[tone];
  }

  #body(context: Brush, mark: ClientMark): void {
    const { ground, ink, faint } = this.#colours;
    const colour = this.#toneColour(mark);
    const isQuiet = mark.tone === 'quiet';
    const small = isSmall(mark);
    const r = mark.size / 2 - (small ? 0 : 1.5);
    context.beginPath();
    outline(context, mark.form, r);
    context.fillStyle = isQuiet ? (small ? faint : ground) : colour;
    context.fill();
    if (!small) {
      context.lineWidth = 2;
      context.strokeStyle = isQuiet ? ink : colour;
      context.stroke();
    }
    if (mark.label === '') return;
    context.fillStyle = isQuiet ? ink : this.#colours['on-tone'];
    context.font = font(mark.size * (mark.label.length > 2 ? 0.4 : 0.55), 700);
    context.textAlign = 'center';
    context.textBaseline = 'middle';
    context.fillText(mark.label, 0, mark.form === 'triangle' ? 4 : 0.5);
  }

  #rings(context: Brush, mark: ClientMark, step: number): void {
    const { ground, culprit } = this.#colours;
    const r = mark.size / 2 + 2;
    if (step > 0) {
      context.beginPath();
      context.arc(0, 0, r + 0.5, -Math.PI / 2, -Math.PI / 2 + (2 * Math.PI * step) / STEPS);
      context.lineWidth = 3;
      context.strokeStyle = this.#toneColour(mark);
      context.stroke();
    }
    if (mark.role === 'culprit') {
      context.beginPath();
      context.arc(0, 0, r + 2.5, 0, 2 * Math.PI);
      context.lineWidth = 3.5;
      context.strokeStyle = culprit;
      context.stroke();
    }
    if (mark.tone === 'red') this.#badge(context, '!', r - 2, -r + 2, mark.size);
    if (mark.bytes > 0) {
      context.fillStyle = ground;
      context.fillRect(-mark.size / 4 - 1, mark.size / 2 - 1, mark.size / 2 + 2, 6);
      context.fillStyle = this.#colours.ink;
      context.fillRect(-mark.size / 4, mark.size / 2, mark.size / 2, 4);
    }
  }

  #badge(context: Brush, text: string, x: number, y: number, size: number): void {
    const r = Math.min(7, size / 3.2);
    context.beginPath();
    context.arc(x, y, r, 0, 2 * Math.PI);
    context.fillStyle = this.#colours.ground;
    context.fill();
    context.lineWidth = 1.5;
    context.strokeStyle = this.#colours.red;
    context.stroke();
    context.fillStyle = this.#colours.red;
    context.font = font(r * 1.8, 800);
    context.textAlign = 'center';
    context.textBaseline = 'middle';
    context.fillText(text, x, y + 0.5);
  }
}

function outline(context: Brush, form: ClientMark['form'], r: number): void {
  switch (form) {
    case 'dot':
      context.arc(0, 0, r, 0, 2 * Math.PI);
      break;
    case 'square':
      context.rect(-r * 0.92, -r * 0.92, r * 1.84, r * 1.84);
      break;
    case 'triangle':
      context.moveTo(0, -r);
      context.lineTo(r, r * 0.9);
      context.lineTo(-r, r * 0.9);
      context.closePath();
      break;
    case 'diamond':
      context.moveTo(0, -r);
      context.lineTo(r, 0);
      context.lineTo(0, r);
      context.lineTo(-r, 0);
      context.closePath();
      break;
  }
}
