/** Files of what is on the screen: PNG, SVG, GIF, Perfetto's JSON, and the recording itself. */

import { Gif, type Pixels } from '../shared/gif.ts';
import type { Player } from '../shared/player.ts';
import { pack } from '../shared/recording.ts';
import type { LabRecord } from '../shared/records.ts';
import { snapshotOf } from '../shared/snapshot.ts';
import { Canvases } from './canvas.ts';
import { failure, loadTexts, texts } from './mission-list.ts';
import { type Cell, type Poster, posterOf, posterSvg, SIZES, shotOf } from './poster.ts';
import { type Colours, coloursNow } from './theme.ts';

const WIDTH = 1280;
const PNG_SCALE = 2;
const GIF_WIDTH = 960;
/** Most ms of an animation, and the hundredths of a second between two of its frames: 12.5 a second. */
const GIF_TIME = 6000;
const GIF_DELAY = 8;

export interface File {
  readonly name: string;
  readonly type: string;
  readonly content: string | Uint8Array<ArrayBuffer>;
}

export type Format = 'PNG' | 'SVG' | 'GIF' | 'Perfetto' | 'recording';

/** @returns undefined if there is nothing to show yet */
export async function fileOf(
  format: Format,
  player: Player,
  progress: (share: number) => void,
): Promise<File | undefined> {
  const shot = shotOf(player.model, player.t);
  if (shot === undefined) return;
  const name = `mondo-${shot.setup.scene.replace(/[^a-z0-9-]/gi, '') || 'lab'}`;
  switch (format) {
    case 'PNG': {
      const content = await pngOf(posterOf(shot, WIDTH));
      return { name: `${name}.png`, type: 'image/png', content };
    }
    case 'SVG': {
      const content = posterSvg(posterOf(shot, WIDTH)).text;
      return { name: `${name}.svg`, type: 'image/svg+xml', content };
    }
    case 'GIF':
      return { name: `${name}.gif`, type: 'image/gif', content: await gifOf(player, progress) };
    case 'Perfetto': {
      await loadTexts();
      const perfettoOf = texts.value?.perfettoOf;
      if (perfettoOf === undefined) throw new Error(failure.value);
      const content = JSON.stringify(perfettoOf(recordsOf(player)));
      return { name: `${name}.json`, type: 'application/json', content };
    }
    case 'recording': {
      const content = new Uint8Array(await pack(recordsOf(player)));
      return { name: `${name}.mondolab`, type: 'application/octet-stream', content };
    }
  }
}

/** A recording of all that the player has. It begins where the player's past does. */
function* recordsOf({ history, isRecording, from, to }: Player): Generator<LabRecord> {
  if (isRecording) {
    yield* history.records(Number.NEGATIVE_INFINITY, to);
    return;
  }
  const first = history.modelAt(from);
  for (const record of snapshotOf(first)) yield shifted(record, from);
  for (const record of history.records(from, to)) yield shifted(record, from);
  yield { k: 'end', t: to - from };
}

/** How long a lane was at its work before the recording began is lost: no time is negative. */
function shifted(record: LabRecord, by: number): LabRecord {
  if (record.k === 'h') return { ...record, at: Math.round(record.at + by) };
  return { ...record, t: Math.max(0, record.t - by) };
}

/** Draws posters one after the other; things move from one to the next. */
class Artist {
  readonly canvas = document.createElement('canvas');
  readonly #scale: number;
  readonly #colours: Colours = coloursNow();
  readonly #context = this.canvas.getContext('2d', { willReadFrequently: true });
  readonly #stages: [canvases: Canvases, still: HTMLCanvasElement, moving: HTMLCanvasElement][] =
    [];

  constructor(scale: number) {
    this.#scale = scale;
  }

  /** @param ms since the last poster; undefined: things are where they belong */
  draw(
    poster: Poster,
    endings: (index: number) => Parameters<Canvases['draw']>[1],
    ms?: number,
  ): void {
    const context = this.#context;
    if (context === null) throw new Error('Cannot draw: the browser gives no canvas');
    const [width, height] = [
      Math.round(poster.width * this.#scale),
      Math.round(poster.height * this.#scale),
    ];
    if (this.canvas.width !== width || this.canvas.height !== height) {
      this.canvas.width = width;
      this.canvas.height = height;
    }
    context.setTransform(this.#scale, 0, 0, this.#scale, 0, 0);
    context.fillStyle = this.#colours.ground;
    context.fillRect(0, 0, poster.width, poster.height);
    for (const { text, x, y, look } of poster.lines) {
      const isBold = look === 'title' || look === 'name';
      context.font = `${isBold ? 650 : 400} ${SIZES[look]}px system-ui, sans-serif`;
      context.fillStyle = look === 'caption' ? this.#colours.faint : this.#colours.ink;
      context.fillText(text, x, y);
    }
    for (const cell of poster.cells) this.#drawCell(context, cell, endings(cell.index), ms);
  }

  #drawCell(
    context: CanvasRenderingContext2D,
    { x, y, index, drawing, unit }: Cell,
    endings: Parameters<Canvases['draw']>[1],
    ms: number | undefined,
  ): void {
    let stage = this.#stages[index];
    if (stage === undefined) {
      const [still, moving] = [document.createElement('canvas'), document.createElement('canvas')];
      const canvases = new Canvases(still, moving, this.#colours);
      canvases.look(this.#colours, unit, this.#scale);
      stage = [canvases, still, moving];
      this.#stages[index] = stage;
    }
    const [canvases, still, moving] = stage;
    canvases.draw(drawing, endings, ms === undefined);
    canvases.frame(ms ?? 0);
    for (const layer of [still, moving]) {
      context.drawImage(layer, x, y, drawing.width * unit, drawing.height * unit);
    }
  }

  pixels(): Pixels {
    const { width, height } = this.canvas;
    return this.#context!.getImageData(0, 0, width, height).data;
  }
}

async function pngOf(poster: Poster): Promise<Uint8Array<ArrayBuffer>> {
  const artist = new Artist(PNG_SCALE);
  artist.draw(poster, () => []);
  const blob = await new Promise<Blob | null>((resolve) => artist.canvas.toBlob(resolve));
  if (blob === null) throw new Error('Cannot draw: the picture is too large');
  return new Uint8Array(await blob.arrayBuffer());
}

/** The time that an animation shows: up to the head, or from the start if the head is near it. */
function animated({ from, to, t }: Player): { readonly start: number; readonly end: number } {
  const start = Math.max(from, Math.min(t, to) - GIF_TIME);
  return { start, end: Math.min(to, start + GIF_TIME) };
}

async function gifOf(
  player: Player,
  progress: (share: number) => void,
): Promise<Uint8Array<ArrayBuffer>> {
  const { start, end } = animated(player);
  const step = GIF_DELAY * 10;
  const artist = new Artist(1);
  let gif: Gif | undefined;
  const drawAt = (t: number, ms?: number): Poster | undefined => {
    const shot = shotOf(player.modelAt(t), t);
    if (shot === undefined) return;
    const poster = posterOf(shot, GIF_WIDTH);
    artist.draw(poster, (index) => shot.model.stages[index]?.endings ?? [], ms);
    return poster;
  };
  const samples: Pixels[] = [];
  for (const share of [0.2, 0.6, 1]) {
    if (drawAt(start + share * (end - start)) !== undefined) samples.push(artist.pixels());
  }
  let height = 0;
  for (let t = start; t <= end; t += step) {
    const poster = drawAt(t, t === start ? undefined : step);
    if (poster === undefined) continue;
    height ||= poster.height;
    // Another scene may have another height; the animation ends with its scene.
    if (poster.height !== height) break;
    gif ??= new Gif(artist.canvas.width, artist.canvas.height, samples);
    gif.add(artist.pixels(), GIF_DELAY);
    progress((t - start) / (end - start));
    // The page stays usable.
    await new Promise((resolve) => setTimeout(resolve));
  }
  if (gif === undefined) throw new Error('Cannot make a GIF: there is no picture yet');
  return gif.end();
}
