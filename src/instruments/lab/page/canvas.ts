/** Draws a picture on two canvases: what stays on the lower one, what moves on the upper one. */

import type { Ending } from '../shared/model.ts';
import { type Doing, glyphs } from '../shared/words.ts';
import { Crowd, isSmall } from './crowd.ts';
import { Hatches, lineOf } from './hatch.ts';
import type { Drawing, Mark, TextMark } from './marks.ts';
import { Moves } from './moves.ts';
import { font, Sprites } from './sprites.ts';
import type { Colours } from './theme.ts';

/** Sizes of text other than the usual. */
const sizes: Partial<Record<TextMark['look'], number>> = { figure: 26, large: 17 };

/** A pointer that is this near to a client means it. */
const LEAST_REACH = 12;

export class Canvases {
  readonly #still: HTMLCanvasElement;
  readonly #moving: HTMLCanvasElement;
  readonly #moves = new Moves();
  readonly #crowd = new Crowd();
  #drawing: Drawing | undefined;
  #colours: Colours;
  #sprites: Sprites;
  #hatches: Hatches;
  #unit = 1;
  #ratio = 1;
  /** Whether the moving layer must be drawn although nothing moves. */
  #isStale = true;

  constructor(still: HTMLCanvasElement, moving: HTMLCanvasElement, colours: Colours) {
    this.#still = still;
    this.#moving = moving;
    this.#colours = colours;
    this.#sprites = new Sprites(colours, 1);
    this.#hatches = new Hatches(colours, 1);
  }

  /** @param unit CSS pixels of a pixel of the picture @param ratio device pixels of a CSS pixel */
  look(colours: Colours, unit: number, ratio: number): void {
    this.#colours = colours;
    this.#unit = unit;
    this.#ratio = ratio;
    this.#sprites = new Sprites(colours, unit * ratio);
    this.#hatches = new Hatches(colours, unit * ratio);
    this.#isStale = true;
  }

  /** The next picture. @param isAtOnce nothing moves to its place: it is there */
  draw(drawing: Drawing, endings: readonly Ending[], isAtOnce: boolean): void {
    const before = this.#drawing;
    const isResized = before?.width !== drawing.width || before.height !== drawing.height;
    this.#drawing = drawing;
    this.#moves.set(drawing, endings, isAtOnce || isResized);
    const context = this.#fit(this.#still, drawing);
    if (context !== null) for (const mark of drawing.marks) this.#drawStill(context, mark);
    this.#isStale = true;
  }

  /** The client that is drawn here, in pixels of the picture. */
  clientAt(x: number, y: number): number | undefined {
    let [found, least]: [number | undefined, number] = [undefined, Number.POSITIVE_INFINITY];
    for (const [client, { mark, x: atX, y: atY }] of this.#moves.clients) {
      const distance = Math.hypot(atX - x, atY - y);
      if (distance > Math.max(LEAST_REACH, mark.size / 2) || distance >= least) continue;
      [found, least] = [client, distance];
    }
    return found;
  }

  /** The row of the thread that is drawn here, in pixels of the picture. */
  laneAt(x: number, y: number): number | undefined {
    return this.#drawing?.lanes.find(
      (area) => x >= area.x && x < area.x + area.width && y >= area.y && y < area.y + area.height,
    )?.row;
  }

  /** @param ms since the last frame @returns whether the next frame will differ */
  frame(ms: number): boolean {
    const isMoving = this.#moves.step(ms);
    if (this.#drawing === undefined || (!isMoving && !this.#isStale)) return false;
    this.#isStale = false;
    const context = this.#fit(this.#moving, this.#drawing);
    if (context === null) return false;
    this.#drawCrowd(context);
    for (const { mark, x, y } of this.#moves.runners.values())
      this.#drawRunner(context, mark, x, y);
    for (const { mark, x, y } of this.#moves.clients.values()) {
      if (!isSmall(mark)) this.#sprites.draw(context, mark, x, y);
    }
    context.textAlign = 'center';
    context.textBaseline = 'middle';
    context.font = font(18, 700);
    for (const { mark, glyph, x, y, left } of this.#moves.passing) {
      context.globalAlpha = Math.max(0, left);
      if (mark !== undefined) this.#sprites.draw(context, mark, x, y);
      context.fillStyle = mark === undefined ? this.#colours.accent : this.#colours.red;
      context.fillText(glyph, x + (mark === undefined ? 0 : mark.size / 2 + 6), y - 8);
    }
    context.globalAlpha = 1;
    return isMoving;
  }

  /** First, because it overwrites what is there. */
  #drawCrowd(context: CanvasRenderingContext2D): void {
    let has = false;
    for (const { mark, x, y } of this.#moves.clients.values()) {
      if (!isSmall(mark)) continue;
      if (!has) this.#crowd.begin(this.#moving.width, this.#moving.height);
      has = true;
      const sprite = this.#sprites.of(mark);
      this.#crowd.add(sprite, this.#sprites.left(mark, x), this.#sprites.left(mark, y));
    }
    if (has) this.#crowd.put(context);
  }

  /** Clears a canvas, and gives it the size of the picture where it has another one. */
  #fit(canvas: HTMLCanvasElement, { width, height }: Drawing): CanvasRenderingContext2D | null {
    const scale = this.#unit * this.#ratio;
    const [wide, high] = [Math.round(width * scale), Math.round(height * scale)];
    const context = canvas.getContext('2d');
    if (canvas.width !== wide || canvas.height !== high) {
      canvas.width = wide;
      canvas.height = high;
    }
    context?.setTransform(1, 0, 0, 1, 0, 0);
    context?.clearRect(0, 0, wide, high);
    context?.scale(scale, scale);
    return context;
  }

  #drawStill(context: CanvasRenderingContext2D, mark: Mark): void {
    switch (mark.is) {
      case 'text':
        this.#drawText(context, mark);
        break;
      case 'ring':
        this.#drawRing(context, mark);
        break;
      case 'line':
        this.#drawLine(context, mark);
        break;
      case 'client':
      case 'runner':
        break;
      default:
        this.#drawBox(context, mark);
    }
  }

  #drawText(context: CanvasRenderingContext2D, { look, anchor, text, x, y }: TextMark): void {
    const { ink, faint, red } = this.#colours;
    context.fillStyle = look === 'faint' ? faint : look === 'warning' ? red : ink;
    const isBold = look !== 'plain' && look !== 'faint';
    context.font = font(sizes[look] ?? 14, isBold ? 650 : 400);
    context.textAlign = anchor === 'middle' ? 'center' : anchor;
    context.textBaseline = 'alphabetic';
    context.fillText(text, x, y);
  }

  #drawRing(context: CanvasRenderingContext2D, mark: Extract<Mark, { is: 'ring' }>): void {
    const { x, y, radius, parts, doing } = mark;
    context.lineWidth = 10;
    context.strokeStyle = this.#hatches.of(context, doing);
    const part = (2 * Math.PI) / parts;
    // A turn that is less than a whole one by a rounding draws nothing.
    const gap = parts === 1 ? 0 : 0.14;
    for (let at = 0; at < parts; at++) {
      const from = part * at + gap / 2;
      context.beginPath();
      context.arc(x, y, radius, from, parts === 1 ? 7 : from + part - gap);
      context.stroke();
    }
  }

  #drawLine(context: CanvasRenderingContext2D, mark: Extract<Mark, { is: 'line' }>): void {
    const { look, x, y, toX, toY } = mark;
    const { red, rule } = this.#colours;
    context.strokeStyle = look === 'limit' ? red : rule;
    context.lineWidth = look === 'limit' ? 3 : 2;
    context.beginPath();
    context.moveTo(x, y);
    context.lineTo(toX, toY);
    if (look === 'arrow') {
      const angle = Math.atan2(toY - y, toX - x);
      for (const side of [-0.6, 0.6]) {
        context.moveTo(toX, toY);
        context.lineTo(toX - 7 * Math.cos(angle + side), toY - 7 * Math.sin(angle + side));
      }
    }
    context.stroke();
  }

  #drawBox(
    context: CanvasRenderingContext2D,
    mark: Extract<Mark, { is: 'box' | 'seat' | 'lane' | 'meter' }>,
  ): void {
    const { is, x, y, width, height, doing, share } = mark;
    const { rule, seat, lane, faint } = this.#colours;
    context.beginPath();
    context.roundRect(x, y, width, height, is === 'box' ? 8 : Math.min(4, height / 2));
    if (is === 'box' || is === 'seat') {
      context.lineWidth = is === 'box' ? 2 : 1;
      context.strokeStyle = is === 'box' ? rule : seat;
      context.stroke();
      return;
    }
    context.fillStyle = lane;
    context.fill();
    context.save();
    context.clip();
    context.fillStyle = doing === undefined ? faint : this.#hatches.of(context, doing);
    context.fillRect(x, y, width * share, height);
    context.restore();
    context.lineWidth = 1;
    context.strokeStyle = doing === undefined ? rule : this.#colours[lineOf(doing)];
    context.stroke();
  }

  #drawRunner(
    context: CanvasRenderingContext2D,
    { doing, size }: { readonly doing: Doing; readonly size: number },
    x: number,
    y: number,
  ): void {
    context.beginPath();
    context.arc(x, y, size / 2, 0, 2 * Math.PI);
    context.fillStyle = this.#colours.ground;
    context.fill();
    context.lineWidth = 2.5;
    context.strokeStyle = this.#colours[lineOf(doing)];
    context.stroke();
    context.fillStyle = this.#colours[lineOf(doing)];
    context.font = font(size * 0.6, 700);
    context.textAlign = 'center';
    context.textBaseline = 'middle';
    context.fillText(glyphs[doing], x, y + 0.5);
  }
}
