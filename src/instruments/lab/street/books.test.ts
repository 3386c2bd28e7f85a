import fc from 'fast-check';
import { expect, test } from 'vitest';
import { nothing } from '../shared/model.ts';
import { recordOf } from '../shared/recording.ts';
import { EVENT, type FrameRecord, isTold, type LabRecord, WIDTH } from '../shared/records.ts';
import { apply } from '../shared/reducer.ts';
import { MOST_TOLD, StreetBooks } from './books.ts';

const rowsOf = ({ e = [] }: FrameRecord) =>
  Array.from({ length: e.length / WIDTH.e }, (_, row) =>
    e.slice(row * WIDTH.e, (row + 1) * WIDTH.e),
  );

test('a frame has what has changed since the last one, and nothing else', () => {
  const books = new StreetBooks(7, 6);
  expect(books.frame(0, 50)).toBeUndefined();
  books.note(EVENT.connecting, 3, 0, 60);
  books.note(EVENT.connected, 3, 41_000, 60.25);
  expect(books.frame(0, 100)).toEqual({
    k: 'f',
    s: 0,
    t: 100,
    u: [1, 0, 0, 0, 0, 0, 0],
    e: [-40_000, 3, EVENT.connecting, -1, 0, -39_750, 3, EVENT.connected, -1, 41_000],
  });
  expect(books.frame(0, 150)).toBeUndefined();
  expect(books.frame(0, 150, [1, 20, -1])).toEqual({ k: 'f', s: 0, t: 150, p: [1, 20, -1] });
});

test('waits are counted by powers of two', () => {
  const books = new StreetBooks(7, 1);
  for (const wait of [0, 1, 2, 3, 4, 1000]) books.note(EVENT.answered, 1, wait, 0);
  expect(books.frame(0, 50)!.h).toEqual([2, 2, 1, 0, 0, 0, 0, 0, 0, 1]);
});

test('each way to end a visit has its counter', () => {
  const books = new StreetBooks(7, 1);
  for (const kind of ['cut', 'reset', 'refused', 'left', 'hungUp', 'wrong'] as const) {
    books.note(EVENT[kind], 1, 0, 0);
  }
  expect(books.frame(0, 50)!.u).toEqual([0, 0, 0, 1, 2, 1, 2]);
});

test('in any crowd a frame has 400 events at most, counters are exact, and the stories of shown clients are whole', () => {
  const visit = [EVENT.connecting, EVENT.connected, EVENT.asked, EVENT.answered, EVENT.left];
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 2000 }),
      fc.array(fc.integer({ min: 1, max: 3 }), { minLength: 1, maxLength: 6 }),
      (clients, frames) => {
        const books = new StreetBooks(7, clients);
        const sent: FrameRecord[] = [];
        for (const [index, visits] of frames.entries()) {
          for (let client = 1; client <= clients; client++) {
            for (let i = 0; i < visits; i++) {
              for (const kind of visit) books.note(kind, client, 0, 50 * index);
            }
          }
          sent.push(books.frame(0, 50 * (index + 1))!);
        }
        const visits = frames.reduce((sum, count) => sum + count);
        const { every = 1, u } = sent.at(-1)!;
        expect(u!.slice(0, 3)).toEqual([clients * visits, clients * visits, clients * visits]);
        for (const frame of sent) expect(rowsOf(frame).length).toBeLessThanOrEqual(MOST_TOLD);
        const told = new Map<number, number[]>();
        for (const [, client, kind] of sent.flatMap(rowsOf)) {
          told.set(client!, [...(told.get(client!) ?? []), kind!]);
        }
        const shown = Array.from({ length: clients }, (_, index) => index + 1).filter((client) =>
          isTold(7, client, every),
        );
        const story = Array.from({ length: visits }, () => visit).flat();
        for (const client of shown) expect(told.get(client)).toEqual(story);
      },
    ),
    { numRuns: 15 },
  );
});

test('a reader takes each frame, and its model has the clients that are shown', () => {
  const books = new StreetBooks(7, 2000);
  for (let client = 1; client <= 2000; client++) books.note(EVENT.connecting, client, 0, 10);
  const frame = books.frame(0, 50)!;
  expect(recordOf(frame)).toEqual(frame);
  const stages = [{}] as never;
  const header = { k: 'h', setup: { seed: 7, stages } } as unknown as LabRecord;
  const model = [header, frame].reduce(apply, nothing);
  const shown = rowsOf(frame).map(([, client]) => client);
  expect([...model.stages[0]!.clients.keys()]).toEqual(shown);
  expect(shown.every((client) => isTold(7, client!, frame.every!))).toBe(true);
});
