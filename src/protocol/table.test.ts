import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Outbox } from './outbox.ts';
import { AnswerTable } from './table.ts';

const isQuestion = (bytes: Buffer) => bytes.indexOf('?') === bytes.length - 1 && bytes.length > 0;

/** What the table answers to the bytes, and how far it read. */
function look(table: AnswerTable, bytes: Buffer, start = 0, end = bytes.length) {
  const out = new Outbox();
  const next = table.answer(bytes, start, end, out, 1000) - start;
  return { next, answer: out.copy().toString('latin1') };
}

describe('AnswerTable.answer', () => {
  const table = new AnswerTable(
    {
      'one?': 'first',
      'two?': 'second',
      'oh?': 'third',
      'é?': Buffer.of(0, 255),
      '?': 'empty',
      'longer than four?': 'long',
    },
    isQuestion,
  );
  const none = { next: 0, answer: '' };

  it('answers the questions at the start, one after the other, and returns how far it read', () => {
    expect(look(table, Buffer.from('one?'))).toEqual({ next: 4, answer: 'first' });
    expect(look(table, Buffer.from('two?one?'))).toEqual({ next: 8, answer: 'secondfirst' });
    expect(look(table, Buffer.from('two?on'))).toEqual({ next: 4, answer: 'second' });
    expect(look(table, Buffer.from('oh?'))).toEqual({ next: 3, answer: 'third' });
    expect(look(table, Buffer.from('é?'))).toEqual({ next: 3, answer: '\x00\xff' });
    expect(look(table, Buffer.from('?'))).toEqual({ next: 1, answer: 'empty' });
  });

  it('answers a question at any position of any larger buffer', () => {
    expect(look(table, Buffer.from('xxtwo?yy'), 2, 6)).toEqual({ next: 4, answer: 'second' });
    expect(look(table, Buffer.from('xxtwo?yy').subarray(1), 1, 6)).toEqual({
      next: 4,
      answer: 'second',
    });
    expect(look(table, Buffer.from('xxtwo?yy'), 1, 6)).toEqual(none);
  });

  it('answers other questions too, but only those that are no longer than its own', () => {
    const frame = (bytes: Uint8Array, start: number, end: number) => {
      const at = bytes.subarray(start, end).indexOf(63);
      return at < 0 ? -1 : start + at + 1;
    };
    const all = new AnswerTable({ 'four?': 'known' }, isQuestion, 'utf8', { answer: 'no', frame });
    expect(look(all, Buffer.from('one?four?x?'))).toEqual({ next: 11, answer: 'noknownno' });
    expect(look(all, Buffer.from('one?too long?'))).toEqual({ next: 4, answer: 'no' });
    expect(look(all, Buffer.from('xone?fo'), 1)).toEqual({ next: 4, answer: 'no' });
    expect(look(all, Buffer.from('one?two?'), 0, 7)).toEqual({ next: 4, answer: 'no' });
  });

  it('answers nothing to a part, an extension, another case or nothing', () => {
    for (const text of [
      'one',
      'ne?',
      'onx?',
      'One?',
      'tne?',
      '',
      'o',
      'onetwo?',
      'longer than four',
    ]) {
      expect(look(table, Buffer.from(text))).toEqual(none);
    }
    expect(look(table, Buffer.from('one?'), 0, 3)).toEqual(none);
  });

  it('stops when too many bytes are unsent', () => {
    const out = new Outbox();
    out.write('others');
    out.start = out.length;
    expect(table.answer(Buffer.from('one?two?one?two?'), 0, 16, out, 8)).toBe(8);
    expect(out.copy().toString()).toBe('othersfirstsecond');
  });

  it('leaves out entries that can never be asked: two questions in one, or none', () => {
    const odd = new AnswerTable({ 'a?b?': 'never', a: 'never', '': 'never' }, isQuestion);
    expect(look(odd, Buffer.from('a?b?'))).toEqual(none);
    expect(look(odd, Buffer.from('a'))).toEqual(none);
    expect(look(odd, Buffer.from(''))).toEqual(none);
  });

  it('agrees with plain comparison for any table and any bytes', () => {
    const word = fc.string({ unit: fc.constantFrom('a', 'b', 'é'), maxLength: 9 });
    fc.assert(
      fc.property(fc.uniqueArray(word, { maxLength: 12 }), word, word, (words, before, asked) => {
        const answers = Object.fromEntries(words.map((each) => [`${each}?`, `<${each}>`]));
        const bytes = Buffer.from(`${before}${asked}?REST`);
        const start = Buffer.byteLength(before);
        const expected = words.includes(asked)
          ? {
              next: Buffer.byteLength(asked) + 1,
              answer: Buffer.from(`<${asked}>`).toString('latin1'),
            }
          : none;
        expect(look(new AnswerTable(answers, isQuestion), bytes, start)).toEqual(expected);
      }),
    );
  });
});
