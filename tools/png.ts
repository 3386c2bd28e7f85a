/** Pictures of pages as small PNG files: at most 256 colours, as the text and lines of a page have. */
import { crc32, deflateSync, inflateSync } from 'node:zlib';

const SIGNATURE = Buffer.from('\x89PNG\r\n\x1a\n', 'latin1');
const MOST_COLOURS = 256;

interface Pixels {
  readonly width: number;
  readonly height: number;
  /** Red, green and blue of each pixel. */
  readonly rgb: Buffer;
}

/** The same picture with a palette. @param png as Chromium takes it: 8 bits, RGB or RGBA, not interlaced */
export function withPalette(png: Buffer): Buffer {
  const { width, height, rgb } = decoded(png);
  const counts = new Map<number, number>();
  for (let at = 0; at < rgb.length; at += 3) {
    const colour = rgb.readUIntBE(at, 3);
    counts.set(colour, (counts.get(colour) ?? 0) + 1);
  }
  const frequent = [...counts].sort((a, b) => b[1] - a[1]).slice(0, MOST_COLOURS);
  const palette = frequent.map(([colour]) => colour);
  const indexOf = new Map([...counts.keys()].map((colour) => [colour, nearest(palette, colour)]));
  const rows = Buffer.alloc((width + 1) * height);
  for (let i = 0; i < width * height; i++) {
    const row = Math.floor(i / width);
    rows[row * (width + 1) + 1 + (i % width)] = indexOf.get(rgb.readUIntBE(3 * i, 3))!;
  }
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  // 8 bits for a pixel, an index into the palette.
  header.set([8, 3], 8);
  const colours = Buffer.alloc(3 * palette.length);
  for (const [index, colour] of palette.entries()) colours.writeUIntBE(colour, 3 * index, 3);
  return Buffer.concat([
    SIGNATURE,
    chunk('IHDR', header),
    chunk('PLTE', colours),
    chunk('IDAT', deflateSync(rows, { level: 9 })),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}

function nearest(palette: readonly number[], colour: number): number {
  const exact = palette.indexOf(colour);
  if (exact !== -1) return exact;
  let [best, least] = [0, Number.POSITIVE_INFINITY];
  for (const [index, other] of palette.entries()) {
    let distance = 0;
    for (const shift of [0, 8, 16]) {
      distance += (((colour >> shift) & 255) - ((other >> shift) & 255)) ** 2;
    }
    if (distance < least) [best, least] = [index, distance];
  }
  return best;
}

function chunk(type: string, data: Buffer): Buffer {
  const all = Buffer.alloc(data.length + 12);
  all.writeUInt32BE(data.length, 0);
  all.write(type, 4, 'latin1');
  data.copy(all, 8);
  all.writeUInt32BE(crc32(all.subarray(4, data.length + 8)), data.length + 8);
  return all;
}

function decoded(png: Buffer): Pixels {
  const [width, height] = [png.readUInt32BE(16), png.readUInt32BE(20)];
  const [depth, kind, , , interlace] = png.subarray(24, 29);
  if (depth !== 8 || (kind !== 2 && kind !== 6) || interlace !== 0) {
    throw new Error(`Cannot read a PNG of depth ${depth}, colour type ${kind}`);
  }
  const data: Buffer[] = [];
  for (let at = 8; at < png.length; at += png.readUInt32BE(at) + 12) {
    if (png.toString('latin1', at + 4, at + 8) !== 'IDAT') continue;
    data.push(png.subarray(at + 8, at + 8 + png.readUInt32BE(at)));
  }
  const bytes = kind === 2 ? 3 : 4;
  const lines = unfiltered(inflateSync(Buffer.concat(data)), width * bytes, height, bytes);
  const rgb = Buffer.alloc(3 * width * height);
  for (let i = 0; i < width * height; i++) lines.copy(rgb, 3 * i, bytes * i, bytes * i + 3);
  return { width, height, rgb };
}

/** Each line begins with the number of its filter: what its bytes were predicted from. */
function unfiltered(raw: Buffer, length: number, height: number, bytes: number): Buffer {
  const out = Buffer.alloc(length * height);
  for (let y = 0; y < height; y++) {
    const filter = raw[y * (length + 1)]!;
    for (let x = 0; x < length; x++) {
      const at = y * length + x;
      const left = x < bytes ? 0 : out[at - bytes]!;
      const up = y === 0 ? 0 : out[at - length]!;
      const corner = x < bytes || y === 0 ? 0 : out[at - length - bytes]!;
      const guess = [0, left, up, (left + up) >> 1, paeth(left, up, corner)][filter]!;
      out[at] = raw[y * (length + 1) + 1 + x]! + guess;
    }
  }
  return out;
}

function paeth(left: number, up: number, corner: number): number {
  const all = left + up - corner;
  const [a, b, c] = [left, up, corner].map((one) => Math.abs(all - one)) as [
    number,
    number,
    number,
  ];
  if (a <= b && a <= c) return left;
  return b <= c ? up : corner;
}
