import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { eventReader } from './journal.ts';

describe('eventReader', () => {
  it('gives back the events however the pipe cuts them', () => {
    const text = fc.string({ unit: 'binary', maxLength: 12 });
    fc.assert(
      fc.property(
        fc.array(text, { maxLength: 10 }),
        fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 1 }),
        (texts, cuts) => {
          const events = texts.map((error, at) => ({
            type: 'fatal',
            text: error,
            at,
            pid: 1,
            tid: 2,
          }));
          const written = events.map((event) => `${JSON.stringify(event)}\n`).join('');
          const delivered: unknown[] = [];
          const read = eventReader((event) => delivered.push(event));
          for (let at = 0, i = 0; at < written.length; i++) {
            const size = cuts[i % cuts.length]!;
            read(written.slice(at, at + size));
            at += size;
          }
          expect(delivered).toEqual(events);
        },
      ),
    );
  });

  it('keeps an event that is not whole until it is', () => {
    const delivered: unknown[] = [];
    const read = eventReader((event) => delivered.push(event.type));
    read('{"type":"rea');
    expect(delivered).toEqual([]);
    read('dy"}\n{"type"');
    expect(delivered).toEqual(['ready']);
  });
});
