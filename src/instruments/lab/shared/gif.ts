/**
 * An animated GIF with one palette, for pictures of few colours. What a frame shares with the one before it is
 * transparent: then a picture in which dots move needs a tenth of the bytes. No DOM in here.
 */

/** RGBA, as a canvas gives it. */
export type Pixels = Uint8ClampedArray | Uint8Array;

/** The most frequent colours are exact; of the others, those that share two bits of each part are one. */
const FREQUENT = 191;
const TRANSPARENT = 255;
/** Colours that share the upper 5 bits of red, green and blue are one. */
const keyOf = (pixels: Pixels, at: number) =>
  ((pixels[at]! & 0xf8) << 7) | ((pixels[at + 1]! & 0xf8) << 2) | (pixels[at + 2]! >> 3);

/** 255 colours, and for each of the 32,768 keys the nearest of them. */
interface Palette {
  readonly bytes: Uint8Array;
  readonly indexOf: Uint8Array;
}

export class Gif {
  readonly #width: number;
  readonly #height: number;
  readonly #palette: Palette;
  readonly #out = new Bytes();
  #before: Uint8Array | undefined;
  #frames = 0;

  /** @param samples pictures that have the colours of all frames */
  constructor(width: number, height: number, samples: readonly Pixels[]) {
    this.#width = width;
    this.#height = height;
    this.#palette = paletteOf(samples);
    const out = this.#out;
    out.text('GIF89a');
    out.short(width);
    out.short(height);
    // A palette of 256 colours; the ground is colour 0.
    out.all([0xf7, 0, 0]);
    out.all(this.#palette.bytes);
    out.all([0x21, 0xff, 11]);
    out.text('NETSCAPE2.0');
    // Plays again without end.
    out.all([3, 1, 0, 0, 0]);
  }

  get frames(): number {
    return this.#frames;
  }

  /** @param delay until the next frame, in hundredths of a second */
  add(pixels: Pixels, delay: number): void {
    const { indexOf } = this.#palette;
    const now = new Uint8Array(this.#width * this.#height);
    for (let i = 0; i < now.length; i++) now[i] = indexOf[keyOf(pixels, 4 * i)]!;
    const before = this.#before;
    const drawn =
      before === undefined ? now : now.map((c, i) => (c === before[i] ? TRANSPARENT : c));
    this.#before = now;
    this.#frames++;
    const out = this.#out;
    // The frame stays below the next one.
    out.all([0x21, 0xf9, 4, before === undefined ? 0x04 : 0x05]);
    out.short(delay);
    out.all([TRANSPARENT, 0, 0x2c]);
    for (const value of [0, 0, this.#width, this.#height]) out.short(value);
    out.all([0]);
    packed(drawn, out);
  }

  /** The file. No frame can be added afterwards. */
  end(): Uint8Array<ArrayBuffer> {
    this.#out.all([0x3b]);
    return this.#out.taken();
  }
}

function paletteOf(samples: readonly Pixels[]): Palette {
  const counts = new Uint32Array(32_768);
  const sums = new Float64Array(3 * 32_768);
  for (const pixels of samples) {
    for (let at = 0; at + 3 < pixels.length; at += 4) {
      const key = keyOf(pixels, at);
      counts[key]!++;
      for (let part = 0; part < 3; part++) sums[3 * key + part]! += pixels[at + part]!;
    }
  }
  const keys = [...counts.keys()].filter((key) => counts[key]! > 0);
  keys.sort((a, b) => counts[b]! - counts[a]!);
  const groups = new Map<number, number[]>(keys.slice(0, FREQUENT).map((key) => [key, [key]]));
  for (const key of keys.slice(FREQUENT)) {
    // The upper two bits of red, green and blue.
    const coarse = -1 - (key & 0x6318);
    const group = groups.get(coarse);
    if (group === undefined) groups.set(coarse, [key]);
    else group.push(key);
  }
  const bytes = new Uint8Array(3 * 256);
  let index = 0;
  for (const group of groups.values()) {
    const count = group.reduce((sum, key) => sum + counts[key]!, 0);
    for (let part = 0; part < 3; part++) {
      bytes[3 * index + part] = group.reduce((sum, key) => sum + sums[3 * key + part]!, 0) / count;
    }
    index++;
  }
  return { bytes, indexOf: nearest(bytes, index) };
}

function nearest(bytes: Uint8Array, count: number): Uint8Array {
  const indexOf = new Uint8Array(32_768);
  for (let key = 0; key < indexOf.length; key++) {
    const wanted = [(key >> 7) & 0xf8, (key >> 2) & 0xf8, (key << 3) & 0xf8];
    let least = Number.POSITIVE_INFINITY;
    for (let index = 0; index < count; index++) {
      let distance = 0;
      // The middle of the key's colours.
      for (let part = 0; part < 3; part++)
        distance += (bytes[3 * index + part]! - wanted[part]! - 4) ** 2;
      if (distance < least) {
        least = distance;
        indexOf[key] = index;
      }
    }
  }
  return indexOf;
}

/** Lempel, Ziv and Welch, as GIF has it: codes of 9 to 12 bits, in blocks of at most 255 bytes. */
function packed(indices: Uint8Array, out: Bytes): void {
  const CLEAR = 256;
  const FIRST = 258;
  out.all([8]);
  let block: number[] = [];
  let [bits, held] = [0, 0];
  const flush = () => {
    out.all([block.length, ...block]);
    block = [];
  };
  let size = 9;
  const code = (value: number) => {
    held |= value << bits;
    bits += size;
    while (bits >= 8) {
      block.push(held & 0xff);
      held >>>= 8;
      bits -= 8;
      if (block.length === 255) flush();
    }
  };
  let known = new Map<number, number>();
  let next = FIRST;
  code(CLEAR);
  let run = indices[0]!;
  for (let at = 1; at < indices.length; at++) {
    const index = indices[at]!;
    const longer = known.get((run << 8) | index);
    if (longer !== undefined) {
      run = longer;
      continue;
    }
    code(run);
    if (next === 4096) {
      code(CLEAR);
      known = new Map();
      next = FIRST;
      size = 9;
    } else {
      if (next === 1 << size) size++;
      known.set((run << 8) | index, next++);
    }
    run = index;
  }
  code(run);
  code(CLEAR + 1);
  if (bits > 0) block.push(held & 0xff);
  if (block.length > 0) flush();
  out.all([0]);
}

/** Bytes that become more. */
class Bytes {
  #bytes = new Uint8Array(65_536);
  #length = 0;

  all(values: ArrayLike<number>): void {
    while (this.#length + values.length > this.#bytes.length) {
      const larger = new Uint8Array(2 * this.#bytes.length);
      larger.set(this.#bytes);
      this.#bytes = larger;
    }
    this.#bytes.set(values, this.#length);
    this.#length += values.length;
  }

  short(value: number): void {
    this.all([value & 0xff, value >> 8]);
  }

  text(text: string): void {
    this.all([...text].map((letter) => letter.charCodeAt(0)));
  }

  taken(): Uint8Array<ArrayBuffer> {
    return this.#bytes.slice(0, this.#length);
  }
}
