/** Where things are: stages in the window, areas in a stage, and many equal things in an area. No DOM in here. */

export interface Box {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** Below the first width four columns become two by two; below the second there is one stage at a time. */
const WIDE = 1100;
const NARROW = 700;

/** Below this height a projector gets smaller words; see page.css. */
const LOW = 900;

export interface Grid {
  readonly columns: number;
  readonly rows: number;
  /** One stage at a time: the viewer chooses which. */
  readonly isSingle: boolean;
}

/** @param width of the window in CSS pixels: a zoom of 200 % halves it */
export function gridOf(stages: number, width: number): Grid {
  const isSingle = width < NARROW && stages > 1;
  const most = isSingle ? 1 : width < WIDE ? 2 : 4;
  const columns = Math.max(1, Math.min(stages, most));
  return { columns, rows: isSingle ? 1 : Math.max(1, Math.ceil(stages / columns)), isSingle };
}

/** Height of a stage's picture: what a window of this height leaves for it. A narrow picture stacks its areas. */
export function pictureHeight(
  window: { readonly width: number; readonly height: number },
  { columns, rows }: Grid,
  isProjector: boolean,
): number {
  // In a narrow column the large sentence of a projector has more lines.
  const projected = (window.height < LOW ? 300 : 400) + (columns > 2 ? 80 : 0);
  const rest = window.height - (isProjector ? projected : 480) * Math.sqrt(rows);
  const isStacked = window.width / columns < (isProjector ? 860 : 580);
  const unit = isProjector ? 1.3 : 1;
  const [least, most] = isStacked ? [440, 560] : [240, 560];
  // A projector shows all of it at once, if a picture of that height can be read.
  const enough =
    isProjector && rows === 1 ? Math.max(360, Math.min(least * unit, rest)) : least * unit;
  return Math.round(Math.min(most * unit, Math.max(enough, rest / rows)));
}

export interface Areas {
  /**
   * Wide: clients come from the left and answers leave at the right. Stacked: from above, and below. Low: what is
   * outside of the server has a column at its left.
   */
  readonly form: 'wide' | 'stacked' | 'low';
  /** Clients that connect. */
  readonly street: Box;
  readonly kernel: Box;
  readonly server: Box;
  /** The counts of what came of the clients. */
  readonly done: Box;
  /** Where clients appear, and where those vanish that leave in order. */
  readonly entrance: { readonly x: number; readonly y: number };
  readonly exit: { readonly x: number; readonly y: number };
}

const EDGE = 10;
const GAP = 18;
/** Height of the titles of the areas. */
export const TITLE = 26;

/** The areas of a stage of this size, each without its title. */
export function areasOf(width: number, height: number): Areas {
  const bottom = height - EDGE;
  if (width >= 540) {
    const street = 62;
    const kernel = Math.max(100, width * 0.22);
    const done = 78;
    const top = TITLE + 4;
    const x = EDGE + street + GAP;
    const right = x + kernel + GAP;
    const end = width - EDGE - done;
    return {
      form: 'wide',
      street: { x: EDGE, y: top, width: street, height: bottom - top },
      kernel: { x, y: top, width: kernel, height: bottom - top },
      server: { x: right, y: top, width: end - GAP - right, height: bottom - top },
      done: { x: end, y: top, width: done, height: bottom - top },
      entrance: { x: -20, y: top + 30 },
      exit: { x: width + 20, y: height / 2 },
    };
  }
  if (height < LOW_PICTURE && width >= 380) return lowAreas(width, bottom);
  const street = 62;
  const kernel = Math.max(62, Math.min(100, height * 0.18));
  const done = 44;
  const y = TITLE + 4 + kernel + GAP + TITLE;
  return {
    form: 'stacked',
    street: { x: EDGE, y: TITLE + 4, width: street, height: kernel },
    kernel: {
      x: EDGE + street + GAP,
      y: TITLE + 4,
      width: width - 2 * EDGE - street - GAP,
      height: kernel,
    },
    server: { x: EDGE, y, width: width - 2 * EDGE, height: bottom - y - done - 6 },
    done: { x: EDGE, y: bottom - done, width: width - 2 * EDGE, height: done },
    entrance: { x: -20, y: TITLE + 30 },
    exit: { x: width + 20, y: height - 40 },
  };
}

/** Below this height the areas of a narrow picture have no room one above the other. */
const LOW_PICTURE = 395;

function lowAreas(width: number, bottom: number): Areas {
  const [street, done] = [34, 44];
  const kernel = Math.max(110, width * 0.24);
  const top = TITLE + 4;
  const x = EDGE + street + 14;
  const right = x + kernel + GAP;
  const left = bottom - done;
  return {
    form: 'low',
    street: { x: EDGE, y: top, width: street, height: left - top - 6 },
    kernel: { x, y: top, width: kernel, height: left - top - 6 },
    server: { x: right, y: top, width: width - right - EDGE, height: bottom - top },
    done: { x: EDGE, y: left, width: right - EDGE - GAP, height: done },
    entrance: { x: -20, y: top + 30 },
    exit: { x: EDGE + 40, y: left + 20 },
  };
}

export interface Packing {
  /** Distance of two things. */
  readonly pitch: number;
  readonly columns: number;
  /** How many find room. */
  readonly room: number;
}

/** Distance between two clients: with a number on each, without, and the least. */
export const PITCH = { most: 36, least: 4 } as const;

/** The largest distance at which `count` things find room in a box; if none does, the least one. */
export function packed(
  count: number,
  width: number,
  height: number,
  most: number = PITCH.most,
): Packing {
  for (let pitch = most; ; pitch = Math.max(PITCH.least, Math.floor(pitch * 0.85))) {
    const columns = Math.max(1, Math.floor(width / pitch));
    const room = columns * Math.max(1, Math.floor(height / pitch));
    if (room >= count || pitch <= PITCH.least) return { pitch, columns, room };
  }
}

/** The centre of thing `index` in a box. */
export const seatOf = (box: Pick<Box, 'x' | 'y'>, { pitch, columns }: Packing, index: number) => ({
  x: box.x + ((index % columns) + 0.5) * pitch,
  y: box.y + (Math.floor(index / columns) + 0.5) * pitch,
});

/**
 * Boxes for `count` equal things: as few columns as leave each a height of `good`. If not even more columns do, they
 * shrink down to `least`; what then has no room gets no box.
 */
export function boxesOf(
  count: number,
  area: Box,
  { good, least, most, narrow }: { good: number; least: number; most: number; narrow: number },
): readonly Box[] {
  if (count === 0) return [];
  const gap = 6;
  const widest = Math.max(1, Math.floor((area.width + gap) / (narrow + gap)));
  const heightIn = (columns: number) => (area.height + gap) / Math.ceil(count / columns) - gap;
  let columns = 1;
  while (columns < widest && columns < count && heightIn(columns) < good) columns++;
  const height = Math.min(most, Math.max(least, heightIn(columns)));
  const width = (area.width + gap) / columns - gap;
  const rows = Math.max(1, Math.floor((area.height + gap) / (height + gap)));
  return Array.from({ length: Math.min(count, rows * columns) }, (_, index) => ({
    x: area.x + (index % columns) * (width + gap),
    y: area.y + Math.floor(index / columns) * (height + gap),
    width,
    height,
  }));
}

/**
 * Points for `count` clients on a rim, and on rings inside it where the rim has no room for all. The first is at the
 * top, and they go with the clock.
 */
export function rimOf(
  count: number,
  radius: number,
): { readonly pitch: number; readonly points: readonly (readonly [x: number, y: number])[] } {
  // The middle stays free for the runner and its words.
  const inner = radius * 0.5;
  let pitch: number = PITCH.most;
  const roomAt = (distance: number) => Math.max(1, Math.floor((2 * Math.PI * distance) / pitch));
  const roomOf = () => {
    let room = 0;
    for (let distance = radius; distance >= inner; distance -= pitch) room += roomAt(distance);
    return room;
  };
  while (roomAt(radius) < count && pitch > 18) pitch -= 1;
  if (roomAt(radius) < count) while (roomOf() < count && pitch > PITCH.least) pitch -= 1;
  const points: (readonly [number, number])[] = [];
  for (let distance = radius; points.length < count && distance >= inner; distance -= pitch) {
    const here = Math.min(roomAt(distance), count - points.length);
    for (let index = 0; index < here; index++) {
      const angle = (2 * Math.PI * index) / here - Math.PI / 2;
      points.push([distance * Math.cos(angle), distance * Math.sin(angle)]);
    }
  }
  return { pitch, points };
}
