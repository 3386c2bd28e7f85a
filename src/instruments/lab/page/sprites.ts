/** Clients as small pictures, each drawn once: to copy one costs a software canvas the least. */

import type { ClientMark } from './marks.ts';
import type { Colours } from './theme.ts';

const FONT = '600 1px system-ui, sans-serif';
export const font = (size: number, weight = 400): string =>
  FONT.replace('600 1px', `${weight} ${size}px`);

/** Steps of the ring that fills. */
const STEPS = 12;
/** Room around a client for its halo and its ring, in pixels. */
const EDGE = 7;

export class Sprites {
  readonly #colours: Colours;
  /** Device pixels of a pixel of the picture. */
  readonly #scale: number;
  readonly #made = new Map<string, HTMLCanvasElement>();

  constructor(colours: Colours, scale: number) {
    this.#colours = colours;
    this.#scale = scale;
  }

  draw(context: CanvasRenderingContext2D, mark: ClientMark, x: number, y: number): void {
    const step = mark.size >= 14 ? Math.ceil(mark.wait * STEPS) : 0;
    const key = `${mark.form} ${mark.tone} ${mark.size} ${step} ${mark.role} ${mark.label} ${mark.bytes > 0}`;
    let sprite = this.#made.get(key);
    if (sprite === undefined) {
      sprite = this.#make(mark, step);
      this.#made.set(key, sprite);
    }
    const half = mark.size / 2 + EDGE;
    // On whole device pixels: between them a sprite blurs.
    const left = Math.round((x - half) * this.#scale) / this.#scale;
    const top = Math.round((y - half) * this.#scale) / this.#scale;
    context.drawImage(sprite, left, top, sprite.width / this.#scale, sprite.height / this.#scale);
  }

  #make(mark: ClientMark, step: number): HTMLCanvasElement {
    const canvas = document.createElement('canvas');
    const side = mark.size + 2 * EDGE;
    canvas.width = Math.ceil(side * this.#scale);
    canvas.height = canvas.width;
    const context = canvas.getContext('2d');
    if (context === null) return canvas;
    context.scale(canvas.width / side, canvas.width / side);
    context.translate(side / 2, side / 2);
    this.#body(context, mark);
    if (mark.size >= 14) this.#rings(context, mark, step);
    return canvas;
  }

  #toneColour({ tone }: ClientMark): string {
    const { accent, amber, red, ink } = this.#colours;
    return { plain: accent, amber, red, quiet: ink }[tone];
  }

  #body(context: CanvasRenderingContext2D, mark: ClientMark): void {
    const { ground, ink, faint } = this.#colours;
    const colour = this.#toneColour(mark);
    const isQuiet = mark.tone === 'quiet';
    const isSmall = mark.size < 14;
    const r = mark.size / 2 - (isSmall ? 0 : 1.5);
    context.beginPath();
    outline(context, mark.form, r);
    context.fillStyle = isQuiet ? (isSmall ? faint : ground) : colour;
    context.fill();
    if (!isSmall) {
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

  #rings(context: CanvasRenderingContext2D, mark: ClientMark, step: number): void {
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

  #badge(
    context: CanvasRenderingContext2D,
    text: string,
    x: number,
    y: number,
    size: number,
  ): void {
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

function outline(context: CanvasRenderingContext2D, form: ClientMark['form'], r: number): void {
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
