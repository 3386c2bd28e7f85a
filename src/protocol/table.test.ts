import { describe, expect, it } from 'vitest';
import { AnswerTable } from './table.ts';

describe('AnswerTable.find', () => {
  const table = new AnswerTable({ 'one?': 'first', 'two?': 'second', 'é?': Buffer.of(0, 255) });
  const find = (text: string, start = 0, end = Buffer.byteLength(text)) => {
    const answer = table.find(Buffer.from(text), start, end);
    return answer && Buffer.from(answer).toString('latin1');
  };

  it('finds a question by its bytes, among others of the same length', () => {
    expect(find('one?')).toBe('first');
    expect(find('two?')).toBe('second');
    expect(find('é?')).toBe('\x00\xff');
  });

  it('finds it where it lies in a larger buffer', () => {
    expect(find('xxtwo?yy', 2, 6)).toBe('second');
    expect(find('xxtwo?yy', 1, 5)).toBeUndefined();
  });

  it('finds nothing for a part, an extension, another case or nothing', () => {
    for (const text of ['one', 'ne?', 'one??', 'One?', '', 'tne?', 'onx?']) {
      expect(find(text)).toBeUndefined();
    }
  });
});
