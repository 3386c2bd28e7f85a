import fc from 'fast-check';
import { expect, test } from 'vitest';
import { labHeader as header } from '../../../../test/support/lab-recording.ts';
import { nothing } from './model.ts';
import { EVENT, type FrameRecord, isTold, KERNEL, LANE, type LabRecord, PLACE } from './records.ts';
import { apply } from './reducer.ts';
import { recordsOf, stepsOf } from './steps.ts';

const replay = (records: readonly LabRecord[]) => records.reduce(apply, nothing);
const frame = (t: number, rest: Partial<FrameRecord>): FrameRecord => ({
  k: 'f',
  s: 0,
  t,
  ...rest,
});

const small = fc.integer({ min: 0, max: 12 });
const rows = (...columns: fc.Arbitrary<number>[]) =>
  fc.array(fc.tuple(...columns), { maxLength: 6 }).map((all) => all.flat());
const frames: fc.Arbitrary<FrameRecord> = fc.record(
  {
    k: fc.constant('f' as const),
    s: fc.integer({ min: 0, max: 2 }),
    t: fc.integer({ min: 0, max: 10_000 }),
    every: fc.constantFrom(1, 2, 4),
    q: fc.tuple(small, small, small),
    c: fc.tuple(small, small, small, small, small),
    l: rows(small, small, small, small, small, small, small, fc.integer({ min: 0, max: 5 })),
    e: rows(small, small, small, small, small),
    w: rows(small, small),
    r: rows(small, fc.integer({ min: 0, max: 3 }), small, small, small, small),
    v: rows(small, small),
    h: fc.array(small, { maxLength: 8 }),
  },
  { requiredKeys: ['k', 's', 't'] },
);
const record: fc.Arbitrary<LabRecord> = fc.oneof(
  { weight: 8, arbitrary: frames },
  fc.record({
    k: fc.constant('gap' as const),
    t: small,
    s: fc.integer({ min: -1, max: 1 }),
    lost: small,
  }),
  fc.record({
    k: fc.constant('s' as const),
    t: small,
    s: fc.integer({ min: -1, max: 1 }),
    setup: fc.constant(header.setup),
  }),
);

test('a snapshot of any prefix and the rest is the whole replay, and no snapshot changes afterwards', () => {
  fc.assert(
    fc.property(fc.array(record, { maxLength: 30 }), fc.nat(30), (records, cut) => {
      const all: LabRecord[] = [header, ...records];
      const snapshot = replay(all.slice(0, cut));
      const copy = structuredClone(snapshot);
      const resumed = all.slice(cut).reduce(apply, structuredClone(snapshot));
      all.slice(cut).reduce(apply, snapshot);
      expect(resumed).toEqual(replay(all));
      expect(snapshot).toEqual(copy);
    }),
  );
});

test('a lost frame loses no count, and an old frame that comes late takes none away', () => {
  const all = [1, 2, 3].map((count) => frame(count, { c: [1, count, count, 0, 0], h: [0, count] }));
  const whole = replay([header, ...all]);
  expect(replay([header, all[0]!, all[2]!]).stages[0]).toEqual(whole.stages[0]);
  expect(apply(whole, all[1]!).stages[0]).toEqual(whole.stages[0]);
});

test('if a frame tells 1 of 4 clients of a crowd, the others go, and those that are not of the cast stay', () => {
  const ids = [1, 2, 3, 4, 5, 6, 7, 8, 10_001];
  const came = ids.flatMap((id) => [0, id, EVENT.connecting, -1, 0]);
  const clientsOf = (...frames: FrameRecord[]) => [
    ...replay([header, ...frames]).stages[0]!.clients.keys(),
  ];
  const kept = ids.filter((id) => isTold(7, id, 4));
  expect(clientsOf(frame(1, { e: came }))).toEqual(ids);
  expect(kept.length).toBeLessThan(ids.length);
  expect(clientsOf(frame(1, { e: came }), frame(2, { every: 4 }))).toEqual(kept);
  // The server's own events may name the others: they change nothing.
  expect(clientsOf(frame(1, { every: 4 }), frame(2, { e: came }))).toEqual(kept);
  expect(kept).toContain(10_001);
});

test('a client goes from the kernel to a lane, asks, is answered and leaves', () => {
  const e = (...events: number[][]) => ({ e: events.flat() });
  let model = replay([
    header,
    frame(0, e([0, 4, EVENT.connecting, -1, 0], [500, 4, EVENT.connected, -1, 0])),
  ]);
  const client = () => model.stages[0]!.clients.get(4);
  expect(client()).toMatchObject({ place: PLACE.kernel, since: 0.5 });
  model = apply(model, frame(50, e([0, 4, EVENT.asked, -1, 22])));
  expect(client()).toMatchObject({ place: PLACE.kernel, asked: 50, bytes: 22 });
  model = apply(model, frame(100, e([0, 4, EVENT.accepted, 2, 0])));
  expect(client()).toMatchObject({ place: PLACE.served, lane: 2, asked: 50, bytes: 0 });
  model = apply(model, frame(150, e([0, 4, EVENT.answered, 2, 100_000])));
  expect(client()).toMatchObject({ asked: undefined, answers: 1 });
  model = apply(model, frame(200, e([0, 4, EVENT.limited, 2, 0])));
  expect(client()).toBeUndefined();
  expect(model.stages[0]!.endings).toEqual([
    { t: 200, client: 4, kind: EVENT.limited, reason: 'idle' },
  ]);
});

test('a client stays with its lane if the frame of its own process comes after that of the server', () => {
  const { accepted, connecting, connected } = EVENT;
  const model = replay([
    header,
    frame(10, { e: [-2000, 4, accepted, 2, 0] }),
    frame(20, { e: [-15_000, 4, connecting, -1, 0, -14_000, 4, connected, -1, 0] }),
  ]);
  const client = model.stages[0]!.clients.get(4);
  expect(client).toMatchObject({ place: PLACE.served, lane: 2, since: 8 });
  // Its next visit begins after that.
  const next = apply(model, frame(30, { e: [-1000, 4, connecting, -1, 0] }));
  expect(next.stages[0]!.clients.get(4)).toMatchObject({ place: PLACE.connecting, since: 29 });
});

test('an account of the server that comes too late changes nothing in the next visit of a client', () => {
  const { accepted, connecting, connected, left, limited } = EVENT;
  const came = (at: number) => [at, 4, connecting, -1, 0, at + 100, 4, connected, -1, 0];
  const visited = replay([
    header,
    frame(0, { e: came(0) }),
    frame(10, { e: [0, 4, left, -1, 0] }),
    frame(300, { e: came(0) }),
  ]);
  const client = visited.stages[0]!.clients.get(4);
  expect(client).toMatchObject({ place: PLACE.kernel, since: 300.1 });
  const at = (kind: number) => [-295_000, 4, kind, 2, 0];
  const late = apply(visited, frame(300, { e: at(accepted) }));
  expect(late.stages[0]!.clients.get(4)).toEqual(client);
  const ended = apply(visited, frame(300, { e: at(limited) })).stages[0]!;
  expect(ended.clients.get(4)).toEqual(client);
  expect(ended.endings).toEqual([{ t: 10, client: 4, kind: limited, reason: 'idle' }]);
});

test('an account of the server that comes when its client has left does not bring the client back', () => {
  const model = replay([
    header,
    frame(0, { e: [0, 4, EVENT.connecting, -1, 0] }),
    frame(10, { e: [0, 4, EVENT.left, -1, 0] }),
    frame(20, { e: [-15_000, 4, EVENT.accepted, 2, 0] }),
  ]);
  expect(model.stages[0]!.clients.size).toBe(0);
});

test('a client stays with its lane if its own process learns later that it is connected', () => {
  const model = replay([
    header,
    frame(0, { e: [0, 4, EVENT.accepted, 2, 0, 10, 4, EVENT.connected, -1, 0] }),
  ]);
  expect(model.stages[0]!.clients.get(4)).toMatchObject({ place: PLACE.served, lane: 2 });
});

test('the time of a lane in its state runs on while it serves the same client', () => {
  const row = (state: number, client: number) => [3, 31, 30, state, 100, 1, client, KERNEL.asleep];
  const model = replay([
    header,
    frame(10, { l: row(LANE.receiving, 1) }),
    frame(60, { l: row(LANE.receiving, 1) }),
  ]);
  expect(model.stages[0]!.lanes.get(3)).toMatchObject({ client: 1, since: 10 });
  const other = apply(model, frame(90, { l: row(LANE.receiving, 2) }));
  expect(other.stages[0]!.lanes.get(3)).toMatchObject({ client: 2, since: 90 });
  expect(apply(other, frame(99, { l: row(LANE.free, -1) })).stages[0]!.lanes.size).toBe(0);
});

test('after a gap the stage is uncertain until all clients are named again', () => {
  const gap = replay([header, { k: 'gap', t: 5, s: 0, lost: 3 }]);
  expect(gap.stages.map(({ isUncertain }) => isUncertain)).toEqual([true, false]);
  const sure = apply(gap, frame(10, { r: [7, PLACE.served, 2, 4000, 3000, 5] }));
  expect(sure.stages[0]).toMatchObject({ isUncertain: false, lost: 3 });
  expect(sure.stages[0]!.clients.get(7)).toMatchObject({ since: 6, asked: 7, answers: 5, lane: 2 });
});

test('a restart of one stage leaves the other as it is; unknown records and stages change nothing', () => {
  const before = replay([
    header,
    frame(1, { c: [1, 1, 1, 0, 0] }),
    { ...frame(1, { c: [2, 2, 2, 0, 0] }), s: 1 },
  ]);
  const after = apply(before, { k: 's', t: 9, s: 1, setup: header.setup });
  expect(after.stages[0]).toEqual(before.stages[0]);
  expect(after.stages[1]!.server.accepted).toBe(0);
  expect(apply(before, { k: 'later' } as unknown as LabRecord)).toBe(before);
  expect(apply(before, { ...frame(1, {}), s: 3 })).toBe(before);
});

const framed = (t: number, ...e: number[]): LabRecord => ({ k: 'f', s: 0, t, e });
const run = (...records: LabRecord[]) => records.reduce(apply, apply(nothing, header));

test.each([
  ['the client first', [EVENT.cut, -1], [EVENT.limited, 0]],
  ['the server first', [EVENT.limited, 0], [EVENT.cut, -1]],
] as const)('both ends report one ending, %s: the reason is the server’s', (_, first, second) => {
  const stage = run(
    framed(0, 0, 1, EVENT.connected, -1, 0),
    framed(10, 0, 1, first[0], -1, first[1]),
    framed(30, 0, 1, second[0], -1, second[1]),
  ).stages[0]!;
  expect(stage.endings).toEqual([{ t: 10, client: 1, kind: EVENT.limited, reason: 'idle' }]);
});

test('two visits of a client have two endings', () => {
  const visit = (t: number) => [
    framed(t, 0, 1, EVENT.connected, -1, 0),
    framed(t + 1, 0, 1, EVENT.left, -1, 0),
  ];
  expect(run(...visit(0), ...visit(10)).stages[0]!.endings).toHaveLength(2);
});

test('a traced thread is on the line that it began last', () => {
  const code: LabRecord = { k: 'd', t: 0, s: 0, file: 0, name: 'single.ts', text: 'a\nb' };
  const { code: files, lines } = run(code, {
    k: 'x',
    t: 5,
    s: 0,
    x: [0, 77, 0, 1, 1, 500, 77, 0, 2, 1],
  }).stages[0]!;
  expect(files.get(0)).toEqual({ name: 'single.ts', text: 'a\nb' });
  expect(lines.get(77)).toEqual({ file: 0, line: 2, client: 1, since: 5.5 });
});

test('a function that is set aside is on its line until it goes on', () => {
  const records: LabRecord[] = [
    { k: 'x', t: 5, s: 0, x: [], y: [0, 1, 0, 7, 4, 500, 2, 0, 7, 6] },
    { k: 'x', t: 6, s: 0, x: [], y: [0, 1, 0, 0, -1] },
  ];
  const { asides } = run(...records).stages[0]!;
  expect([...asides]).toEqual([[2, { file: 0, line: 7, client: 6, since: 5.5 }]]);
  // Cut into steps, as a page keeps them, they say the same.
  const steps = records.flatMap((record) => [...stepsOf(record)]);
  expect([...run(...recordsOf(steps)).stages[0]!.asides]).toEqual([...asides]);
});

test('a thread has what the newest record of its stage says of it', () => {
  const channels = ['wait_woken', 'inet_csk_accept'];
  const first: LabRecord = { k: 'z', t: 5, s: 0, z: [31, 2, 1, 32, 7, -1], channels };
  const { threads } = run(first, frame(6, { q: [1, 9, 0] })).stages[0]!;
  expect([...threads]).toEqual([
    [31, { accepted: 2, channel: 'inet_csk_accept' }],
    [32, { accepted: 7, channel: '' }],
  ]);
  const later = run(first, { ...first, t: 7, z: [32, 8, 0] }).stages[0]!.threads;
  expect([...later]).toEqual([[32, { accepted: 8, channel: 'wait_woken' }]]);
});

test('an attack has a beginning, what it reaches, and an end', () => {
  const attack = (t: number, name: string, reached: number): LabRecord => ({
    k: 'a',
    t,
    s: 0,
    attack: name,
    reached,
  });
  const during = run(attack(5, 'idle crowd', -1), attack(7, 'idle crowd', 98));
  expect(during.stages[0]!.attack).toEqual({ name: 'idle crowd', reached: 98, since: 5, until: 0 });
  const after = apply(during, attack(9, '', 98));
  expect(after.stages[0]!.attack).toEqual({ name: '', reached: 98, since: 5, until: 9 });
});

test('a lane does something new after each answer, even if every sample finds it answering', () => {
  const lane = (t: number): LabRecord => ({
    k: 'f',
    s: 0,
    t,
    l: [3, 100, 99, LANE.answering, 100, 2, -1, KERNEL.asleep],
  });
  const taken = framed(1, 0, 1, EVENT.accepted, 3, 0);
  const busy = run(lane(0), taken, lane(50));
  expect(busy.stages[0]!.lanes.get(3)!.since).toBe(0);
  const answered = apply(busy, framed(200, 500, 1, EVENT.answered, -1, 80_000));
  expect(apply(answered, lane(250)).stages[0]!.lanes.get(3)!.since).toBe(200.5);
});

test('a client that a server with a slow clock accepts before it connects is served', () => {
  const accepted = framed(1228, 0, 1, EVENT.accepted, 0, 0);
  const came = framed(1230, 2000, 1, EVENT.connecting, -1, 0, 2100, 1, EVENT.connected, -1, 40_000);
  expect(run(accepted, came).stages[0]!.clients.get(1)).toMatchObject({
    place: PLACE.served,
    lane: 0,
  });
  // Long after that, it is another visit, whose end was lost.
  const again = framed(9000, 0, 1, EVENT.connecting, -1, 0);
  expect(run(accepted, came, again).stages[0]!.clients.get(1)!.place).toBe(PLACE.connecting);
});
