import fc from 'fast-check';
import { expect, test } from 'vitest';
import { cast, choiceOf, pauseOf } from './cast.ts';
import type { Mix } from './plan.ts';
import { isShown } from './shown.ts';

const mix: Mix = {
  clients: 6,
  silent: 1,
  slow: 1,
  leaving: 0,
  pipelining: 1,
  pause: 400,
  questions: 0,
};

test('the same seed gives the same clients, and another seed gives others', () => {
  expect(cast(7, mix)).toEqual(cast(7, mix));
  expect(cast(8, mix)).not.toEqual(cast(7, mix));
});

test('more clients change none of those before, as long as arrivals are spread alike', () => {
  expect(cast(7, { ...mix, clients: 12 }).slice(0, 6)).toEqual(cast(7, mix));
});

test('silent clients come first, then slow ones; honest ones are the rest', () => {
  expect(cast(7, mix).map(({ temper }) => temper)).toEqual([
    'silent',
    'slow',
    'pipelining',
    'honest',
    'honest',
    'honest',
  ]);
});

test('clients arrive in the order of their numbers, and a crowd within four seconds', () => {
  fc.assert(
    fc.property(fc.integer(), fc.integer({ min: 1, max: 2000 }), (seed, clients) => {
      const arrivals = cast(seed, { ...mix, clients }).map(({ arrives }) => arrives);
      expect(arrivals).toEqual(arrivals.toSorted((a, b) => a - b));
      expect(arrivals.at(-1)).toBeLessThanOrEqual(4000);
    }),
    { numRuns: 30 },
  );
});

test('pauses vary by half around their mean, and each question is chosen at some time', () => {
  const pauses = cast(7, { ...mix, clients: 200 }).map((person) => pauseOf(person, 0, 400));
  const mean = pauses.reduce((sum, pause) => sum + pause) / pauses.length;
  expect(Math.min(...pauses)).toBeGreaterThanOrEqual(200);
  expect(Math.max(...pauses)).toBeLessThanOrEqual(600);
  expect(mean / 400).toBeGreaterThan(0.9);
  expect(mean / 400).toBeLessThan(1.1);
  const [person] = cast(7, mix);
  const chosen = Array.from({ length: 60 }, (_, number) => choiceOf(person!, number, 3));
  expect(new Set(chosen)).toEqual(new Set([0, 1, 2]));
});

test('about one of 64 clients is shown, and each of them is among one of 32', () => {
  const all = Array.from({ length: 64_000 }, (_, client) => client);
  const shown = all.filter((client) => isShown(7, client, 64));
  expect(shown.length / 1000).toBeGreaterThan(0.85);
  expect(shown.length / 1000).toBeLessThan(1.15);
  expect(shown.every((client) => isShown(7, client, 32))).toBe(true);
});
