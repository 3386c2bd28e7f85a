import { expect, test } from 'vitest';
import { labHeaderOf, labStage } from '../../../../test/support/lab-recording.ts';
import { reasons } from '../../../worker/reasons.ts';
import { nothing } from './model.ts';
import { lineOf, recordsOf } from './recording.ts';
import { EVENT, type FrameRecord, KERNEL, LANE, PLACE } from './records.ts';
import { apply } from './reducer.ts';
import { ruleNames, why } from './why.ts';
import { FIRST_NC, FIRST_PROBE, FIRST_STRANGER } from './wire.ts';
import { clientsText, doingOf, durationText, glyphs } from './words.ts';

const { asleep, running, runnable, stopped } = KERNEL;
/** One lane with a client, or -1. */
const lane = (row: number, state: number, kernel: number, client = -1, open = 1) => [
  row,
  100 + row,
  99,
  state,
  100,
  open,
  client,
  kernel,
];
/** A client in its place, for `since` ms, which has waited `asked` ms for an answer (-1: none). */
const at = (id: number, place: number, since: number, asked = -1) => [
  id,
  place,
  -1,
  since * 1000,
  asked < 0 ? -1 : asked * 1000,
  0,
];
const threads = (count: number, state: number, kernel: number, open: (row: number) => number) =>
  Array.from({ length: count }, (_, row) => lane(row, state, kernel, -1, open(row))).flat();
const idle = lane(0, LANE.waiting, asleep);
const refusal = (reason: string, kind: number) => [
  0,
  8,
  kind,
  -1,
  (reasons as readonly string[]).indexOf(reason),
];

/** From a recording: lanes since 0 s, then a frame at 6.2 s. */
const after = (first: Partial<FrameRecord>, last: Partial<FrameRecord> = {}, queue = 0) =>
  recordsOf(
    [
      labHeaderOf([labStage('single', { queue })]),
      { k: 'f', s: 0, t: 0, ...first } as const,
      { k: 'f', s: 0, t: 6200, ...last } as const,
    ]
      .map(lineOf)
      .join(''),
  ).reduce(apply, nothing);

const five = [2, 3, 4, 5, 6].flatMap((id) => at(id, PLACE.kernel, (8 - id) * 1000));
const cases: readonly (readonly [rule: string, model: ReturnType<typeof after>, text: RegExp])[] = [
  [
    'stopped',
    after({ l: lane(0, LANE.receiving, stopped, 1) }),
    /signal has stopped its one thread/,
  ],
  ['gone', after({ q: [2, 9, 0] }), /No worker is there.*2 clients wait outside/],
  ['stuck', after({ l: lane(0, LANE.stuck, running, 1) }), /Thread 100 is stuck.*for 6\.2 s/],
  [
    'descriptors',
    after({ l: idle }, { e: refusal('descriptor', EVENT.refused) }),
    /used up.*refused 1 client/,
  ],
  ['kernel queue full', after({ l: idle, q: [9, 9, 0] }), /full, with 9 clients/],
  ['own queue full', after({ l: idle, q: [0, 9, 4] }, {}, 4), /own queue is full, with 4 clients/],
  [
    'asleep for one client',
    after({ l: lane(0, LANE.receiving, asleep, 1) }, { q: [5, 9, 0], r: five, w: [3, 22] }),
    /^Its one thread has slept for 6\.2 s: it waits for client 1\. Behind it, 5 clients wait outside, the longest for 6\.0 s; client 3 has asked already\.$/,
  ],
  [
    'inside one answer',
    after(
      { l: lane(0, LANE.answering, asleep, 1) },
      { r: [1, 2].flatMap((id) => at(id, PLACE.served, 100, 300)) },
    ),
    /One thread makes all answers.*1 client waits behind it/,
  ],
  [
    'refused',
    after({ l: idle }, { e: refusal('connections', EVENT.refused) }),
    /refused 1 client, by its limit connections/,
  ],
  ['limited', after({ l: idle }, { e: refusal('idle', EVENT.limited) }), /limit idle .* client 8/],
  [
    'processors',
    after({ l: threads(8, LANE.answering, runnable, () => 1) }),
    /8 of 8 threads want a processor, not a client: there are 2/,
  ],
  [
    'uneven',
    after({ l: threads(4, LANE.waiting, asleep, (row) => (row === 0 ? 9 : 1)) }),
    /one thread has 9 of 12, and another has 1/,
  ],
  [
    'waiting',
    after({ l: idle }, { r: at(4, PLACE.served, 3000, 2500) }),
    /Client 4 has waited for an answer, for 2\.5 s/,
  ],
  [
    'well',
    after({ l: idle, u: [6, 6, 6, 0, 0, 0, 0] }),
    /No client waits: 1 silent client holds no/,
  ],
];

test.each(cases)('the sentence: %s', (rule, model, text) => {
  const reason = why(model, 0);
  expect([reason.rule, reason.text]).toEqual([rule, expect.stringMatching(text)]);
});

test('each rule has a recording, and there are fourteen', () => {
  expect(cases.map(([rule]) => rule)).toEqual(ruleNames);
  expect(ruleNames).toHaveLength(14);
});

test('the sentence names culprit and victims', () => {
  const model = cases.find(([rule]) => rule === 'asleep for one client')![1];
  expect(why(model, 0)).toMatchObject({ culprits: [1], victims: [2, 3, 4, 5, 6] });
});

test('a thread that is free makes no client a culprit', () => {
  const l = [...lane(0, LANE.receiving, asleep, 1), ...lane(1, LANE.accepting, asleep)];
  expect(why(after({ l }, { r: at(2, PLACE.kernel, 1) }), 0).rule).toBe('well');
});

test('lanes: the kernel says whether a thread sleeps where the server says it is', () => {
  const doing = (state: number, kernel: number) =>
    doingOf({ state, kernel } as Parameters<typeof doingOf>[0]);
  expect(doing(LANE.receiving, asleep)).toBe('asleep for one client');
  expect(doing(LANE.receiving, running)).toBe('working');
  expect(doing(LANE.accepting, asleep)).toBe('asleep for anyone');
  expect(doing(LANE.answering, asleep)).toBe('asleep in an answer');
  expect(doing(LANE.answering, runnable)).toBe('wants a processor');
  for (const state of Object.values(LANE)) {
    for (const kernel of Object.values(KERNEL)) expect(glyphs[doing(state, kernel)]).toBeTruthy();
  }
});

test('times and clients in words', () => {
  const times = [0, 340, 999.6, 6200, 9960, 61_000, 600_000].map(durationText);
  expect(times).toEqual(['0 ms', '340 ms', '1.0 s', '6.2 s', '10 s', '61 s', '10 min']);
  expect(clientsText([3])).toBe('client 3');
  expect(clientsText([3, 4])).toBe('clients 3 and 4');
  expect(clientsText([1, 2, 3, 4])).toBe('clients 1, 2, 3 and 4');
  expect(clientsText([1, 2, 3, 4, 5])).toBe('clients 1, 2, 3 and 2 more');
  expect(clientsText([FIRST_NC])).toBe('an nc');
  expect(clientsText([1, 2, FIRST_NC, 3])).toBe('clients 1, 2, nc and 3');
  expect(clientsText([FIRST_PROBE])).toBe('the probe');
  expect(clientsText([2, FIRST_STRANGER])).toBe('clients 2 and a hostile one');
});
