import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Outbox } from './outbox.ts';

describe('Outbox', () => {
  it('holds the written bytes in order, strings as UTF-8, without the dropped bytes', () => {
    const step = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 200 }).map((text) => ({ write: text })),
      fc.uint8Array({ maxLength: 200 }).map((bytes) => ({ write: bytes })),
      fc.string({ unit: 'binary', maxLength: 200 }).map((latin1) => ({ latin1 })),
      fc.uint8Array({ minLength: 3000, maxLength: 5000 }).map((bytes) => ({ write: bytes })),
      fc.string({ unit: 'binary', maxLength: 70 }).map((text) => ({ write: text })),
      fc.string({ unit: 'binary-ascii', maxLength: 70 }).map((text) => ({ write: text })),
      fc.constantFrom('Zoë', '🙂?', '\ud800', 'x'.repeat(64)).map((text) => ({ write: text })),
      fc.tuple(fc.uint8Array({ minLength: 100, maxLength: 200 }), fc.nat(100), fc.nat(100)),
      fc.nat(5000).map((count) => ({ truncate: count })),
      fc.nat(5000).map((count) => ({ drop: count })),
      fc.constant({ clear: true }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
        const out = new Outbox();
        let model = Buffer.alloc(0);
        for (const each of steps) {
          if (Array.isArray(each)) {
            const [bytes, from, size] = each;
            const to = Math.min(from + size, bytes.length);
            out.writeRange(bytes, from, to);
            model = Buffer.concat([model, bytes.subarray(from, to)]);
          } else if ('truncate' in each) {
            const count = Math.min(each.truncate, model.length);
            out.truncate(count);
            model = model.subarray(0, count);
          } else if ('write' in each) {
            out.write(each.write);
            model = Buffer.concat([model, Buffer.from(each.write as string)]);
          } else if ('latin1' in each) {
            out.write(each.latin1, 'latin1');
            model = Buffer.concat([model, Buffer.from(each.latin1, 'latin1')]);
          } else if ('drop' in each) {
            const count = Math.min(each.drop, model.length);
            out.drop(count);
            model = model.subarray(count);
          } else {
            out.clear();
            model = Buffer.alloc(0);
          }
          expect(out.length).toBe(model.length);
          expect(out.copy().equals(model)).toBe(true);
        }
      }),
      { numRuns: 50 },
    );
  });

  it('returns copies that later writes do not change', () => {
    const out = new Outbox();
    out.write('first');
    const copy = out.copy(1);
    out.clear();
    out.write('other');
    expect(copy.toString()).toBe('irst');
  });
});
