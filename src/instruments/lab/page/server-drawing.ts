/** The server in the picture of a stage: its processes as boxes, in them strips of threads, or the rims of loops. */

import type { Client, Lane, Stage } from '../shared/model.ts';
import { LANE, PLACE } from '../shared/records.ts';
import { counted, type Doing, doingOf, durationText, glyphs } from '../shared/words.ts';
import { loops, REGISTER, ringCaptions } from './captions.ts';
import { type Box, boxesOf, PITCH, packed, rimOf, seatOf } from './layout.ts';
import { fitting, isFitting, labelOf, numberText, type Pen, TITLE_SIZE } from './marks.ts';

/** A bold text of 17 is about as wide as a plain one of this size. */
const BOLD = 19;
/** Greatest height of a thread's strip with its words. */
const THREAD = 84;
const HEAD = 22;
const PAD = 8;

export function drawServer(pen: Pen, area: Box, clients: readonly Client[]): void {
  const { stage, text } = pen;
  const lanes = [...stage.lanes.values()].sort((a, b) => a.row - b.row);
  const title = fitting(titlesOf(stage, lanes), area.width, TITLE_SIZE);
  text(title, area.x, area.y - 12, 'title');
  const queued = clients.filter(({ place }) => place === PLACE.queue);
  const rest = drawQueue(pen, area, queued);
  const processes = [...Map.groupBy(lanes, ({ pid }) => pid)];
  const isLoop = loops.has(stage.setup.architecture);
  const boxes = boxesOf(processes.length, rest, {
    good: isLoop ? 170 : 84,
    least: 22,
    most: mostOf(processes, rest.height, isLoop),
    narrow: isLoop ? 130 : processes.length > 8 ? 64 : 250,
  });
  const served = clients.filter(({ place }) => place === PLACE.served);
  for (const [index, box] of boxes.entries()) {
    const [pid, own] = processes[index]!;
    pen.box('box', box);
    const isTall = box.height >= (isLoop ? 120 : 64);
    const many = own.length > 1 && !isLoop ? ` · ${counted(own.length, 'thread')}` : '';
    if (isTall && pid > 0) {
      const memory = memoryText(stage, pid);
      const name = `process ${pid}`;
      const line = fitting([name + many + memory, name + memory, name], box.width - 2 * PAD);
      text(line || name, box.x + PAD, box.y + 17, 'faint');
    }
    const head = isTall ? HEAD : 4;
    const inner = {
      x: box.x + PAD,
      y: box.y + head,
      width: box.width - 2 * PAD,
      height: box.height - head - (isTall ? PAD : 4),
    };
    const of = (lane: Lane) => clientsOf(lane, served, lanes.length);
    if (isLoop) drawLoops(pen, inner, own, of);
    else drawThreads(pen, inner, own, of);
  }
  const left = processes.length - boxes.length;
  if (left > 0) {
    text(`and ${numberText(left)} processes more`, rest.x, rest.y + rest.height + 2, 'faint');
  }
  if (lanes.length === 0) text('no worker is there', rest.x + PAD, rest.y + 24, 'warning');
}

/** Of a server with several processes: with one, the figures below the picture say it. */
function memoryText({ memory }: Stage, pid: number): string {
  const own = memory.get(pid);
  return own === undefined || memory.size < 2 ? '' : ` · ${numberText(own)} MiB`;
}

/** Height of a process's box: of a loop as much as there is, of threads what they need. */
function mostOf(
  processes: readonly (readonly [number, readonly Lane[]])[],
  height: number,
  isLoop: boolean,
) {
  if (isLoop) return processes.length === 1 ? height : 420;
  const most = Math.max(1, ...processes.map(([, lanes]) => lanes.length));
  return Math.min(height, HEAD + 2 * PAD + most * (THREAD + 6));
}

/** From the longest to the shortest. */
function titlesOf({ setup }: Stage, lanes: readonly Lane[]): readonly string[] {
  const count = new Set(lanes.map(({ pid }) => pid)).size;
  const processes = `${numberText(count)} processes`;
  if (count > 1) return [`server: ${processes}`, processes, 'server'];
  const threads = counted(lanes.length, 'thread');
  const words = loops.has(setup.architecture) ? `${threads}, a loop` : threads;
  return [`server: ${words}`, words, threads, 'server'];
}

/** Served clients of a lane; a server of one lane need not name it. */
function clientsOf(lane: Lane, served: readonly Client[], lanes: number): readonly Client[] {
  return served.filter((client) =>
    client.lane >= 0 ? client.lane === lane.row : lanes === 1 || client.id === lane.client,
  );
}

/** The server's own queue, inside the server. @returns what of the area is left */
function drawQueue(pen: Pen, area: Box, queued: readonly Client[]): Box {
  const { stage, text, box, client } = pen;
  const size = stage.setup.queue;
  if (size === 0) return area;
  const { own } = stage.queue;
  const isFull = own >= size;
  const line = `its own queue: ${own} of ${size}${isFull ? ', full' : ''}`;
  text(line, area.x + PAD, area.y + 14, isFull ? 'warning' : 'plain');
  const row = { x: area.x + PAD, y: area.y + 20, width: area.width - 2 * PAD, height: PITCH.most };
  const packing = packed(size, row.width, row.height);
  for (let seat = 0; seat < Math.min(size, packing.room); seat++) {
    const { x, y } = seatOf(row, packing, seat);
    const half = (packing.pitch - 3) / 2;
    box('seat', { x: x - half, y: y - half, width: 2 * half, height: 2 * half });
    const one = queued[seat];
    if (one !== undefined) client(one, x, y, packing.pitch);
  }
  const used = 20 + PITCH.most + 8;
  return { ...area, y: area.y + used, height: area.height - used };
}

/** `asleep for client 1`, where the client is known. */
function laneText({ state, kernel, client }: Lane): string {
  const doing = doingOf({ state, kernel });
  if (client < 0 || labelOf(client) === '') return doing;
  if (doing === 'asleep for one client') return `asleep for client ${labelOf(client)}`;
  if (doing === 'working') return `works for client ${labelOf(client)}`;
  if (doing === 'asleep in an answer') return `inside an answer to ${labelOf(client)}`;
  return doing;
}

function drawThreads(
  pen: Pen,
  area: Box,
  lanes: readonly Lane[],
  of: (lane: Lane) => readonly Client[],
): void {
  // Many threads become small: a strip needs no words to show that there is one for each client.
  const narrow = lanes.length > 60 ? 30 : lanes.length > 20 ? 64 : 250;
  const boxes = boxesOf(lanes.length, area, { good: 46, least: 14, most: THREAD, narrow });
  for (const [index, box] of boxes.entries()) {
    const lane = lanes[index]!;
    pen.lanes.push({ ...box, row: lane.row });
    drawThread(pen, box, lane, of(lane));
  }
  const left = lanes.length - boxes.length;
  if (left > 0) {
    const y = area.y + area.height + 4;
    pen.text(`and ${numberText(left)} more threads`, area.x + area.width, y, 'faint', 'end');
  }
}

function drawThread(
  { view, text, box, client }: Pen,
  area: Box,
  lane: Lane,
  own: readonly Client[],
): void {
  const doing = doingOf(lane);
  const pitch = Math.min(PITCH.most + 12, area.height, Math.max(24, area.width / 6));
  const isLarge = area.height >= 78;
  const x = area.x + pitch + 4;
  const width = area.width - pitch - 4;
  const hasText = area.height >= 30;
  const thin = hasText ? Math.max(6, Math.min(26, area.height - 26)) : Math.max(6, area.height - 8);
  if (hasText) {
    const since = lane.state === LANE.ended ? '' : durationText(view.t - lane.since);
    const long = `${glyphs[doing]} ${laneText(lane)}`;
    const short = `${glyphs[doing]} ${doing}`;
    const isRoomy = isLarge && isFitting(long, width, BOLD);
    const word = `${glyphs[doing]} ${doing.split(' ')[0]}`;
    const rest = [long, short, word, glyphs[doing]];
    const texts = isLarge ? rest : [`${long}, ${since}`, ...rest];
    const line = fitting(texts, width + 6, isRoomy ? 17 : 14);
    text(line, x, area.y + 18, isRoomy ? 'large' : 'plain');
    if (isLarge)
      text(
        fitting([`for ${since} · thread ${lane.tid}`, `for ${since}`], width),
        x,
        area.y + 72,
        'faint',
      );
  }
  const y = hasText ? area.y + (isLarge ? 28 : 24) : area.y + (area.height - thin) / 2;
  box('lane', { x, y, width, height: thin }, doing, lane.share / 100);
  const [first] = own;
  if (first !== undefined) client(first, area.x + pitch / 2, area.y + pitch / 2, pitch);
}

function drawLoops(
  pen: Pen,
  area: Box,
  lanes: readonly Lane[],
  of: (lane: Lane) => readonly Client[],
): void {
  const boxes = boxesOf(lanes.length, area, {
    good: 170,
    least: 90,
    most: area.height,
    narrow: 110,
  });
  for (const [index, box] of boxes.entries()) {
    const lane = lanes[index]!;
    const own = of(lane).toSorted((a, b) => a.id - b.id);
    pen.lanes.push({ ...box, row: lane.row });
    const isUring = pen.stage.setup.architecture === 'uring';
    const isPair = isUring && box.width >= 250 && box.height >= 150 && own.length <= 24;
    if (isPair) drawPair(pen, box, lane, own);
    else drawLoop(pen, box, lane, own);
  }
  const left = lanes.length - boxes.length;
  if (left > 0) {
    const y = area.y + area.height + 4;
    pen.text(`and ${numberText(left)} more loops`, area.x + area.width, y, 'faint', 'end');
  }
}

interface Rim {
  readonly x: number;
  readonly y: number;
  readonly radius: number;
}

/** Clients on a rim. @returns the points of those that the thread is at */
function drawRim(pen: Pen, rim: Rim, doing: Doing, clients: readonly Client[]) {
  const { architecture } = pen.stage.setup;
  const isNode = architecture === 'callback' || architecture === 'coroutine';
  pen.marks.push({ is: 'ring', doing, parts: isNode ? 4 : 1, ...rim });
  const { pitch, points } = rimOf(clients.length, rim.radius);
  const isAside = (architecture === 'coroutine' || architecture === 'generator') && pitch >= 20;
  const places = new Map<number, readonly [x: number, y: number]>();
  for (const [index, [dx, dy]] of points.entries()) {
    const one = clients[index]!;
    const [x, y] = [rim.x + dx, rim.y + dy];
    places.set(one.id, [dx, dy]);
    const half = pitch / 2 - 1;
    if (isAside) pen.box('seat', { x: x - half, y: y - half, width: 2 * half, height: 2 * half });
    pen.client(one, x, y, pitch);
  }
  return { places, pitch, left: clients.length - points.length };
}

/** Height of the lines under a ring. */
const CAPTION = 20;

/** Its middle says what the thread does where there is room for it; else the first line below does. */
function drawLoop(pen: Pen, area: Box, lane: Lane, own: readonly Client[]): void {
  const { stage, text, marks, view } = pen;
  const { architecture } = stage.setup;
  const isRoomy = own.length <= 16 && Math.min(area.width, area.height) >= 250;
  const lines = (isRoomy ? 1 : 2) + (architecture === 'select' ? 1 : 0);
  const below = area.y + area.height - lines * CAPTION;
  const room = Math.min(area.width, below - area.y) / 2;
  const radius = Math.max(10, room - (own.length > 16 ? 13 : PITCH.most / 2 + 2));
  const rim = { x: area.x + area.width / 2, y: area.y + (below - area.y) / 2, radius };
  const doing = doingOf(lane);
  const { places, pitch, left } = drawRim(pen, rim, doing, own);
  // A loop is at a client only while it works: asleep it waits for any of them.
  const at = doing === 'asleep for anyone' ? undefined : places.get(lane.client);
  const size = Math.max(12, Math.min(20, radius / 4));
  const near = at === undefined ? 0 : 1 - (pitch / 2 + size / 2 + 3) / Math.hypot(...at);
  const runner = { x: rim.x + (at?.[0] ?? 0) * near, y: rim.y + (at?.[1] ?? 0) * near };
  if (at === undefined && isRoomy) runner.y -= 26;
  marks.push({ is: 'runner', lane: lane.row, doing, size, ...runner });
  const since = durationText(view.t - lane.since);
  const [long, glyph] = [laneText(lane), glyphs[doing]];
  let line = below + 15;
  if (isRoomy) {
    const middle = 2 * (radius - PITCH.most / 2) - 8;
    text(fitting([long, doing, glyph], middle), rim.x, rim.y + 6, 'plain', 'middle');
    text(since, rim.x, rim.y + 24, 'faint', 'middle');
  } else {
    const texts = [`${glyph} ${long}, ${since}`, `${glyph} ${long}`, `${glyph} ${doing}`, glyph];
    text(fitting(texts, area.width), rim.x, line, 'plain', 'middle');
    line += CAPTION;
  }
  const caption = ringCaptions[architecture]?.(lane.open) ?? '';
  const more = `and ${numberText(left)} more`;
  const words = left > 0 ? [`${more}; ${caption}`, more] : [caption];
  text(fitting(words, area.width), rim.x, line, 'faint', 'middle');
  if (architecture === 'select') drawRegister(pen, area, lane.open);
}

/** The descriptors that `select` can name, and how many of them are in use. */
function drawRegister({ box, text }: Pen, area: Box, open: number): void {
  const bottom = area.y + area.height;
  const words = `${numberText(open)} of ${numberText(REGISTER)}`;
  const width = Math.max(40, area.width - words.length * 8 - 8);
  const meter = { x: area.x, y: bottom - 14, width, height: 10 };
  box('meter', meter, undefined, Math.min(1, open / REGISTER));
  text(words, area.x + width + 8, bottom - 4, 'faint');
}

/** Calls that the kernel has and calls that it has completed: a client is in the one ring or in the other. */
function drawPair(pen: Pen, area: Box, lane: Lane, own: readonly Client[]): void {
  const { text, marks, view } = pen;
  const doing = doingOf(lane);
  const radius = Math.min(area.width / 4, (area.height - 3 * CAPTION) / 2) - PITCH.most / 2 - 2;
  const spare = area.height - 2 * radius - PITCH.most - 3 * CAPTION;
  const y = area.y + PITCH.most / 2 + radius + 2 + Math.max(0, spare) / 2;
  const rims = [
    { x: area.x + area.width / 4, y, radius },
    { x: area.x + (3 * area.width) / 4, y, radius },
  ] as const;
  const silent = own.filter(({ asked }) => asked === undefined);
  const spoke = own.filter(({ asked }) => asked !== undefined);
  drawRim(pen, rims[0], 'asleep for anyone', silent);
  const { places } = drawRim(pen, rims[1], 'working', spoke);
  const below = y + radius + PITCH.most / 2 + 18;
  text('handed in', rims[0].x, y + 5, 'faint', 'middle');
  text('has come', rims[1].x, y + 5, 'faint', 'middle');
  const at = places.get(lane.client);
  const runner =
    at === undefined
      ? { x: area.x + area.width / 2, y }
      : { x: rims[1].x + at[0] * 0.5, y: y + at[1] * 0.5 };
  marks.push({ is: 'runner', lane: lane.row, doing, size: 18, ...runner });
  const since = durationText(view.t - lane.since);
  const middle = area.x + area.width / 2;
  const lines = [
    `${glyphs[doing]} ${laneText(lane)}, ${since}`,
    `${glyphs[doing]} ${doing}`,
    glyphs[doing],
  ];
  text(fitting(lines, area.width), middle, below, 'plain', 'middle');
  text(ringCaptions.uring!(0), middle, below + CAPTION, 'faint', 'middle');
}
