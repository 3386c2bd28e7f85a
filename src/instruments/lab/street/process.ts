/**
 * The process of the street: the clients that come to each stage. It is separate so that neither hub nor servers
 * wait for them. street.ts starts it.
 */
import { Timers } from '../../../protocol/timers.ts';
import { clockOf } from '../clock.ts';
import type { Mix } from '../shared/plan.ts';
import type { LabRecord } from '../shared/records.ts';
import { StreetBooks } from './books.ts';
import type { Place } from './client.ts';
import { Crowd } from './crowd.ts';
import { Lines } from './lines.ts';
import { StreetProbe } from './probe.ts';

export type Order =
  | {
      readonly order: 'play';
      readonly stages: readonly { readonly s: number; readonly port: number }[];
      readonly seed: number;
      readonly mix: Mix;
    }
  | { readonly order: 'silence' | 'wake' | 'nc' | 'release' | 'watch'; readonly s: number }
  | { readonly order: 'probe'; readonly s: number; readonly on: boolean };

export type Reply =
  | { readonly reply: 'ready' }
  /** The order with this number was carried out. */
  | { readonly reply: 'done'; readonly number: number }
  | { readonly reply: 'record'; readonly record: LabRecord };

/** Interval between frames, in ms. */
const FRAME = 50;
/**
 * Longest wait of one turn, in ms: orders, and answers to a probe, come through Node's own loop. While a probe
 * waits, its answer must not be late.
 */
const LONGEST_WAIT = 5;
const PROBE_WAIT = 1;
/** Time between the order to play and the beginning of the scene, in ms. */
const LEAD = 20;
/** Most timers of one turn, so that answers are read in between. */
const MOST_DUE = 512;

interface Stage {
  crowd: Crowd | undefined;
  books: StreetBooks | undefined;
  readonly probe: StreetProbe;
}

const now = clockOf(process.argv[2]!);
const lines = new Lines();
const timers = new Timers<() => void>();
const stages = new Map<number, Stage>();
let frameDue = 0;
let isTurning = false;

// The parent may have ended: then `disconnect` follows, and an error of `send` says nothing more.
const reply = (message: Reply) => void process.send?.(message, () => {});

function stageOf(s: number): Stage {
  const known = stages.get(s);
  if (known !== undefined) return known;
  const stage = { crowd: undefined, books: undefined, probe: new StreetProbe(now) };
  stages.set(s, stage);
  return stage;
}

function obey(order: Order): void {
  if (order.order === 'play') {
    const { seed, mix } = order;
    // The same beginning for all stages: each client comes to all of them at the same time.
    const begins = now() + LEAD;
    for (const { s, port } of order.stages) {
      const stage = stageOf(s);
      stage.crowd?.vanish();
      const books = new StreetBooks(seed, mix.clients);
      const at = (time: number, act: () => void) => timers.add(time, act);
      const place: Place = { s, port, pause: mix.pause, lines, books, now, at };
      stage.books = books;
      stage.crowd = new Crowd(place, { seed, mix }, begins);
      stage.probe.aim(port);
    }
    if (!isTurning) turn();
    return;
  }
  const { crowd, probe } = stageOf(order.s);
  switch (order.order) {
    case 'silence':
      crowd?.leave();
      probe.aim(undefined);
      return;
    case 'wake':
      crowd?.come(now() + LEAD);
      probe.aim(crowd?.port);
      return;
    case 'nc':
      crowd?.add();
      return;
    case 'release':
      crowd?.release();
      probe.watch();
      return;
    case 'watch':
      probe.watch();
      return;
    case 'probe':
      probe.turn(order.on);
  }
}

/** One turn of the loop. Between two turns, Node's own loop runs. */
function turn(): void {
  isTurning = true;
  const probes = [...stages.values()].map(({ probe }) => probe);
  const longest = probes.some((probe) => probe.isWaiting) ? PROBE_WAIT : LONGEST_WAIT;
  const next = Math.min(timers.next, frameDue) - now();
  lines.turn(Math.max(0, Math.min(longest, next)));
  for (let i = 0; i < MOST_DUE; i++) {
    const act = timers.takeDue(now());
    if (act === undefined) break;
    act();
  }
  for (const probe of probes) probe.look();
  if (now() >= frameDue) tell();
  setImmediate(turn);
}

function tell(): void {
  frameDue = now() + FRAME;
  for (const [s, { books, probe }] of stages) {
    const record = books?.frame(s, now(), probe.columns());
    if (record !== undefined) reply({ reply: 'record', record });
  }
}

process.on('message', ({ number, order }: { number: number; order: Order }) => {
  obey(order);
  // The parent hears what happened before the order before it hears of its end.
  tell();
  reply({ reply: 'done', number });
});
// The parent process has ended.
process.on('disconnect', () => process.exit());
reply({ reply: 'ready' });
