import fc from 'fast-check';
import { expect, test } from 'vitest';
import { labHeader as header } from '../../../../test/support/lab-recording.ts';
import { History } from './history.ts';
import { type Model, nothing } from './model.ts';
import { Player, SPEEDS } from './player.ts';
import { EVENT, type FrameRecord, KERNEL, LANE, type LabRecord } from './records.ts';
import { apply } from './reducer.ts';
import { isEvent, recordsOf, stepsOf } from './steps.ts';
import { rateOf, sharesOf, stretchesOf, waitOf } from './trail.ts';

/** Each run has hundreds of steps. */
const RUNS = { numRuns: 25 };

const small = fc.integer({ min: 0, max: 12 });
const rows = (...columns: fc.Arbitrary<number>[]) =>
  fc.array(fc.tuple(...columns), { maxLength: 6 }).map((all) => all.flat());

/** Frames that follow each other, as one process sends them: each reports the 50 ms before it. */
const frames = fc
  .array(
    fc.record(
      {
        s: fc.integer({ min: 0, max: 1 }),
        q: fc.tuple(small, small, small),
        c: fc.tuple(small, small, small, small, small),
        l: rows(small, small, small, small, small, small, small, fc.integer({ min: 0, max: 5 })),
        e: rows(fc.integer({ min: -49_999, max: 0 }), small, small, small, small).map(inOrder),
        w: rows(small, small),
        h: fc.array(small, { maxLength: 8 }),
      },
      { requiredKeys: ['s'] },
    ),
    { maxLength: 150 },
  )
  .map((all): LabRecord[] => all.map((rest, index) => ({ k: 'f', t: 50 * (index + 1), ...rest })));

function inOrder(e: readonly number[]): number[] {
  const events = Array.from({ length: e.length / 5 }, (_, row) => e.slice(5 * row, 5 * row + 5));
  return events.sort((a, b) => a[0]! - b[0]!).flat();
}

const playerOf = (records: readonly LabRecord[], kind: 'live' | 'recording' = 'recording') => {
  const player = new Player(kind);
  for (const record of records) player.push(record);
  return player;
};
const event = (t: number, client: number, kind: number, s = 0): FrameRecord => ({
  k: 'f',
  s,
  t,
  e: [0, client, kind, -1, 0],
});
const counted = (t: number, answered: number): FrameRecord => ({
  k: 'f',
  s: 0,
  t,
  u: [1, answered, answered, 0, 0, 0, 0],
});
const answersOf = (model: Model, s = 0) =>
  [...model.stages[s]!.clients.values()].reduce((sum, { answers }) => sum + answers, 0);

test('after its last record, a player has the model of the plain replay', () => {
  fc.assert(
    fc.property(frames, (records) => {
      const all = [header, ...records];
      const replayed = all.reduce(apply, nothing);
      expect(playerOf(all).live).toEqual(replayed);
      expect(playerOf(all, 'live').live).toEqual(replayed);
      const ended = playerOf([...all, { k: 'end', t: 50 * all.length }]);
      expect(ended.modelAt(1e9)).toEqual(apply(replayed, { k: 'end', t: 50 * all.length }));
    }),
    RUNS,
  );
});

test('from any kept model, in any order of questions, a moment has the model of the steps up to it', () => {
  const moments = fc.array(fc.integer({ min: 0, max: 8_000_000 }), { maxLength: 20 });
  fc.assert(
    fc.property(frames, moments, (records, asked) => {
      const all = [header, ...records];
      const player = playerOf(all);
      const steps = all.flatMap(stepsOf).sort((a, b) => a.at - b.at);
      for (const at of asked) {
        let expected = nothing;
        for (const step of steps.filter((one) => one.at <= at)) {
          for (const record of recordsOf([step])) expected = apply(expected, record);
        }
        expect(player.modelAt(at / 1000)).toEqual(expected);
      }
    }),
    RUNS,
  );
});

test('a later moment has a later model, and no counter gets smaller', () => {
  fc.assert(
    fc.property(frames, (records) => {
      const player = playerOf([header, ...records]);
      let before = player.modelAt(0);
      for (let t = 0; t < 8000; t += 37.5) {
        const model = player.modelAt(t);
        expect(model.t).toBeLessThanOrEqual(t);
        expect(model.t).toBeGreaterThanOrEqual(before.t);
        for (const [s, { server }] of model.stages.entries()) {
          expect(server.answered).toBeGreaterThanOrEqual(before.stages[s]!.server.answered);
        }
        before = model;
      }
    }),
    RUNS,
  );
});

test('one step forward and one back is the same model, and steps meet every event', () => {
  fc.assert(
    fc.property(frames, (records) => {
      const all = [header, ...records];
      const player = playerOf(all);
      const moments = new Set(
        all
          .flatMap(stepsOf)
          .filter(isEvent)
          .map(({ at }) => at),
      );
      player.seek(0);
      let count = 0;
      for (;;) {
        const [t, model] = [player.t, player.model];
        player.step(1);
        if (player.t === t) break;
        count++;
        const after = player.t;
        if (count > 1) {
          player.step(-1);
          expect(player.t).toBe(t);
          expect(player.model).toEqual(model);
          player.step(1);
        }
        expect(player.t).toBe(after);
      }
      expect(count).toBe(moments.size);
      expect(player.state).toBe('paused');
    }),
    RUNS,
  );
});

test('events of two senders are in the order in which they happened, not in which they came', () => {
  const player = playerOf([
    header,
    // The hub reports the accept at 20 ms; the street's frame with the connect at 10 ms comes later.
    { k: 'f', s: 0, t: 50, e: [-30_000, 1, EVENT.accepted, 0, 0] },
    { k: 'f', s: 0, t: 60, e: [-50_000, 1, EVENT.connecting, -1, 0] },
  ]);
  expect(player.modelAt(15).stages[0]!.clients.get(1)).toMatchObject({ lane: -1 });
  expect(player.live.stages[0]!.clients.get(1)).toMatchObject({ lane: 0, since: 20 });
});

test('the events of one frame come one by one, to the µs', () => {
  const e = [
    ...[-3, 1, EVENT.connected, -1, 0],
    ...[-2, 1, EVENT.asked, -1, 5],
    ...[-1, 1, EVENT.answered, -1, 1],
  ];
  const player = playerOf([header, { k: 'f', s: 0, t: 100, e }, counted(9000, 1)]);
  const askedAt = (t: number) => player.modelAt(t).stages[0]!.clients.get(1)?.asked;
  expect([99.996, 99.997, 99.998, 99.999].map(askedAt)).toEqual([
    undefined,
    undefined,
    99.998,
    undefined,
  ]);
  expect(answersOf(player.modelAt(99.999))).toBe(1);
});

test('a live player keeps a minute, and the model before it', () => {
  const player = new Player('live');
  player.push(header);
  for (let t = 50; t <= 300_000; t += 50) {
    player.push({ ...event(t, 1, EVENT.answered), u: [1, t / 50, t / 50, 0, 0, 0, 0] });
  }
  expect(player.from).toBeGreaterThan(237_000);
  expect(player.from).toBeLessThanOrEqual(240_000);
  expect(player.history.samples.length).toBeLessThan(640);
  expect([...player.history.records(0, 300_000)].length).toBeLessThan(2500);
  const oldest = player.modelAt(0);
  expect(answersOf(oldest)).toBe(Math.round(player.from / 50));
  expect(answersOf(player.live)).toBe(6000);
});

test('a moment that a viewer looks at is kept for longer than a minute', () => {
  const player = playerOf([header, event(10_000, 1, EVENT.connected)], 'live');
  player.pause();
  for (let t = 10_050; t <= 200_000; t += 50) player.push(event(t, 2, EVENT.answered));
  expect(player.t).toBe(10_000);
  expect([...player.model.stages[0]!.clients.keys()]).toEqual([1]);
  player.toLive();
  player.push(event(200_050, 2, EVENT.answered));
  expect(player.from).toBeGreaterThan(130_000);
});

test('each header begins anew: the last minute comes after it', () => {
  const player = playerOf([header, counted(9000, 5)], 'live');
  player.pause();
  for (const record of [header, counted(40, 1)]) player.push(record);
  expect([player.from, player.to]).toEqual([0, 40]);
  expect(player.live.stages[0]!.users.answered).toBe(1);
  player.tick(0);
  expect(player.t).toBe(40);
});

test('a recording begins shortly before its first server does', () => {
  const player = playerOf([header, counted(1700, 0), { k: 'end', t: 5000 }]);
  expect(player.from).toBe(1200);
  player.play();
  player.tick(0);
  expect(player.t).toBe(1200);
});

test('live follows the newest record; pause, slow motion and rewind leave it, and L returns', () => {
  const player = playerOf([header, counted(50, 0), counted(20_000, 1)], 'live');
  player.tick(1000);
  expect([player.state, player.t]).toEqual(['live', 20_000]);
  player.tick(1030);
  expect(player.t).toBe(20_030);
  player.pause();
  player.push(counted(20_050, 2));
  player.tick(1100);
  expect([player.state, player.t, player.model.stages[0]!.users.answered]).toEqual([
    'paused',
    20_000,
    1,
  ]);
  player.jump(-10_000);
  expect([player.state, player.t]).toEqual(['paused', 10_000]);
  player.play(0.1);
  player.tick(1200);
  expect(player.t).toBeCloseTo(10_010);
  player.toLive();
  player.tick(1300);
  expect([player.state, player.speed, player.t]).toEqual(['live', 1, 20_250]);
  player.jump(-10_000);
  expect([player.state, player.t]).toEqual(['playing', 10_050]);
});

test('a live clock runs on for a second without a record, and no further', () => {
  const player = playerOf([header, counted(20_000, 1)], 'live');
  player.tick(0);
  player.tick(5000);
  expect(player.t).toBe(21_000);
});

test('a recording plays once from its start to its end, at each speed', () => {
  const player = playerOf([header, counted(100, 1), { k: 'end', t: 100 }]);
  expect([player.state, player.t]).toEqual(['paused', 0]);
  for (const speed of SPEEDS) {
    player.seek(0);
    player.play(speed);
    player.tick(0);
    player.tick(10);
    expect(player.t).toBeCloseTo(Math.min(100, 10 * speed));
    player.pause();
  }
  player.play(10);
  player.tick(1000);
  expect([player.state, player.t, player.model.hasEnded]).toEqual(['paused', 100, true]);
  player.play();
  expect(player.t).toBe(0);
});

test('speeds change one by one, and a live page does not overtake the present', () => {
  const player = playerOf([header, counted(100, 1)], 'live');
  player.changeSpeed(1);
  expect([player.state, player.speed]).toEqual(['live', 1]);
  player.changeSpeed(-1);
  expect([player.state, player.speed]).toEqual(['playing', 0.1]);
  for (let i = 0; i < 5; i++) player.changeSpeed(-1);
  expect(player.speed).toBe(0.001);
});

test('buttons, attacks and scenes are marked once each', () => {
  const attack = (t: number, name: string, reached: number): LabRecord => ({
    k: 'a',
    t,
    s: 1,
    attack: name,
    reached,
  });
  const { history } = playerOf([
    header,
    { k: 'c', t: 5, s: 0, text: 'kill -9' },
    attack(10, 'burn', -1),
    attack(20, 'burn', 90),
    attack(30, '', 90),
    { k: 's', t: 40, s: -1, setup: header.setup },
  ]);
  expect(history.happenings.map(({ t, is, text }) => [t, is, text])).toEqual([
    [5, 'command', 'kill -9'],
    [10, 'attack', 'burn'],
    [30, 'calm', 'burn'],
    [40, 'scene', 'One silent client'],
  ]);
});

test('what is cut out of the middle, after the model before it, is the whole; its times do not go back', () => {
  fc.assert(
    fc.property(frames, fc.integer({ min: 0, max: 8000 }), (records, t) => {
      const { history, live } = playerOf([header, ...records]);
      const cut = [...history.records(t, 1e9)];
      expect(cut.reduce(apply, history.modelAt(t))).toEqual(live);
      const times = cut.flatMap((record) => (record.k === 'f' ? [record.t] : []));
      expect(times).toEqual(times.toSorted((a, b) => a - b));
    }),
    RUNS,
  );
});

test('a recording of a recording plays the same, moment by moment', () => {
  fc.assert(
    fc.property(frames, (records) => {
      const player = playerOf([header, ...records]);
      const again = playerOf([...player.history.records(Number.NEGATIVE_INFINITY, 1e9)]);
      for (let t = 0; t < 8000; t += 41.7) expect(again.modelAt(t)).toEqual(player.modelAt(t));
    }),
    RUNS,
  );
});

test('a history does not slow down on a recording whose times stand still', () => {
  const history = new History(Number.POSITIVE_INFINITY);
  history.push(header);
  for (let i = 0; i < 60_000; i++) history.push(event(0, i % 9, EVENT.answered));
  expect(answersOf(history.live)).toBe(60_000);
});

const row = (state: number, kernel: number) => [0, 31, 30, state, 100, 1, 1, kernel];
const lanes = (t: number, state: number, kernel: number): LabRecord => ({
  k: 'f',
  s: 0,
  t,
  l: row(state, kernel),
});

test('the trail of a lane has a stretch for each thing that it did', () => {
  const { history } = playerOf([
    header,
    lanes(50, LANE.accepting, KERNEL.asleep),
    lanes(1050, LANE.receiving, KERNEL.asleep),
    lanes(3050, LANE.answering, KERNEL.running),
    { k: 'end', t: 4000 },
  ]);
  const stretches = stretchesOf(history.samples, 0, 0, 4000);
  expect(stretches.map(({ doing }) => doing)).toEqual([
    'asleep for anyone',
    'asleep for one client',
    'working',
  ]);
  expect(stretches.map(({ to }) => to)).toEqual([1100, 3100, 4000]);
  expect(sharesOf(history.samples, 0, 4000)[0]).toEqual(['asleep for one client', 2000 / 3900]);
  expect(stretchesOf(history.samples, 0, 1, 4000)).toEqual([]);
});

test('the trail has answers a second, and waits from the buckets between two moments', () => {
  const frame = (t: number, answered: number, h: number[]): LabRecord => ({
    ...counted(t, answered),
    h,
  });
  const { history } = playerOf([
    header,
    frame(50, 1, [0, 1]),
    frame(1050, 11, [0, 1, 10]),
    { k: 'end', t: 2050 },
  ]);
  const [first, last] = [history.samples[0]!, history.samples.at(-1)!];
  expect(rateOf(first, last, 0)).toBeCloseTo(10 / ((last.t - first.t) / 1000));
  expect(waitOf(first.stages[0], last.stages[0]!, 0.5)).toBeCloseTo(0.006);
  expect(waitOf(last.stages[0], last.stages[0]!, 0.5)).toBeUndefined();
});
