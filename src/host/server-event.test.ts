import { expect, it } from 'vitest';
import { eventText, type ServerEvent } from './server-event.ts';

it.each([
  [0, 0, 'with 0 connections; starting another'],
  [1, 0, 'with 1 connection; starting another'],
  [2, 100, 'with 2 connections; starting another in 100 ms'],
])('reports a worker that died with %i connections, after %i ms', (lost, delay, says) => {
  const died = { type: 'died', worker: 3, pid: 17, how: 'SIGKILL', lost, delay, at: 0 } as const;
  expect(eventText(died)).toBe(`Worker 3 (pid 17) died: SIGKILL, ${says}`);
});

it('reports a worker that died while it was leaving, and was not replaced', () => {
  const died = { type: 'died', worker: 3, pid: 17, how: 'SIGKILL', lost: 2, at: 0 } as const;
  expect(eventText({ ...died, delay: undefined })).toBe(
    'Worker 3 (pid 17) died while it was leaving: SIGKILL, with 2 connections',
  );
});

it('names a client, the proxy that has announced it, and its place in the queue', () => {
  const event = {
    type: 'accepted',
    peer: '203.0.113.7:4711',
    at: 0,
    pid: 1,
    tid: 1,
    worker: 0,
  } as const;
  expect(eventText(event)).toBe('Accepted connection from 203.0.113.7:4711');
  expect(eventText({ ...event, via: '10.0.0.1:5' })).toBe(
    'Accepted connection from 203.0.113.7:4711 through 10.0.0.1:5',
  );
  expect(eventText({ ...event, queued: 3 })).toBe(
    'Accepted connection from 203.0.113.7:4711, number 3 in the queue',
  );
});

it.each([
  { type: 'threw', peer: 'unix', error: 'Error: \n[12:00:00.000]: Stopped\x1b[2J\x9bJ' },
  { type: 'failed', peer: 'unix', error: '\n\x1b[2J' },
  { type: 'crashed', error: 'Error: no\n    at \x1b[2J' },
  { type: 'warning', text: '\r\x1b[2J' },
  { type: 'hungUp', peer: 'unix', received: '\n\x1b[2J\x9bJ' },
  { type: 'unsent', peer: 'unix', unsent: '\n\x1b[2J\x9bJ' },
  { type: 'stuck', since: 1, doing: '\n\x1b[2J' },
] as const)('reports $type in one line, without characters that a terminal obeys', (event) => {
  const text = eventText({ at: 0, pid: 1, tid: 1, worker: 0, ...event } as ServerEvent);
  expect(text).toMatch(/(\\x1b|\\u001b)\[2J/);
  expect(text).not.toMatch(/\p{Cc}/u);
});
