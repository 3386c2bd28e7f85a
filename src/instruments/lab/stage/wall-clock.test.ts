import { afterEach, expect, it, vi } from 'vitest';
import { clockOf } from '../clock.ts';
import { wallClock } from './wall-clock.ts';

/** Age of the recording, in ns. */
const SINCE = 60_000_000_000n;

afterEach(() => {
  vi.restoreAllMocks();
});

it('an event has its time on the clock of the recording, and none later than now', () => {
  const now = clockOf((process.hrtime.bigint() - SINCE).toString());
  const timeOf = wallClock(now);
  const at = Date.now();
  expect(Math.abs(timeOf(at - 500) - (now() - 500))).toBeLessThan(100);
  expect(timeOf(at + 10_000)).toBeLessThanOrEqual(now());
  expect(timeOf(0)).toBe(0);
});

it('follows a step of the wall clock', () => {
  const now = clockOf((process.hrtime.bigint() - SINCE).toString());
  const timeOf = wallClock(now);
  const stepped = Date.now() + 3_600_000;
  vi.spyOn(Date, 'now').mockImplementation(() => stepped);
  expect(Math.abs(timeOf(stepped - 20) - (now() - 20))).toBeLessThan(100);
});
