import { expect, test } from 'vitest';
import { Gif, type Pixels } from './gif.ts';

interface Frame {
  readonly delay: number;
  readonly indices: readonly number[];
}

/** Reads a GIF with one palette as the format says. */
function decoded(file: Uint8Array) {
  const short = (at: number) => file[at]! | (file[at + 1]! << 8);
  const text = (at: number, length: number) =>
    String.fromCharCode(...file.subarray(at, at + length));
  expect(text(0, 6)).toBe('GIF89a');
  const [width, height] = [short(6), short(8)];
  const palette = file.subarray(13, 13 + 768);
  const frames: Frame[] = [];
  let at = 13 + 768;
  let delay = 0;
  let isRepeated = false;
  while (file[at] !== 0x3b) {
    if (file[at] === 0x21) {
      if (file[at + 1] === 0xf9) delay = short(at + 4);
      if (file[at + 1] === 0xff) isRepeated = text(at + 3, 11) === 'NETSCAPE2.0';
      at += 2;
      while (file[at] !== 0) at += file[at]! + 1;
      at++;
    } else {
      expect([file[at], short(at + 5), short(at + 7), file[at + 10]]).toEqual([
        0x2c,
        width,
        height,
        8,
      ]);
      at += 11;
      const bytes: number[] = [];
      while (file[at] !== 0) {
        bytes.push(...file.subarray(at + 1, at + 1 + file[at]!));
        at += file[at]! + 1;
      }
      at++;
      frames.push({ delay, indices: unpacked(bytes) });
    }
  }
  expect(at).toBe(file.length - 1);
  return { width, height, palette, frames, isRepeated };
}

function unpacked(bytes: readonly number[]): number[] {
  let [bit, size] = [0, 9];
  const next = () => {
    let code = 0;
    for (let i = 0; i < size; i++, bit++) code |= ((bytes[bit >> 3]! >> (bit & 7)) & 1) << i;
    return code;
  };
  let table: number[][] = [];
  const clear = () => {
    table = Array.from({ length: 258 }, (_, i) => [i]);
    size = 9;
  };
  const indices: number[] = [];
  let before: number[] | undefined;
  for (;;) {
    const code = next();
    if (code === 257) return indices;
    if (code === 256) {
      clear();
      before = undefined;
      continue;
    }
    const run: number[] = table[code] ?? [...before!, before![0]!];
    if (before !== undefined && table.length < 4096) table.push([...before, run[0]!]);
    if (table.length === 1 << size && size < 12) size++;
    indices.push(...run);
    before = run;
  }
}

/** What a viewer sees after each frame: the nearest multiples of 8 of each part of a colour. */
function seen({ palette, frames }: ReturnType<typeof decoded>): string[] {
  let picture: number[] = [];
  return frames.map(({ indices }) => {
    picture = indices.map((index, i) => (index === 255 ? picture[i]! : index));
    return picture.map((index) => [...palette.subarray(3 * index, 3 * index + 3)].join()).join(' ');
  });
}
const colour = (pixels: Pixels) =>
  Array.from({ length: pixels.length / 4 }, (_, i) =>
    [...pixels.subarray(4 * i, 4 * i + 3)].join(),
  ).join(' ');

const picture = (width: number, height: number, of: (x: number, y: number) => number[]) =>
  Uint8Array.from(
    Array.from({ length: width * height }, (_, i) => [
      ...of(i % width, Math.floor(i / width)),
      255,
    ]).flat(),
  );

test('a GIF shows each of its frames, at its pace, again and again', () => {
  const dotAt = (at: number) =>
    picture(40, 30, (x, y) => (x === at && y < 20 ? [200, 0, 0] : [255, 255, 255]));
  const frames = [3, 4, 9].map(dotAt);
  const gif = new Gif(40, 30, [frames[0]!]);
  for (const frame of frames) gif.add(frame, 8);
  const read = decoded(gif.end());
  expect([read.width, read.height, read.isRepeated, gif.frames]).toEqual([40, 30, true, 3]);
  expect(read.frames.map(({ delay }) => delay)).toEqual([8, 8, 8]);
  expect(seen(read)).toEqual(frames.map(colour));
});

test('what does not change takes hardly any bytes', () => {
  const frame = picture(200, 200, (x, y) => [(x * 7) % 256, (y * 5) % 256, 0]);
  const sizeOf = (count: number) => {
    const gif = new Gif(200, 200, [frame]);
    for (let i = 0; i < count; i++) gif.add(frame, 8);
    return gif.end().length;
  };
  expect((sizeOf(11) - sizeOf(1)) / 10).toBeLessThan(sizeOf(1) / 20);
});

test('noise fills the table of codes several times, and is read again as it was', () => {
  let x = 1;
  const random = () => {
    x = (Math.imul(x, 1_103_515_245) + 12_345) >>> 0;
    return x >>> 30;
  };
  const greys = [0, 80, 160, 240];
  const noise = picture(200, 200, () => new Array<number>(3).fill(greys[random()]!));
  const gif = new Gif(200, 200, [noise]);
  gif.add(noise, 8);
  expect(seen(decoded(gif.end()))).toEqual([colour(noise)]);
});

test('of more than 255 colours, each pixel has a near one', () => {
  const many = picture(64, 64, (x, y) => [x * 4, y * 4, (x ^ y) * 4]);
  const gif = new Gif(64, 64, [many]);
  gif.add(many, 8);
  const [shown] = seen(decoded(gif.end()));
  const parts = shown!.split(/[ ,]/).map(Number);
  const wanted = colour(many).split(/[ ,]/).map(Number);
  const far = parts.filter((part, i) => Math.abs(part - wanted[i]!) > 96).length;
  expect(far).toBe(0);
});
