/** The words of the lab: what lanes do, and how times and numbers are written. */

import type { Lane, Stage } from './model.ts';
import { KERNEL, LANE } from './records.ts';
import { FIRST_NC, FIRST_PROBE, FIRST_STRANGER } from './wire.ts';

/** What a lane does, in the words of the pictures of `mondo trace`. */
export type Doing =
  | 'working'
  | 'asleep for one client'
  | 'asleep for anyone'
  | 'asleep in an answer'
  | 'asleep'
  | 'wants a processor'
  | 'stopped'
  | 'stuck'
  | 'starting'
  | 'ended';

/** A lane says what it is at; the kernel says whether its thread sleeps there. */
export function doingOf({ state, kernel }: Pick<Lane, 'state' | 'kernel'>): Doing {
  if (kernel === KERNEL.stopped) return 'stopped';
  if (state === LANE.stuck) return 'stuck';
  if (state === LANE.starting) return 'starting';
  if (state === LANE.ended) return 'ended';
  if (kernel === KERNEL.runnable) return 'wants a processor';
  if (kernel === KERNEL.running) return 'working';
  switch (state) {
    case LANE.receiving:
    case LANE.sending:
      return 'asleep for one client';
    case LANE.accepting:
    case LANE.waiting:
      return 'asleep for anyone';
    case LANE.answering:
      return kernel === KERNEL.unknown ? 'working' : 'asleep in an answer';
    default:
      return 'asleep';
  }
}

/** Never by colour alone: each state has a glyph. */
export const glyphs: Readonly<Record<Doing, string>> = {
  working: '▮',
  'asleep for one client': '▨',
  'asleep for anyone': '⁙',
  'asleep in an answer': '◇',
  asleep: '◇',
  'wants a processor': '▯',
  stopped: '‖',
  stuck: '✖',
  starting: '…',
  ended: '·',
};

/** `6.2 s`, `340 ms`, `2 min`; with one decimal from 1 s to 10 s. */
export function durationText(ms: number): string {
  if (ms < 999.5) return `${Math.max(0, Math.round(ms))} ms`;
  if (ms < 9950) return `${(ms / 1000).toFixed(1)} s`;
  if (ms < 119_500) return `${Math.round(ms / 1000)} s`;
  return `${Math.round(ms / 60_000)} min`;
}

/** Part in % of what an attack intends: with less, `mondo siege` gives no grade. */
const ENOUGH = 90;
/** Time in which an attack reaches what it can, in ms. */
const GROWTH = 3000;

/** The attack on a server, and what it reaches; '': there is nothing to say. */
export function attackText(attack: Stage['attack'] | undefined, t: number): string {
  if (attack === undefined) return '';
  const { name, since, reached, until } = attack;
  const isWeak = reached >= 0 && reached < ENOUGH;
  if (name === '') {
    const isOver = isWeak && until > 0;
    return isOver ? `the last attack reached only ${reached} %, which proves nothing` : '';
  }
  const age = t - since;
  const weak = isWeak && age > GROWTH ? ', too little to prove anything' : '';
  const part = reached < 0 ? '' : `, reaches ${reached} %${weak}`;
  return `${name}, for ${durationText(age)}${part}`;
}

/** `1 client`, `2,000 clients`. */
export const counted = (count: number, what: string): string =>
  `${count.toLocaleString('en')} ${what}${count === 1 ? '' : 's'}`;

/** The pictures show no number for these clients. */
function unnumbered(id: number): readonly [alone: string, listed: string] | undefined {
  if (id < FIRST_NC) return undefined;
  if (id < FIRST_PROBE) return ['an nc', 'nc'];
  return id < FIRST_STRANGER ? ['the probe', 'the probe'] : ['a hostile client', 'a hostile one'];
}

/** `client 3`, `an nc`, `clients 3, nc and 5`, `clients 3, 4, 5 and 9 more`. */
export function clientsText(ids: readonly number[]): string {
  const [first] = ids;
  if (ids.length === 1) return unnumbered(first!)?.[0] ?? `client ${first}`;
  const names = ids.map((id) => unnumbered(id)?.[1] ?? `${id}`);
  const shown = ids.length > 4 ? names.slice(0, 3) : names.slice(0, -1);
  const last = ids.length > 4 ? `${ids.length - 3} more` : names.at(-1);
  return `clients ${shown.join(', ')} and ${last}`;
}
