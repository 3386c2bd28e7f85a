import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Stage } from './plan.ts';
import { Schedule, wantedBetween } from './schedule.ts';

function all(stages: readonly Stage[], arrivals: 'even' | 'poisson' = 'even', seed = 1): number[] {
  const schedule = new Schedule({ stages, arrivals, seed });
  const dues: number[] = [];
  for (let due = schedule.next(); due < Number.POSITIVE_INFINITY; due = schedule.next()) {
    dues.push(due);
  }
  return dues;
}

const steady = (seconds: number, from: number): Stage => ({ kind: 'steady', seconds, from });

describe('even arrivals', () => {
  test('questions are one gap apart, and the first is due at once', () => {
    expect(all([steady(1, 10)])).toEqual([0, 100, 200, 300, 400, 500, 600, 700, 800, 900]);
  });

  test('a ramp has as many questions as the area under it, ever closer together', () => {
    const dues = all([{ kind: 'ramp', seconds: 10, from: 0, to: 100 }]);
    expect(dues.length).toBe(500);
    const gaps = dues.slice(1).map((due, i) => due - dues[i]!);
    expect(gaps.every((gap, i) => i === 0 || gap <= gaps[i - 1]! + 1e-9)).toBe(true);
  });

  test('there is no jump and no gap between two stages', () => {
    const dues = all([steady(1, 100), { kind: 'spike', seconds: 1, from: 200 }, steady(1, 100)]);
    const gaps = dues.slice(1).map((due, i) => due - dues[i]!);
    expect(Math.max(...gaps)).toBeLessThan(10.0001);
    expect(dues.length).toBe(400);
  });

  test('no question is due in a stage with rate 0', () => {
    expect(all([steady(1, 2), steady(5, 0), steady(1, 2)])).toEqual([0, 500, 6000, 6500]);
  });
});

const stage = fc.record({
  kind: fc.constant('ramp' as const),
  seconds: fc.integer({ min: 1, max: 20 }).map((n) => n / 2),
  from: fc.integer({ min: 0, max: 300 }),
  to: fc.integer({ min: 0, max: 300 }),
});

test('any stages: questions are in order, inside the schedule, and as many as planned in any part', () => {
  fc.assert(
    fc.property(fc.array(stage, { minLength: 1, maxLength: 4 }), fc.nat(), (stages, cut) => {
      const dues = all(stages);
      const seconds = stages.reduce((sum, one) => sum + one.seconds, 0);
      expect(dues.every((due, i) => i === 0 || due >= dues[i - 1]!)).toBe(true);
      expect(dues.every((due) => due >= 0 && due <= seconds * 1000 + 1e-6)).toBe(true);
      const to = (seconds * (cut % 100)) / 100;
      const before = dues.filter((due) => due < to * 1000).length;
      expect(Math.abs(before - wantedBetween(stages, 0, to))).toBeLessThanOrEqual(1);
    }),
  );
});

describe('a Poisson process', () => {
  test('the same seed gives the same schedule, and another seed another one', () => {
    expect(all([steady(5, 50)], 'poisson', 7)).toEqual(all([steady(5, 50)], 'poisson', 7));
    expect(all([steady(5, 50)], 'poisson', 8)).not.toEqual(all([steady(5, 50)], 'poisson', 7));
  });

  test('gaps have an exponential distribution: mean and deviation are equal, and the rate is as planned', () => {
    const dues = all([steady(100, 100)], 'poisson');
    const gaps = dues.slice(1).map((due, i) => due - dues[i]!);
    const mean = gaps.reduce((a, b) => a + b) / gaps.length;
    const deviation = Math.sqrt(
      gaps.reduce((sum, gap) => sum + (gap - mean) ** 2, 0) / gaps.length,
    );
    expect(mean).toBeGreaterThan(9.5);
    expect(mean).toBeLessThan(10.5);
    expect(deviation / mean).toBeGreaterThan(0.95);
    expect(deviation / mean).toBeLessThan(1.05);
  });
});

describe('skipped questions', () => {
  const stages = [
    steady(2, 1000),
    { kind: 'ramp', seconds: 3, from: 1000, to: 5000 },
    steady(1, 0),
    steady(2, 10),
  ] as const;

  test('are those that were due before, and the rest does not change', () => {
    const dues = all(stages);
    for (const at of [0, 1, 500.5, 1000, 2500, 5500, 6000, 7999, 8000]) {
      const schedule = new Schedule({ stages, arrivals: 'even', seed: 1 });
      const given = [schedule.next(), schedule.next()];
      const skipped = schedule.skipTo(at);
      const next = schedule.next();
      expect(skipped).toBe(dues.filter((due) => due < at && !given.includes(due)).length);
      expect(next).toBe(dues[2 + skipped] ?? Number.POSITIVE_INFINITY);
    }
  });

  test('are about as many as planned, in a Poisson process, and the next ones come later', () => {
    const schedule = new Schedule({ stages, arrivals: 'poisson', seed: 7 });
    schedule.next();
    expect(Math.abs(schedule.skipTo(2000) - 2000)).toBeLessThan(50);
    const next = schedule.next();
    expect(next).toBeGreaterThanOrEqual(2000);
    expect(next).toBeLessThan(2100);
  });
});
