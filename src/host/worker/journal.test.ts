import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { addressOf, WOULD_BLOCK } from '../../os/libc.ts';
import { accept, close, connect, openListener, setBlocking, tryRecv } from '../../os/socket.ts';
import { eventReader, journalInto, lineOf } from './journal.ts';

const complain = (text: string) => {
  throw new Error(text);
};

const stamps = '"at":1,"pid":2,"tid":3';

describe('eventReader', () => {
  it('returns the events for any chunks from the pipe', () => {
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

  it('keeps an incomplete event until it is complete', () => {
    const delivered: unknown[] = [];
    const read = eventReader((event) => delivered.push(event.type), complain);
    read(`{${stamps},"type":"rea`);
    expect(delivered).toEqual([]);
    read('dy"}\n{"type"');
    expect(delivered).toEqual(['ready']);
  });

  it('leaves out lines that are not events, and reports it once', () => {
    const delivered: unknown[] = [];
    const complaints: string[] = [];
    const read = eventReader(
      (event) => delivered.push(event.type),
      (text) => complaints.push(text),
    );
    read(`{${stamps},"type":"ready"}\n{"type":"acc{"type":"accepted"}\nnull\n5\n`);
    read('{"type":"failed"}\n');
    read(`${'x'.repeat(100_000)}`);
    read(`\n{${stamps},"type":"closed"}\n`);
    expect(delivered).toEqual(['ready', 'closed']);
    expect(complaints).toEqual([expect.stringContaining('{\\"type\\":\\"acc{')]);
  });
});

it('a line with any text is short enough for the kernel to take in one piece', () => {
  // JSON makes six bytes of each of these characters.
  const text = '\u0001'.repeat(100_000);
  const line = lineOf({ type: 'fatal', text, at: 0, pid: 1, tid: 2 });
  expect(line.length).toBeLessThan(32_768);
  expect(JSON.parse(line).text).toMatch(/ … and 96,000 more$/);
});

it.runIf(process.platform === 'linux')(
  'drops events if the reader has stopped, and reports how many once it reads again',
  () => {
    const folder = mkdtempSync(join(tmpdir(), 'mondo-journal-'));
    const path = join(folder, 'socket');
    const listener = openListener({ family: 'unix', path }, { backlog: 1 });
    const reading = connect({ family: 'unix', path });
    const writing = accept(listener);
    setBlocking(writing, false);
    try {
      const bytes = Buffer.allocUnsafeSlow(1_000_000);
      const readAll = () => {
        let text = '';
        for (;;) {
          const count = tryRecv(reading, addressOf(bytes), bytes.length);
          if (count === WOULD_BLOCK) return text.trimEnd().split('\n');
          text += bytes.toString('utf8', 0, count);
        }
      };
      const journal = journalInto(writing, 1, true);
      for (let i = 0; i < 2000; i++) journal.record({ type: 'closed', peer: 'unix' });
      const taken = readAll();
      expect(taken.length).toBeLessThan(2000);
      journal.record({ type: 'accepted', peer: 'unix' });
      journal.record({ type: 'closed', peer: 'unix' });
      const dropped = (2000 - taken.length).toLocaleString('en');
      expect(readAll().map((line) => JSON.parse(line))).toEqual([
        expect.objectContaining({
          type: 'warning',
          text: expect.stringContaining(`${dropped} events of thread 1 dropped`),
        }),
        expect.objectContaining({ type: 'accepted' }),
        expect.objectContaining({ type: 'closed' }),
      ]);
    } finally {
      for (const fd of [listener, reading, writing]) close(fd);
      rmSync(folder, { recursive: true });
    }
  },
);
