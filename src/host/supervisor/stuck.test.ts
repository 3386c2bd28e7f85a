import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { until } from '../../../test/support/until.ts';
import type { RowReading } from '../../worker/scoreboard.ts';
import { beatFor, StuckWatch } from './stuck.ts';

/** Looks only when the test calls it. */
function watch(isNode: boolean): StuckWatch {
  const created = new StuckWatch(
    1000,
    isNode,
    () => [],
    () => {},
  );
  created.close();
  return created;
}

const row = (changes: Partial<RowReading>): RowReading => ({
  ...{ row: 0, pid: process.pid, family: process.pid, tid: process.pid },
  ...{ state: 'waiting', accepted: 3, open: 1, turns: 7 },
  ...changes,
});

it('reports a worker that has work and makes no turn, once until it makes one', () => {
  const stuck = watch(false);
  const busy = row({ state: 'answering' });
  expect(stuck.look([busy], 0)).toEqual([]);
  expect(stuck.look([busy], 999)).toEqual([]);
  expect(stuck.look([busy], 1000)).toMatchObject([{ pid: process.pid, since: 1000 }]);
  expect(stuck.look([busy], 2000)).toEqual([]);
  const turned = { ...busy, turns: 8 };
  expect(stuck.look([turned], 2500)).toEqual([]);
  expect(stuck.look([turned], 3500)).toMatchObject([{ since: 1000 }]);
});

it('reports no waiting worker, except on Node a worker that has a client', () => {
  const [waiting, alone] = [row({}), row({ open: 0 })];
  const [own, node] = [watch(false), watch(true)];
  for (const now of [0, 1000, 2000]) {
    expect(own.look([waiting], now)).toEqual([]);
    expect(node.look([alone], now)).toEqual([]);
  }
  expect(node.look([waiting], 2999)).toEqual([]);
  expect(node.look([waiting], 3000)).toHaveLength(1);
});

it('reports a worker that a signal has stopped, from the moment that this was seen', async () => {
  const child = spawn('sleep', ['60'], { stdio: 'ignore' });
  await once(child, 'spawn');
  try {
    const pid = child.pid!;
    const state = () => readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ').at(-1)![0];
    const asleep = row({ pid, tid: pid, open: 0 });
    const stuck = watch(false);
    await until('the worker to sleep', () => state() === 'S');
    expect(stuck.look([asleep], 0)).toEqual([]);
    expect(stuck.look([asleep], 5000)).toEqual([]);
    child.kill('SIGSTOP');
    await until('the worker to be stopped', () => state() === 'T');
    expect(stuck.look([asleep], 5500)).toEqual([]);
    const [told] = stuck.look([asleep], 6000);
    expect(told).toMatchObject({ pid, since: 1000 });
    expect(told!.doing).toMatch(/it says: waiting.*stopped by a signal/);
    child.kill('SIGCONT');
    await until('the worker to sleep', () => state() === 'S');
    expect(stuck.look([asleep], 9000)).toEqual([]);
  } finally {
    child.kill('SIGKILL');
  }
});

it('makes a loop whose turns are invisible report several times in that time', () => {
  expect(beatFor(5000)).toBe(500);
  expect(beatFor(400)).toBe(80);
  expect(beatFor(1)).toBe(1);
  expect(beatFor(0)).toBe(500);
});
