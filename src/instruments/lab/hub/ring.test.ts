import { expect, test } from 'vitest';
import { labHeaderOf, labStage } from '../../../../test/support/lab-recording.ts';
import { nothing } from '../shared/model.ts';
import { lineOf, MOST_BYTES, recordOf, unpack } from '../shared/recording.ts';
import type { LabRecord } from '../shared/records.ts';
import { apply } from '../shared/reducer.ts';
import { Recorder } from './recorder.ts';
import { Ring } from './ring.ts';

const header = labHeaderOf([labStage()]);
/** One frame each 50 ms: a client more, and one answer more of another one. */
const frame = (index: number): LabRecord => ({
  k: 'f',
  s: 0,
  t: index * 50,
  c: [1, index, index, 0, 0],
  l: [0, 31, 30, 3, 100, 1, index % 7, 3],
  e: [-10, index % 20, index % 6, 0, 5],
});
const records = [header, ...Array.from({ length: 2000 }, (_, index) => frame(index + 1))];
const recordsIn = (lines: readonly string[]) => lines.map((line) => recordOf(JSON.parse(line))!);
const modelOf = (some: readonly LabRecord[]) => some.reduce(apply, nothing);

test('a viewer who comes late has the model of now, and a minute to rewind', () => {
  const ring = new Ring();
  const lines = records.map((record) => ring.add(record));
  expect(lines).toEqual(records.map(lineOf));
  const history = recordsIn(ring.history());
  const { stages, t } = modelOf(history);
  const whole = modelOf(records);
  expect(t).toBe(100_000);
  expect(stages[0]!.server).toEqual(whole.stages[0]!.server);
  expect(stages[0]!.lanes).toEqual(whole.stages[0]!.lanes);
  expect([...stages[0]!.clients.keys()].toSorted()).toEqual(
    [...whole.stages[0]!.clients.keys()].toSorted(),
  );
  // A minute has 1,200 of these frames. The ring forgets them by 200.
  const kept = history.filter((record) => record.k === 'f' && record.e !== undefined);
  expect(kept.length).toBeGreaterThan(1200);
  expect(kept.length).toBeLessThan(1450);
});

test('many long lines make the ring forget sooner', () => {
  const ring = new Ring();
  ring.add(header);
  const text = 'x'.repeat(4000);
  for (let t = 0; t < 10_000; t++) ring.add({ k: 'c', t, s: -1, text });
  const length = ring.history().reduce((sum, line) => sum + line.length, 0);
  expect(length).toBeLessThan(20 * 2 ** 20);
  expect(length).toBeGreaterThan(10 * 2 ** 20);
});

test('a recording that is full ends before what a reader refuses', async () => {
  const recorder = new Recorder();
  recorder.lines([lineOf(header)]);
  const text = 'x'.repeat(4000);
  let t = 0;
  while (!recorder.isFull) recorder.lines([lineOf({ k: 'c', t: t++, s: -1, text })]);
  const packed = await recorder.finish(t);
  const read = await unpack(new Uint8Array(packed));
  expect(read.at(-1)).toEqual({ k: 'end', t });
  const bytes = read.reduce((sum, record) => sum + lineOf(record).length, 0);
  expect(bytes).toBeGreaterThan(MOST_BYTES - 5000);
});

test('a recording that has its end gets no second one', async () => {
  const recorder = new Recorder();
  recorder.lines([lineOf(header), lineOf({ k: 'end', t: 5 })]);
  const read = await unpack(new Uint8Array(await recorder.finish(9)));
  expect(read.map(({ k }) => k)).toEqual(['h', 'end']);
});
