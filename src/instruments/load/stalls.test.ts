import { expect, test } from 'vitest';
import { Stalls } from './stalls.ts';

/** Turns of a thread, each in ms: working, asleep as allowed, waiting for a processor, stopped. */
function keptOf(turns: readonly (readonly [number, number, number, number])[], limit = 10) {
  let [now, cpu, waited] = [0, 0, 0];
  const stalls = new Stalls(
    limit,
    () => cpu,
    () => waited,
  );
  return turns.map(([work, asleep, starved, stopped]) => {
    const began = now;
    now += work + asleep + starved + stopped;
    cpu += work;
    waited += starved;
    return stalls.turn(began, now, asleep);
  });
}

test('work and sleep are no stalls, however long', () => {
  expect(
    keptOf([
      [1, 0, 0, 0],
      [500, 0, 0, 0],
      [1, 5000, 0, 0],
      [300, 50, 0, 0],
    ]),
  ).toEqual([0, 0, 0, 0]);
});

test('a stopped thread is stalled for the time in which it neither works nor sleeps', () => {
  expect(
    keptOf([
      [1, 0, 0, 0],
      [2, 50, 0, 3000],
    ]),
  ).toEqual([0, 3000]);
});

test('a thread without a processor is stalled, even within the time in which it may sleep', () => {
  const quota = keptOf([
    [1, 0, 0, 0],
    [20, 0, 80, 0],
  ]);
  expect(quota).toEqual([0, 80]);
  let now = 0;
  let waited = 0;
  const stalls = new Stalls(
    10,
    () => 0,
    () => waited,
  );
  stalls.turn(0, 1, 0);
  [now, waited] = [41, 40];
  expect(stalls.turn(1, now, 50)).toBe(40);
});

test('a stall within the limit does not count', () => {
  expect(
    keptOf([
      [1, 0, 0, 0],
      [1, 0, 9, 0],
      [1, 0, 0, 9],
    ]),
  ).toEqual([0, 0, 0]);
  expect(keptOf([[1, 0, 0, 3000]], 60_000)).toEqual([0]);
});
