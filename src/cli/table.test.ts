import { describe, expect, test } from 'vitest';
import { tableLines } from './table.ts';

const rows = [
  ['name', 'what defeats it'],
  ['single', 'one silent client'],
];

describe('tableLines', () => {
  test('aligns the columns, a line for each row, where there is no width', () => {
    expect(tableLines(rows)).toEqual([['name    what defeats it'], ['single  one silent client']]);
  });

  test('wraps at words, and pads nothing at the end of a line', () => {
    expect(tableLines(rows, 18)).toEqual([
      ['name    what', '        defeats it'],
      ['single  one silent', '        client'],
    ]);
  });

  test('breaks no word, though it is wider than the line', () => {
    expect(tableLines(rows, 5).flat().join(' ').match(/\S+/g)).toEqual(
      expect.arrayContaining(['defeats', 'silent', 'single']),
    );
  });
});
