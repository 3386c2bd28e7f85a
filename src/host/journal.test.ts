import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { eventReader, writeEvent } from './journal.ts';

const complain = (text: string) => {
  throw new Error(text);
};

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
          const read = eventReader((event) => delivered.push(event), complain);
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
    const read = eventReader((event) => delivered.push(event.type), complain);
    read('{"type":"rea');
    expect(delivered).toEqual([]);
    read('dy"}\n{"type"');
    expect(delivered).toEqual(['ready']);
  });

  it('leaves out what is no event, and says so once', () => {
    const delivered: unknown[] = [];
    const complaints: string[] = [];
    const read = eventReader(
      (event) => delivered.push(event.type),
      (text) => complaints.push(text),
    );
    read('{"type":"ready"}\n{"type":"acc{"type":"accepted"}\nnull\n5\n{"type":"closed"}\n');
    expect(delivered).toEqual(['ready', 'closed']);
    expect(complaints).toEqual([expect.stringContaining('{\\"type\\":\\"acc{')]);
  });
});

describe('writeEvent', () => {
  it('keeps a line of any text within what the kernel takes as one piece', () => {
    const folder = mkdtempSync(join(tmpdir(), 'mondo-journal-'));
    const file = join(folder, 'journal');
    const fd = openSync(file, 'w');
    try {
      // JSON makes six bytes of each of these.
      const text = '\u0001'.repeat(100_000);
      writeEvent(fd, { type: 'fatal', text, at: 0, pid: 1, tid: 2 });
      const line = readFileSync(file, 'utf8');
      expect(line.length).toBeLessThan(32_768);
      expect(JSON.parse(line).text).toMatch(/ … and 96,000 more$/);
    } finally {
      closeSync(fd);
      rmSync(folder, { recursive: true });
    }
  });
});
