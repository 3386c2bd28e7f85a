import { expect, test } from 'vitest';
import type { Outcome } from '../../siege/probe.ts';
import { PROBE } from '../shared/records.ts';
import { StreetProbe } from './probe.ts';

/** A probe with a clock and outcomes that the test decides. */
function probing() {
  let now = 0;
  const waiting: ((outcome: Outcome) => void)[] = [];
  const probe = new StreetProbe(
    () => now,
    () => new Promise((resolve) => waiting.push(resolve)),
  );
  let last: readonly number[] | undefined;
  const to = (time: number) => {
    for (; now < time; now++) probe.look();
    probe.look();
  };
  const settle = async (outcome: Outcome) => {
    waiting.shift()!(outcome);
    await Promise.resolve();
    last = probe.columns() ?? last;
    return last;
  };
  return { probe, waiting, to, settle };
}

test('the light is off, then green after an answer and red after a client that waited in vain', async () => {
  const { probe, to, settle } = probing();
  probe.aim(1);
  to(100);
  expect(probe.columns()).toBeUndefined();
  probe.turn(true);
  to(101);
  expect(await settle('answered')).toEqual([PROBE.green, 0, -1]);
  to(360);
  expect(await settle('late')).toEqual([PROBE.red, 259, -1]);
  probe.turn(false);
  expect(probe.columns()).toEqual([PROBE.off, 0, -1]);
});

test('one client at a time waits for a server that does not answer', () => {
  const { probe, waiting, to } = probing();
  probe.aim(1);
  probe.turn(true);
  to(2000);
  expect(waiting.length).toBe(1);
  expect(probe.isWaiting).toBe(true);
});

test('the stopwatch runs from the end of an attack to the first of three answers in a row', async () => {
  const { probe, waiting, to, settle } = probing();
  probe.aim(1);
  probe.turn(true);
  to(10);
  await settle('answered');
  to(500);
  await settle('answered');
  probe.watch();
  to(850);
  // As in a siege, one client comes every 100 ms, whether or not the one before has its answer.
  expect(waiting.length).toBe(4);
  await settle('late');
  expect(await settle('answered')).toEqual([PROBE.green, 0, -1]);
  to(890);
  await settle('answered');
  expect(await settle('answered')).toEqual([PROBE.green, 0, 350]);
});

test('a client that was sent to another server changes nothing', async () => {
  const { probe, to, settle } = probing();
  probe.aim(1);
  probe.turn(true);
  to(10);
  probe.aim(2);
  expect(await settle('late')).toBeUndefined();
  to(20);
  expect(await settle('answered')).toEqual([PROBE.green, 0, -1]);
});

test('without a server no client is sent', () => {
  const { probe, waiting, to } = probing();
  probe.turn(true);
  to(1000);
  probe.aim(1);
  probe.aim(undefined);
  to(2000);
  expect(waiting.length).toBe(0);
});
