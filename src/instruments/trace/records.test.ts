import { mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, expect, test } from 'vitest';
import { cut, RecordWriter, recordReader, type TraceRecord } from './records.ts';

const folder = mkdtempSync(join(tmpdir(), 'mondo-records-'));
afterAll(() => rmSync(folder, { recursive: true }));

const read = (text: string, sizes: readonly number[]): [number, TraceRecord][] => {
  const found: [number, TraceRecord][] = [];
  const reader = recordReader((tid, record) => found.push([tid, record]));
  let at = 0;
  for (let i = 0; at < text.length; i++) {
    const size = sizes[i % sizes.length]!;
    reader(text.slice(at, at + size));
    at += size;
  }
  return found;
};

test('records of several threads are read correctly, whatever the pieces', () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.integer({ min: 1, max: 3 }), fc.string(), fc.boolean()), {
        maxLength: 40,
      }),
      fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1 }),
      (told, sizes) => {
        const file = join(folder, 'records');
        const fd = openSync(file, 'w');
        const writers = new Map([1, 2, 3].map((tid) => [tid, new RecordWriter(fd, tid)]));
        const expected = new Map<number, TraceRecord[]>([1, 2, 3].map((tid) => [tid, []]));
        for (const [tid, text, flushes] of told) {
          const record: TraceRecord = { kind: 'socket', t: tid, text: cut(text) };
          writers.get(tid)!.add(record);
          expected.get(tid)!.push(record);
          if (flushes) writers.get(tid)!.flush();
        }
        for (const writer of writers.values()) writer.flush();
        const found = read(readFileSync(file, 'utf8'), sizes);
        for (const [tid, records] of expected) {
          expect(found.filter(([from]) => from === tid).map(([, record]) => record)).toEqual(
            records,
          );
        }
      },
    ),
    { numRuns: 50 },
  );
});

test('one write is never longer than a pipe takes atomically', () => {
  const file = join(folder, 'long');
  const writer = new RecordWriter(openSync(file, 'w'), 4_194_304);
  // The longest escapes: each of these becomes six characters.
  const text = cut('\u0001'.repeat(10_000));
  for (let i = 0; i < 50; i++) {
    const long = cut('\\"é'.repeat(1000), 400);
    const call = { name: 'recv', begun: true, blocked: 1e12, t: 1e12, end: 1e12 };
    writer.add({ kind: 'call', ...call, args: long, result: long });
    writer.add({ kind: 'question', t: 1e12, end: 1e12, peer: text, question: text, answer: text });
  }
  writer.flush();
  const writes = readFileSync(file, 'utf8').split('4194304\n').slice(1);
  expect(writes.length).toBeGreaterThan(5);
  for (const one of writes) expect(Buffer.byteLength(one) + 8).toBeLessThanOrEqual(4096);
});
