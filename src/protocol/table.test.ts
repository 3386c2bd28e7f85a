import { describe, expect, it } from 'vitest';
import { Outbox } from './outbox.ts';
import { AnswerTable } from './table.ts';

const endsOnce = (bytes: Buffer) => bytes.indexOf('?') === bytes.length - 1;

describe('AnswerTable.answer', () => {
  const answers = {
    'one?': 'first',
    'oneself?': 'itself',
    'two?': 'second',
    'é?': Buffer.of(0, 255),
  };
  const table = new AnswerTable(answers, endsOnce);
  const ask = (bytes: Buffer, start = 0, end = bytes.length) => {
    const out = new Outbox();
    const next = table.answer(bytes, start, end, out);
    return { next, answer: out.copy().toString('latin1') };
  };

  it('writes the answer to a question that is all there, and tells where it ends', () => {
    expect(ask(Buffer.from('one?'))).toEqual({ next: 4, answer: 'first' });
    expect(ask(Buffer.from('oneself?'))).toEqual({ next: 8, answer: 'itself' });
    expect(ask(Buffer.from('é?'))).toEqual({ next: 3, answer: '\x00\xff' });
  });

  it('finds it where it lies in a larger buffer, and not past the end', () => {
    expect(ask(Buffer.from('xxtwo?one?'), 2)).toEqual({ next: 6, answer: 'second' });
    expect(ask(Buffer.from('two?'), 0, 3)).toEqual({ next: -1, answer: '' });
  });

  it('looks anew into each buffer it is given', () => {
    expect(ask(Buffer.from('one?')).next).toBe(4);
    expect(ask(Buffer.from('two?'))).toEqual({ next: 4, answer: 'second' });
  });

  it('finds nothing for a part, an extension, another case or nothing', () => {
    for (const text of ['one', 'ne?', 'One?', '', 'tne?', 'onx?', 'oneselg?', 'oneself']) {
      expect(ask(Buffer.from(text))).toEqual({ next: -1, answer: '' });
    }
  });

  it('leaves out what can never be asked', () => {
    const odd = new AnswerTable({ 'a?b?': 'no', c: 'no' }, endsOnce);
    const out = new Outbox();
    expect(odd.answer(Buffer.from('a?b?'), 0, 4, out)).toBe(-1);
    expect(odd.answer(Buffer.from('c'), 0, 1, out)).toBe(-1);
  });

  it('takes questions as bytes above 127 where the encoding says so', () => {
    const latin = new AnswerTable({ 'é?': 'yes' }, endsOnce, 'latin1');
    const out = new Outbox();
    expect(latin.answer(Buffer.of(0xe9, 0x3f), 0, 2, out)).toBe(2);
  });
});
