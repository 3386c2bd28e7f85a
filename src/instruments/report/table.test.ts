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

  test('breaks a line after the hyphen of a compound, and never inside an option', () => {
    expect(tableLines([['non-blocking --max-threads']], 13)).toEqual([
      ['non-blocking', '--max-threads'],
    ]);
    expect(tableLines([['poll, non-blocking']], 10)).toEqual([['poll, non-', 'blocking']]);
  });

  test('puts the columns closer, and then breaks words, rather than exceed the width', () => {
    expect(tableLines(rows, 14)).toEqual([
      ['name   what', '       defeats', '       it'],
      ['single one', '       silent', '       client'],
    ]);
    for (let width = 3; width < 40; width++) {
      const lines = tableLines(rows, width).flat();
      expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(width);
      expect(lines.join('').replaceAll(' ', '')).toHaveLength(
        rows.flat().join('').replaceAll(' ', '').length,
      );
    }
  });
});
