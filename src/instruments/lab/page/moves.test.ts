import { expect, test } from 'vitest';
import type { Ending } from '../shared/model.ts';
import { EVENT } from '../shared/records.ts';
import type { ClientMark, Drawing } from './marks.ts';
import { Moves } from './moves.ts';
import { Pace } from './pace.ts';
import { Rate } from './rates.ts';

const client = (id: number, x: number, y: number, answers = 0): ClientMark => ({
  is: 'client',
  client: id,
  form: 'dot',
  tone: 'plain',
  wait: 0,
  label: String(id),
  role: '',
  bytes: 0,
  answers,
  x,
  y,
  size: 22,
});
const drawing = (...marks: ClientMark[]): Drawing => ({
  width: 600,
  height: 400,
  marks,
  lanes: [],
  every: 1,
  entrance: { x: -20, y: 50 },
  exit: { x: 620, y: 200 },
});
const at = (moves: Moves, id: number) => {
  const { x, y } = moves.clients.get(id)!;
  return [Math.round(x), Math.round(y)];
};

test('a client comes in at the entrance, and then rests where it belongs', () => {
  const moves = new Moves();
  moves.set(drawing(client(1, 100, 100)), [], false);
  expect(at(moves, 1)).toEqual([-20, 50]);
  const [before] = at(moves, 1);
  expect(moves.step(16)).toBe(true);
  expect(at(moves, 1)[0]).toBeGreaterThan(before!);
  for (let frame = 0; frame < 200; frame++) moves.step(16);
  expect(at(moves, 1)).toEqual([100, 100]);
  expect(moves.step(16)).toBe(false);
});

test('without motion each client is at once where it belongs', () => {
  const moves = new Moves();
  moves.set(drawing(client(1, 100, 100)), [], true);
  expect(at(moves, 1)).toEqual([100, 100]);
  moves.set(drawing(client(1, 300, 100, 1)), [], true);
  expect(at(moves, 1)).toEqual([300, 100]);
  expect(moves.passing).toEqual([]);
  expect(moves.step(16)).toBe(false);
});

test('an answer goes to the exit; so does a client that leaves, and one that was ended shows how', () => {
  const moves = new Moves();
  moves.set(drawing(client(1, 100, 100), client(2, 200, 200), client(3, 300, 300)), [], true);
  moves.set(drawing(client(1, 100, 100, 1), client(2, 200, 200), client(3, 300, 300)), [], false);
  expect(moves.passing.map(({ glyph }) => glyph)).toEqual(['✓']);
  const endings: Ending[] = [
    { t: 1, client: 2, kind: EVENT.limited, reason: 'idle' },
    { t: 1, client: 3, kind: EVENT.left, reason: '' },
  ];
  moves.set(drawing(client(1, 100, 100, 1)), endings, false);
  expect(moves.passing.map(({ glyph, toX }) => [glyph, toX])).toEqual([
    ['✓', 620],
    ['◔', 200],
    ['', 620],
  ]);
  for (let frame = 0; frame < 100; frame++) moves.step(16);
  expect(moves.passing).toEqual([]);
});

test('a machine that draws slowly gets fewer frames, then fewer dots, and later all again', () => {
  const pace = new Pace();
  pace.add(30);
  pace.add(30);
  pace.add(10);
  pace.add(30);
  expect([pace.frames, pace.every]).toEqual([1, 1]);
  for (let late = 0; late < 3; late++) pace.add(30);
  expect([pace.frames, pace.every]).toEqual([2, 1]);
  for (let late = 0; late < 3; late++) pace.add(30);
  expect([pace.frames, pace.every]).toEqual([2, 2]);
  for (let late = 0; late < 100; late++) pace.add(30);
  expect(pace.every).toBeLessThanOrEqual(16);
  for (let good = 0; good < 10_000; good++) pace.add(5);
  expect([pace.frames, pace.every]).toEqual([1, 1]);
});

test('answers per second are those of the last 2 s, and start anew when a viewer goes back', () => {
  const rate = new Rate();
  expect(rate.at(0, 0)).toBeUndefined();
  for (let t = 50; t <= 4000; t += 50) rate.at(t, t / 100);
  expect(rate.at(4050, 40.5)).toBeCloseTo(10);
  for (let t = 4100; t <= 8000; t += 50) rate.at(t, 40.5);
  expect(rate.at(8050, 40.5)).toBe(0);
  expect(rate.at(1000, 10)).toBeUndefined();
});
