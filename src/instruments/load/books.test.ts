import { expect, test } from 'vitest';
import type { Batch } from './batch.ts';
import { Books } from './books.ts';
import { planOf } from './schema.ts';

const gauges = { inFlight: 0, waiting: 0, open: 1, starvedIn: () => 0 };
const plan = planOf({
  stages: [
    { kind: 'warm-up', seconds: 1 },
    { kind: 'steady', seconds: 3.5 },
  ],
});

/** The reported seconds, if the loop looks at these times, in ms since the schedule began. */
function secondsOf(looks: readonly number[], end: number): (readonly [number, number])[] {
  const told: Batch[] = [];
  const books = new Books(plan, 100, (batch) => told.push(batch));
  books.begin(100);
  for (const at of looks) books.keep(100 + at, gauges);
  books.finish(100 + end, gauges);
  books.close(100 + end + 50, gauges);
  const lengths = new Map<number, number>();
  for (const { second, passed, phase } of told) {
    if (phase === 'measuring') lengths.set(second, (lengths.get(second) ?? 0) + passed);
  }
  return [...lengths];
}

const whole = [
  [0, 1000],
  [1, 1000],
  [2, 1000],
  [3, 500],
];

test('every second of the measured time is reported, with its length', () => {
  const looks = Array.from({ length: 450 }, (_, i) => 10 * i);
  expect(secondsOf(looks, 4500)).toEqual(whole);
  expect(secondsOf([1001, 1999, 2003, 2500, 3004, 4002], 4503)).toEqual(whole);
});

test('every second is reported if the loop stood still for seconds, or until after the end', () => {
  expect(secondsOf([1000, 1500, 3600], 4500)).toEqual(whole);
  expect(secondsOf([1000, 1500], 9000)).toEqual(whole);
  expect(secondsOf([1000, 1900], 2000)).toEqual([[0, 1000]]);
});

test('an interrupted run ends with a shorter second', () => {
  expect(secondsOf([1000, 1500, 2100], 2400)).toEqual([
    [0, 1000],
    [1, 400],
  ]);
});
