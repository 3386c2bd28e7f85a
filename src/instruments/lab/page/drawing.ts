/**
 * The picture of a stage as a list of marks, in one grammar for all architectures: clients, kernel queue up to its
 * limit, lanes, done. A canvas or an SVG draws the list. No DOM in here.
 */

import type { Person } from '../cast.ts';
import { type Client, LANE, type Lane, PLACE, type Stage } from '../model.ts';
import { counted, type Doing, doingOf, durationText, glyphs } from '../words.ts';

/** Waiting time by colour, and by a mark beside it. */
export type Tone = 'plain' | 'amber' | 'red' | 'quiet';

export type Mark =
  | {
      readonly is: 'client';
      readonly client: number;
      readonly form: 'dot' | 'square' | 'triangle';
      readonly tone: Tone;
      /** The number, and `!` for a wait of 3 s and more. */
      readonly label: string;
      /** The centre. */
      readonly x: number;
      readonly y: number;
    }
  | {
      readonly is: 'lane' | 'ring' | 'seat';
      readonly doing: Doing | undefined;
      readonly x: number;
      readonly y: number;
      readonly width: number;
      readonly height: number;
    }
  | {
      readonly is: 'text' | 'title';
      readonly text: string;
      readonly x: number;
      readonly y: number;
    };

/** Distance between two clients, in pixels. */
const STEP = 26;
const TOP = 44;
const LANE_HEIGHT = 48;
/** Lanes and clients in one column; a text counts the others. */
const MOST_SHOWN = 8;

/** One thread waits for all its clients, which stand on a ring. */
const loops = new Set([
  'select',
  'poll',
  'epoll',
  'uring',
  'callback',
  'coroutine',
  'generator',
  'asyncore',
]);

export const toneOf = ({ asked, place, since }: Client, t: number): Tone => {
  if (asked === undefined && place === PLACE.served) return 'quiet';
  const waits = t - (asked ?? since);
  return waits < 1000 ? 'plain' : waits < 3000 ? 'amber' : 'red';
};

/** @param width of the stage in pixels, at least 320 */
export function drawn(
  stage: Stage,
  people: ReadonlyMap<number, Person>,
  t: number,
  width: number,
): readonly Mark[] {
  const marks: Mark[] = [];
  const left = { clients: 8, queue: width * 0.18, lanes: width * 0.46, done: width * 0.84 };
  const place = (client: Client, x: number, y: number) => {
    const tone = toneOf(client, t);
    const temper = people.get(client.id)?.temper;
    marks.push({
      is: 'client',
      client: client.id,
      form: temper === undefined ? 'triangle' : temper === 'silent' ? 'square' : 'dot',
      tone,
      label: `${client.id}${tone === 'red' ? '!' : ''}`,
      x: x + STEP / 2,
      y: y + STEP / 2,
    });
  };
  const title = (text: string, x: number) => marks.push({ is: 'title', text, x, y: 20 });
  const rest = (count: number, x: number, y: number) => {
    if (count > 0) marks.push({ is: 'text', text: `and ${count.toLocaleString('en')} more`, x, y });
  };
  const all = [...stage.clients.values()].sort((a, b) => a.since - b.since || a.id - b.id);
  const at = (wanted: number) => all.filter((client) => client.place === wanted);

  title('clients', left.clients);
  const coming = at(PLACE.connecting);
  for (const [row, client] of coming.slice(0, MOST_SHOWN).entries()) {
    place(client, left.clients, TOP + row * STEP);
  }
  rest(coming.length - MOST_SHOWN, left.clients, TOP + MOST_SHOWN * STEP + 14);

  const { waiting, limit, own } = stage.queue;
  title(
    `kernel queue ${waiting.toLocaleString('en')} of ${limit.toLocaleString('en')}`,
    left.queue,
  );
  const columns = Math.max(1, Math.floor((left.lanes - left.queue - 12) / STEP));
  const room = Math.min(limit, columns * MOST_SHOWN);
  for (let seat = 0; seat < room; seat++) {
    const x = left.queue + (seat % columns) * STEP;
    const y = TOP + Math.floor(seat / columns) * STEP;
    marks.push({ is: 'seat', doing: undefined, x, y, width: STEP - 2, height: STEP - 2 });
  }
  at(PLACE.kernel)
    .slice(0, room)
    .forEach((client, seat) => {
      place(client, left.queue + (seat % columns) * STEP, TOP + Math.floor(seat / columns) * STEP);
    });
  const below = TOP + Math.min(MOST_SHOWN, Math.ceil(room / columns)) * STEP + 14;
  if (waiting > room) rest(waiting - room, left.queue, below);
  else if (limit > room) {
    const text = `and room for ${(limit - room).toLocaleString('en')} more`;
    marks.push({ is: 'text', text, x: left.queue, y: below });
  }

  title(
    loops.has(stage.setup.architecture) ? 'loop' : counted(stage.lanes.size, 'thread'),
    left.lanes,
  );
  const wide = left.done - left.lanes - 12;
  let y = TOP;
  if (stage.setup.queue > 0) {
    marks.push({
      is: 'text',
      text: `own queue ${own} of ${stage.setup.queue}`,
      x: left.lanes,
      y: y + 12,
    });
    const seats = Math.min(stage.setup.queue, Math.floor(wide / STEP));
    for (const [seat, client] of at(PLACE.queue).slice(0, seats).entries()) {
      place(client, left.lanes + seat * STEP, y + 18);
    }
    y += 18 + STEP + 8;
  }
  const lanes = [...stage.lanes.values()].sort((a, b) => a.row - b.row);
  const served = at(PLACE.served);
  const isLoop = loops.has(stage.setup.architecture);
  for (const lane of lanes.slice(0, MOST_SHOWN)) {
    const own = served.filter((client) =>
      client.lane >= 0 ? client.lane === lane.row : lanes.length === 1 || client.id === lane.client,
    );
    const height = isLoop ? Math.min(wide, 220) : LANE_HEIGHT;
    marks.push({
      is: isLoop ? 'ring' : 'lane',
      doing: doingOf(lane),
      x: left.lanes,
      y,
      width: isLoop ? height : wide,
      height,
    });
    const text = laneText(lane, t);
    if (isLoop) {
      const shown = own.slice(0, 24);
      const radius = height / 2 - STEP / 2;
      shown.forEach((client, index) => {
        const angle = (2 * Math.PI * index) / shown.length - Math.PI / 2;
        const x = left.lanes + height / 2 + radius * Math.cos(angle) - STEP / 2;
        place(client, x, y + height / 2 + radius * Math.sin(angle) - STEP / 2);
      });
      marks.push({ is: 'text', text, x: left.lanes, y: y + height + 16 });
      rest(own.length - shown.length, left.lanes, y + height + 32);
      y += height + 44;
    } else {
      for (const [index, client] of own.slice(0, 3).entries()) {
        place(client, left.lanes + 6 + index * STEP, y + 2);
      }
      marks.push({ is: 'text', text, x: left.lanes + 6, y: y + LANE_HEIGHT - 4 });
      y += LANE_HEIGHT + 6;
    }
  }
  rest(lanes.length - MOST_SHOWN, left.lanes, y + 12);

  title('done', left.done);
  const { server, users } = stage;
  const counts = [
    `✓ ${users.answered.toLocaleString('en')} answered`,
    `◔ ${server.limited.toLocaleString('en')} limited`,
    `✗ ${server.refused.toLocaleString('en')} refused`,
    `⚡ ${users.reset.toLocaleString('en')} reset`,
  ];
  for (const [row, text] of counts.entries()) {
    marks.push({ is: 'text', text, x: left.done, y: TOP + 14 + row * 20 });
  }
  return marks;
}

/** `▨ asleep for one client, 6.2 s`. */
const laneText = (lane: Lane, t: number): string => {
  const doing = doingOf(lane);
  const since = lane.state === LANE.ended ? '' : `, ${durationText(t - lane.since)}`;
  return `${glyphs[doing]} ${doing}${since}`;
};
