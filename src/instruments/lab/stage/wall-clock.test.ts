import { afterEach, expect, it, vi } from 'vitest';
import { clockOf } from '../clock.ts';
import { ERROR_MS, wallClock } from './wall-clock.ts';

/** Age of the recording, in ns. */
const SINCE = 60_000_000_000n;

/** The wall clock has whole ms, and the correction lets a difference of ERROR_MS stay. */
const TOLERANCE = ERROR_MS + 2;

const recordingClock = () => clockOf((process.hrtime.bigint() - SINCE).toString());

afterEach(() => {
  vi.restoreAllMocks();
});

/** Asserts that `at` has the time on the recording's clock that it has on the wall clock, within the readings' bounds. */
function expectSameTime(timeOf: (at: number) => number, now: () => number): void {
  const before = now();
  const at = Date.now();
  const after = now();
  const time = timeOf(at - 500);
  expect(time).toBeGreaterThan(before - 500 - TOLERANCE);
  expect(time).toBeLessThan(after - 500 + TOLERANCE);
}

it('an event has its time on the clock of the recording, and none later than now', () => {
  const now = recordingClock();
  const timeOf = wallClock(now);
  expectSameTime(timeOf, now);
  expect(timeOf(Date.now() + 10_000)).toBeLessThanOrEqual(now());
  expect(timeOf(0)).toBe(0);
});

it('follows a step of the wall clock', () => {
  const now = recordingClock();
  const timeOf = wallClock(now);
  const real = Date.now;
  vi.spyOn(Date, 'now').mockImplementation(() => real() + 3_600_000);
  expectSameTime(timeOf, now);
});

it('does not take the time without a processor for a step of the wall clock', () => {
  const clock = recordingClock();
  let isLate = true;
  let late = 0;
  // 50 ms pass before every second reading of the wall clock.
  const now = () => clock() + late;
  const real = Date.now;
  vi.spyOn(Date, 'now').mockImplementation(() => {
    if (isLate) late += 50;
    isLate = !isLate;
    return real() + late;
  });
  const timeOf = wallClock(now);
  timeOf(0);
  expectSameTime(timeOf, now);
});
