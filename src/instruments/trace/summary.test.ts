import { expect, test } from 'vitest';
import { Summary } from './summary.ts';

const ms = 1e6;

function heard(): Summary {
  const summary = new Summary();
  summary.record(1, { kind: 'module', module: 0, path: '/single.ts' });
  summary.record(1, { kind: 'thread', t: 0, pid: 1, worker: 0, role: 'main' });
  summary.record(1, { kind: 'line', t: 0, module: 0, line: 10 });
  const call = { name: 'recv', args: '', result: '1', begun: true };
  summary.record(1, { kind: 'call', t: 1 * ms, end: 91 * ms, blocked: 80 * ms, ...call });
  summary.record(1, { kind: 'line', t: 92 * ms, module: 0, line: 11 });
  summary.record(1, { kind: 'line', t: 94 * ms, module: 0, line: 10 });
  summary.record(1, { kind: 'call', t: 95 * ms, end: 100 * ms, blocked: 5 * ms, ...call });
  return summary;
}

test('a line has the time until the next one, as waiting while the thread slept', () => {
  const [first, second] = heard().lines();
  expect(first).toEqual({
    path: '/single.ts',
    line: 10,
    times: 2,
    waiting: 85 * ms,
    waits: new Map([['recv', 85 * ms]]),
    working: 13 * ms,
    suspended: 0,
  });
  expect(second).toMatchObject({ line: 11, times: 1, waiting: 0, working: 2 * ms });
});

test('one sentence says how the server spent its time', () => {
  expect(heard().sentence()).toBe(
    '100 ms: 85.0 % asleep in recv, waiting for the client; 15.0 % working.',
  );
});

test('the sleep of Node’s own loop belongs to no line', () => {
  const summary = new Summary();
  summary.record(1, { kind: 'module', module: 0, path: '/coroutine.ts' });
  summary.record(1, { kind: 'thread', t: 0, pid: 1, worker: 0, role: 'main' });
  summary.record(1, { kind: 'line', t: 0, module: 0, line: 5 });
  summary.record(1, { kind: 'idle', t: 1 * ms, end: 9 * ms });
  summary.record(1, { kind: 'resume', t: 10 * ms, since: 0, module: 0, line: 6 });
  const lines = summary.lines();
  expect(lines).toMatchObject([{ line: 5, waiting: 0, working: 2 * ms }]);
  expect(summary.sentence()).toContain("80.0 % asleep in Node's loop");
});

test('each thread is counted separately', () => {
  const summary = heard();
  summary.record(2, { kind: 'thread', t: 0, pid: 1, worker: 0, role: 'thread' });
  summary.record(2, {
    kind: 'call',
    t: 0,
    end: 100 * ms,
    blocked: 100 * ms,
    name: 'accept4',
    args: '',
    result: '-1 EINTR',
    begun: true,
  });
  expect(summary.sentence()).toBe(
    '200 ms of 2 threads: 50.0 % asleep in accept, waiting for a client to connect; 42.5 % asleep in recv, waiting for the client; 7.5 % working.',
  );
});
