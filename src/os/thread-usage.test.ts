import { expect, test } from 'vitest';
import { MS, PATIENCE } from '../../test/support/until.ts';
import { pause } from './pause.ts';
import { threadTime, timesSlept } from './thread-usage.ts';

test('a sleep of a thread counts as a sleep, and costs no processor time', () => {
  const slept = timesSlept();
  const worked = threadTime();
  pause(200);
  expect(timesSlept()).toBeGreaterThan(slept);
  expect(threadTime() - worked).toBeLessThan(100e6);
});

test('a thread that computes gets processor time for all of it', () => {
  const worked = threadTime();
  // Repeat as long as it takes, because other processes use the machine too.
  for (const end = performance.now() + PATIENCE * MS; threadTime() - worked < 20e6; ) {
    expect(performance.now()).toBeLessThan(end);
  }
});
