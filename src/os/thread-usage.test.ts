import { expect, test } from 'vitest';
import { MS, PATIENCE } from '../../test/support/until.ts';
import { pause } from './pause.ts';
import { threadTime, timesSlept } from './thread-usage.ts';

test('a thread that sleeps is counted as having slept, and has no time on a processor for it', () => {
  const slept = timesSlept();
  const worked = threadTime();
  pause(200);
  expect(timesSlept()).toBeGreaterThan(slept);
  expect(threadTime() - worked).toBeLessThan(100e6);
});

test('a thread that computes has all of it', () => {
  const worked = threadTime();
  // As long as it takes on a machine that others use, too.
  for (const end = performance.now() + PATIENCE * MS; threadTime() - worked < 20e6; ) {
    expect(performance.now()).toBeLessThan(end);
  }
});
