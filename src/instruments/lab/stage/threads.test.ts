import { expect, test } from 'vitest';
import { KERNEL, MOST } from '../shared/records.ts';
import { Threads } from './threads.ts';

const thread = (row: number, accepted = 0) => ({
  ...{ row, tid: process.pid, pid: process.pid, accepted },
});

test('a thread has its count, and a wait channel only if it sleeps; what has not changed is not told again', () => {
  const threads = new Threads();
  // This thread runs while it looks: the kernel names no channel.
  expect(threads.look([thread(0, 3)], () => KERNEL.asleep)).toEqual({
    z: [process.pid, 3, -1],
    channels: [],
  });
  expect(threads.look([thread(0, 3)], () => KERNEL.running)).toBeUndefined();
  expect(threads.look([thread(0, 4)], () => KERNEL.running)?.z).toEqual([process.pid, 4, -1]);
});

test('of many threads, those of the first rows count', () => {
  const all = Array.from({ length: 100 }, (_, index) => thread(99 - index, 99 - index));
  const { z } = new Threads().look(all, () => KERNEL.running)!;
  const accepted = z.filter((_, index) => index % 3 === 1);
  expect(accepted).toEqual(Array.from({ length: MOST.threads }, (_, index) => index));
});
