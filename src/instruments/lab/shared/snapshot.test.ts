import fc from 'fast-check';
import { expect, test } from 'vitest';
import { labHeader as header } from '../../../../test/support/lab-recording.ts';
import { retimed } from '../hub/ordering.ts';
import { type Model, nothing } from './model.ts';
import { lineOf, recordsOf } from './recording.ts';
import type { LabRecord } from './records.ts';
import { apply } from './reducer.ts';
import { resumptionOf, snapshotOf } from './snapshot.ts';

const { setup } = header;
const replay = (records: readonly LabRecord[], from: Model = nothing) =>
  records.reduce(apply, from);

const upTo = (max: number, min = 0) => fc.integer({ min, max });
const rows = (...columns: fc.Arbitrary<number>[]) =>
  fc.array(fc.tuple(...columns), { maxLength: 6 }).map((all) => all.flat());
const small = upTo(12);
const s = upTo(1);
/** In the order of a recording; times are added below. */
const records: fc.Arbitrary<readonly LabRecord[]> = fc
  .array(
    fc.tuple(
      upTo(900),
      fc.oneof(
        {
          weight: 8,
          arbitrary: fc.record(
            {
              k: fc.constant('f' as const),
              s,
              every: fc.constantFrom(1, 2, 4),
              q: fc.tuple(small, small, small),
              c: fc.tuple(small, small, small, small, small),
              u: fc.tuple(small, small, small, small, small, small, small),
              l: rows(small, small, small, upTo(9), small, small, upTo(12, -1), upTo(5)),
              e: rows(upTo(0, -900_000), small, small, upTo(12, -1), upTo(14, -1)),
              w: rows(small, small),
              r: rows(small, upTo(3), upTo(12, -1), small, upTo(12, -1), small),
              v: rows(small, small),
              h: fc.array(small, { maxLength: 8 }),
              p: fc.tuple(upTo(2), small, upTo(12, -1)),
              m: fc.tuple(small, small, small, small),
              n: rows(small, small),
            },
            { requiredKeys: ['k', 's'] },
          ),
        },
        fc.record({ k: fc.constant('gap' as const), s: upTo(1, -1), lost: small }),
        fc.record({ k: fc.constant('c' as const), s: upTo(1, -1), text: fc.string() }),
        fc.record({ k: fc.constant('o' as const), servers: small, clients: small, lab: small }),
        fc.record({
          k: fc.constant('a' as const),
          s,
          attack: fc.constantFrom('', 'burn', 'churn'),
          reached: upTo(100, -1),
        }),
        fc.record({
          k: fc.constant('d' as const),
          s,
          file: small,
          name: fc.string(),
          text: fc.string(),
        }),
        fc.record({
          k: fc.constant('x' as const),
          s,
          x: rows(upTo(0, -900_000), small, small, small, upTo(12, -1)),
          y: rows(upTo(0, -900_000), small, small, small, upTo(12, -1)),
        }),
        fc.record({
          k: fc.constant('z' as const),
          s,
          z: rows(small, small, upTo(1, -1)),
          channels: fc.constant(['do_poll', 'wait_woken']),
        }),
        fc.record({
          k: fc.constant('s' as const),
          s: upTo(1, -2),
          setup: fc.constantFrom(setup, { ...setup, title: 'Another' }),
        }),
      ),
    ),
    { maxLength: 30 },
  )
  .map((parts) => {
    let t = 1000;
    return parts.map(([later, part]) => {
      t += later;
      return { ...part, t } as LabRecord;
    });
  });

/** A model as plain data, with times to 1 µs, and maps in the order of their keys. */
const plain = (model: Model): unknown =>
  JSON.parse(
    JSON.stringify(model, (_, value: unknown) => {
      if (value instanceof Map) return [...value].toSorted(([one], [other]) => one - other);
      return typeof value === 'number' ? Math.round(value * 1000) / 1000 : value;
    }),
  );

test('the snapshot of any prefix, and the rest, are the whole replay', () => {
  fc.assert(
    fc.property(records, fc.nat(30), (rest, cut) => {
      const all: LabRecord[] = [header, ...rest];
      const snapshot = snapshotOf(replay(all.slice(0, cut + 1)));
      expect(plain(replay(snapshot))).toEqual(plain(replay(all.slice(0, cut + 1))));
      expect(plain(replay([...snapshot, ...all.slice(cut + 1)]))).toEqual(plain(replay(all)));
    }),
  );
});

test('a snapshot is a recording, in order of time', () => {
  fc.assert(
    fc.property(records, (rest) => {
      const snapshot = snapshotOf(replay([header, ...rest]));
      expect(recordsOf(snapshot.map(lineOf).join(''))).toHaveLength(snapshot.length);
      const times = snapshot.slice(1).map((record) => (record.k === 'h' ? 0 : record.t));
      expect(times).toEqual(times.toSorted((one, other) => one - other));
    }),
  );
});

test('before the header there is nothing to send', () => {
  expect(snapshotOf(nothing)).toEqual([]);
  expect(resumptionOf(nothing, 3)).toEqual([]);
});

test('after a gap a viewer has the same clients and lanes, and knows what it lost', () => {
  fc.assert(
    fc.property(records, fc.nat(30), (rest, cut) => {
      const all: LabRecord[] = [header, ...rest];
      const whole = replay(all);
      const seen = replay(resumptionOf(whole, 7), replay(all.slice(0, cut + 1)));
      for (const [index, stage] of whole.stages.entries()) {
        const { clients, lanes, threads, server, users, queue } = stage;
        const resumed = seen.stages[index]!;
        expect(resumed.lost).toBe(7);
        expect(resumed.isUncertain).toBe(false);
        expect(resumed).toMatchObject({ server, users, queue });
        expect([...resumed.clients.keys()]).toEqual([...clients.keys()]);
        expect([...resumed.lanes.keys()].toSorted()).toEqual([...lanes.keys()].toSorted());
        expect([...resumed.threads]).toEqual([...threads]);
      }
    }),
  );
});

test('a record at a later time says the same of the time before', () => {
  const frame: LabRecord = {
    k: 'f',
    s: 0,
    t: 2000,
    e: [-500, 3, 0, -1, 0, 20, 4, 1, -1, 0],
    r: [5, 3, 0, 1500, -1, 2],
    v: [5, 1700],
  };
  const before = replay([header, { ...frame, t: 1000 }, frame]);
  const after = replay([header, { ...frame, t: 1000 }, retimed(frame, 2345.678)]);
  expect(after.stages[0]!.t).toBe(2345.678);
  const clients = (model: Model) =>
    plain({ ...nothing, stages: model.stages.map((one) => ({ ...one, t: 0 })) });
  expect(clients(after)).toEqual(clients(before));
});

test('lines of code that a thread began, and where functions wait, keep their times at a later time', () => {
  const x: LabRecord = { k: 'x', s: 0, t: 2000, x: [-500, 31, 0, 7, 3], y: [-900, 1, 0, 8, 4] };
  const after = replay([header, retimed(x, 2345.678)]).stages[0]!;
  expect(after.lines.get(31)!.since).toBeCloseTo(1999.5, 3);
  expect(after.asides.get(1)!.since).toBeCloseTo(1999.1, 3);
});
