import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { eventText, type ServerEvent } from '../host/server-event.ts';
import { summingUp } from './log.ts';

const stamp = { at: 0, pid: 1, tid: 1, worker: 0 };
const refused = (port: number, reason = 'connections'): ServerEvent => ({
  type: 'refused',
  peer: `127.0.0.1:${port}`,
  reason,
  ...stamp,
});

let lines: string[] = [];
let log: (event: ServerEvent) => void;
beforeEach(() => {
  vi.useFakeTimers();
  lines = [];
  log = summingUp(
    (event) => void lines.push(eventText(event)),
    (text) => void lines.push(text),
  );
});
afterEach(() => {
  vi.useRealTimers();
});

const first = 'Refused 127.0.0.1:1: there are as many connections as there may be';
const why = 'refused, as there are as many connections as there may be';

it('writes the first of a storm, and every 5 s how many more there were', () => {
  for (let port = 1; port <= 1235; port++) log(refused(port));
  expect(lines).toEqual([first]);
  vi.advanceTimersByTime(5000);
  expect(lines).toEqual([first, `… and 1,234 more in 5 s ${why}`]);
  log(refused(7));
  vi.advanceTimersByTime(5000);
  expect(lines.slice(2)).toEqual([`… and 1 more in 5 s ${why}`]);
  // It is over once nobody came for 5 s; the next is the first again.
  vi.advanceTimersByTime(5000);
  log(refused(1));
  expect(lines.slice(3)).toEqual([first]);
});

it('keeps apart what has different reasons, and leaves all else alone', () => {
  log(refused(1));
  log({ type: 'accepted', peer: '127.0.0.1:2', ...stamp });
  log(refused(3, 'deny'));
  log({ type: 'limited', peer: '127.0.0.1:4', limit: 'idle', ...stamp });
  log({ type: 'limited', peer: '127.0.0.1:5', limit: 'idle', ...stamp });
  log({ type: 'accepted', peer: '127.0.0.1:6', ...stamp });
  vi.advanceTimersByTime(5000);
  expect(lines).toEqual([
    first,
    'Accepted connection from 127.0.0.1:2',
    'Refused 127.0.0.1:3: its network is denied',
    'Ended 127.0.0.1:4: limit idle',
    'Accepted connection from 127.0.0.1:6',
    '… and 1 more in 5 s ended, for limit idle',
  ]);
});

it('says how many more there were before the last line', () => {
  log(refused(1));
  log(refused(2));
  log({ type: 'stopped', accepted: [], answered: 0, cut: 0, at: 0 });
  expect(lines).toEqual([
    first,
    `… and 1 more ${why}`,
    'Stopped: 0 answered to the end, 0 cut off',
  ]);
  vi.advanceTimersByTime(60_000);
  expect(lines).toHaveLength(3);
});
