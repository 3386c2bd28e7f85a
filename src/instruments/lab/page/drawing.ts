/**
 * The picture of a stage as a list of marks, in one grammar for all architectures: clients that arrive, the kernel's
 * queue up to its limit, the server with its processes, threads and loops, and what came of the clients. A canvas or
 * an SVG draws the list. No DOM in here.
 */

import type { Client, Stage } from '../shared/model.ts';
import { EVENT, isTold, PLACE } from '../shared/records.ts';
import { areasOf, type Box, PITCH, packed, seatOf, TITLE } from './layout.ts';
import {
  type Drawing,
  fitting,
  isFitting,
  labelOf,
  numberText,
  type Pen,
  penOf,
  TITLE_SIZE,
  type View,
} from './marks.ts';
import { drawServer } from './server-drawing.ts';

/** To draw fewer than this many clients costs little. */
const FEW = 256;

export function drawn(stage: Stage, view: View): Drawing {
  const { width, height, seed } = view;
  const every = stage.clients.size > FEW ? (view.every ?? 1) : 1;
  const areas = areasOf(width, height);
  const pen = penOf(stage, view);
  const all = [...stage.clients.values()]
    .filter(({ id }) => isTold(seed, id, every))
    .sort((a, b) => a.since - b.since || a.id - b.id);
  drawStreet(
    pen,
    areas.street,
    all.filter(({ place }) => place === PLACE.connecting),
  );
  const queued = all.filter(({ place }) => place === PLACE.kernel);
  drawKernel(pen, areas.kernel, queued, areas.form !== 'stacked');
  drawServer(pen, areas.server, all);
  drawDone(pen, areas.done, areas.form === 'wide');
  drawArrows(pen, areas);
  const { marks, lanes } = pen;
  return { width, height, marks, lanes, every: Math.max(every, stage.every), ...areas };
}

function drawStreet({ client, text }: Pen, area: Box, clients: readonly Client[]): void {
  if (isFitting('arriving', area.width + 4)) text('arriving', area.x, area.y - 12, 'title');
  const packing = packed(clients.length, area.width, area.height - TITLE);
  for (const [index, one] of clients.slice(0, packing.room).entries()) {
    const { x, y } = seatOf(area, packing, index);
    client(one, x, y, packing.pitch);
  }
  const rest = clients.length - packing.room;
  if (rest > 0) text(`+ ${numberText(rest)}`, area.x, area.y + area.height - 4, 'faint');
}

/** Seats in the picture where the queue has room for more than a viewer would count. */
const SEATS = { wide: 12, stacked: 6 } as const;

/** A wide picture has the count below the seats, and a narrow one beside the title. */
function drawKernel(pen: Pen, area: Box, clients: readonly Client[], isWide: boolean): void {
  const { stage, box, client, text, marks } = pen;
  const { waiting, limit } = stage.queue;
  const isFull = limit > 0 && waiting >= limit;
  const few = isWide ? SEATS.wide : SEATS.stacked;
  const count = `${numberText(waiting)} of ${numberText(limit)}${isFull ? ': full' : ''}`;
  const titles = ['kernel queue', 'queue'];
  if (!isWide) titles.unshift(`kernel queue: ${count}`, `queue: ${count}`);
  text(fitting(titles, area.width, TITLE_SIZE), area.x, area.y - 12, 'title');
  const height = area.height - (isWide ? 2 * TITLE : TITLE);
  const wanted = Math.max(clients.length, waiting, Math.min(limit, few));
  const packing = packed(wanted, area.width, height);
  const { pitch, columns, room } = packing;
  const isWhole = limit <= Math.min(room, 64);
  const rows = Math.ceil(Math.max(few, waiting, clients.length) / columns);
  const seats = isWhole ? limit : Math.min(limit, room, rows * columns);
  for (let seat = 0; seat < seats && pitch >= 12; seat++) {
    const { x, y } = seatOf(area, packing, seat);
    const half = (pitch - 3) / 2;
    box('seat', { x: x - half, y: y - half, width: 2 * half, height: 2 * half });
  }
  for (const [seat, one] of clients.slice(0, room).entries()) {
    const { x, y } = seatOf(area, packing, seat);
    client(one, x, y, pitch);
  }
  const taken = Math.max(seats, Math.min(clients.length, room), 1);
  const bottom = area.y + Math.ceil(taken / columns) * pitch;
  if (isWhole && limit > 0) {
    marks.push({
      is: 'line',
      look: 'limit',
      x: area.x,
      y: bottom + 3,
      toX: area.x + Math.min(columns, limit) * pitch,
      toY: bottom + 3,
    });
  }
  let line = bottom + 20;
  if (isWide) {
    text(count, area.x, line, isFull ? 'warning' : 'plain');
    line += 18;
  }
  const shown = Math.min(clients.length, room);
  const letter = clients.find(({ bytes }) => bytes > 0);
  if (waiting > shown) text(`and ${numberText(waiting - shown)} more`, area.x, line, 'faint');
  else if (letter !== undefined) {
    const said = `${letter.bytes} B of client ${labelOf(letter.id)} unread`;
    const short = `${letter.bytes} B unread`;
    text(isFitting(said, area.width) ? said : short, area.x, line, 'faint');
  }
}

/** What came of the clients: answers always, the others once there are any. */
function drawDone({ stage, text }: Pen, area: Box, isWide: boolean): void {
  const { server, users, endings } = stage;
  const cut = endings.filter(({ kind }) => kind === EVENT.cut).length;
  const figures: readonly (readonly [value: number, word: string])[] = [
    [users.answered, '✓ answers'],
    [users.wrong, '≠ wrong'],
    [server.limited, '◔ limited'],
    [server.refused, '✗ refused'],
    [users.reset, '⚡ reset'],
    [cut, '✂ cut'],
  ];
  const shown = figures.filter(([value], index) => index === 0 || value > 0);
  if (isWide) {
    text('done', area.x, area.y - 12, 'title');
    for (const [row, [value, word]] of shown.entries()) {
      const y = area.y + 22 + row * 48;
      if (y + 20 > area.y + area.height) break;
      text(short(value), area.x, y, 'figure');
      text(word, area.x, y + 18, 'faint');
    }
    return;
  }
  const step = Math.min(92, area.width / Math.max(1, shown.length));
  for (const [column, [value, word]] of shown.entries()) {
    const x = area.x + column * step;
    if (x + 60 > area.x + area.width) break;
    text(short(value), x, area.y + 20, 'figure');
    text(word, x, area.y + 38, 'faint');
  }
}

/** Up to five digits; `123k` above. */
const short = (value: number) =>
  value < 100_000 ? numberText(value) : `${numberText(Math.round(value / 1000))}k`;

function drawArrows(
  { marks }: Pen,
  { form, street, kernel, server, done }: ReturnType<typeof areasOf>,
) {
  const arrow = (x: number, y: number, toX: number, toY: number) =>
    marks.push({ is: 'line', look: 'arrow', x, y, toX, toY });
  const y = street.y + PITCH.most / 2;
  arrow(street.x + street.width + 2, y, kernel.x - 4, y);
  if (form !== 'stacked') {
    arrow(kernel.x + kernel.width + 2, y, server.x - 4, y);
    if (form === 'wide') arrow(server.x + server.width + 2, y, done.x - 4, y);
  } else {
    const x = server.x + server.width - 12;
    arrow(x, kernel.y + kernel.height - 4, x, server.y - 4);
    arrow(x, server.y + server.height + 2, x, done.y + 12);
  }
}
