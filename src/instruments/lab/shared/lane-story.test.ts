import { expect, test } from 'vitest';
import { labHeader } from '../../../../test/support/lab-recording.ts';
import { laneStoryOf } from './lane-story.ts';
import { EVENT, type FrameRecord, KERNEL, LANE, type LabRecord, PLACE } from './records.ts';

const frame = (t: number, rest: Partial<FrameRecord>): LabRecord => ({ k: 'f', s: 0, t, ...rest });
const event = (t: number, client: number, kind: number, lane = -1, extra = 0): LabRecord =>
  frame(t, { e: [0, client, kind, lane, extra] });
const thread = (t: number, row: number, tid: number): LabRecord =>
  frame(t, { l: [row, tid, 30, LANE.receiving, 100, 1, -1, KERNEL.asleep] });

const two: readonly LabRecord[] = [
  labHeader,
  thread(1, 0, 31),
  thread(1, 1, 32),
  event(2, 1, EVENT.connecting),
  event(3, 1, EVENT.connected),
  event(4, 1, EVENT.accepted, 0),
  event(5, 2, EVENT.accepted, 1),
  event(6, 1, EVENT.asked, -1, 22),
  event(7, 2, EVENT.asked, -1, 22),
  event(8, 1, EVENT.answered, -1, 2000),
  event(9, 1, EVENT.left),
  event(10, 1, EVENT.connecting),
  event(11, 1, EVENT.accepted, 1),
  event(12, 1, EVENT.asked, -1, 30),
];
const texts = (records: readonly LabRecord[], row: number, tid: number, isOnly = false) =>
  laneStoryOf(records, 0, { row, tid }, isOnly).map(({ text }) => text);

test('a thread has the stories of its clients, from when it accepts them until they go', () => {
  expect(laneStoryOf(two, 0, { row: 0, tid: 31 }, false)).toEqual([
    { t: 4, text: 'accepts client 1' },
    { t: 6, text: 'client 1 has asked, with 22 bytes' },
    { t: 8, text: 'client 1 has its answer, after 2 ms' },
    { t: 9, text: 'client 1 leaves' },
  ]);
  expect(texts(two, 1, 32)).toEqual([
    'accepts client 2',
    'client 2 has asked, with 22 bytes',
    'accepts client 1',
    'client 1 has asked, with 30 bytes',
  ]);
  expect(laneStoryOf(two, 1, { row: 0, tid: 31 }, true)).toEqual([]);
});

test('another thread in the row, or another server, begins it anew', () => {
  const next = [thread(20, 0, 0), thread(21, 0, 77), event(22, 4, EVENT.accepted, 0)];
  expect(texts([...two, ...next], 0, 77)).toEqual(['accepts client 4']);
  expect(texts([...two, { k: 's', t: 20, s: 0, setup: labHeader.setup }], 1, 32)).toEqual([]);
  expect(texts([...two, { k: 's', t: 20, s: 1, setup: labHeader.setup }], 1, 32)).toHaveLength(4);
});

test('a roster names the clients that a thread has had for longer than the page knows', () => {
  const { kernel, served } = PLACE;
  const r = [5, served, 0, 0, -1, 0, 6, served, 1, 0, -1, 0, 7, kernel, -1, 0, -1, 0];
  const asked = [5, 6, 7].map((client) => event(20, client, EVENT.asked, -1, 22));
  expect(texts([...two, frame(19, { r }), ...asked], 0, 31).at(-1)).toBe(
    'client 5 has asked, with 22 bytes',
  );
  expect(texts([...two, frame(19, { r }), ...asked], 1, 32).at(-1)).toBe(
    'client 6 has asked, with 22 bytes',
  );
});

test('of a server with one thread, clients without a row are with this thread', () => {
  const records = [labHeader, event(2, 3, EVENT.accepted), event(3, 3, EVENT.hungUp)];
  expect(texts(records, 0, 31, true)).toEqual([
    'accepts client 3',
    'client 3 leaves inside a question',
  ]);
  expect(texts(records, 0, 31)).toEqual([]);
});
