import { expect, it } from 'vitest';
import { eventText } from './server-event.ts';

it.each([
  [0, 0, 'with 0 connections; starting another'],
  [1, 0, 'with 1 connection; starting another'],
  [2, 100, 'with 2 connections; starting another in 100 ms'],
])('tells of a worker that died with %i connections, after %i ms', (lost, delay, says) => {
  const died = { type: 'died', worker: 3, pid: 17, how: 'SIGKILL', lost, delay, at: 0 } as const;
  expect(eventText(died)).toBe(`Worker 3 (pid 17) died: SIGKILL, ${says}`);
});

it('tells of one that died as it left, for which no other is started', () => {
  const died = { type: 'died', worker: 3, pid: 17, how: 'SIGKILL', lost: 2, at: 0 } as const;
  expect(eventText({ ...died, delay: undefined })).toBe(
    'Worker 3 (pid 17) died as it left: SIGKILL, with 2 connections',
  );
});
