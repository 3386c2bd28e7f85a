import { describe, expect, test } from 'vitest';
import { tableLines, tableText } from './table.ts';

const table = { head: ['name', 'what defeats it'], rows: [['single', 'one silent client']] };

describe('tableLines', () => {
  test('aligns the columns, with one line for each row, if there is no width', () => {
    expect(tableLines(table)).toEqual([['name    what defeats it'], ['single  one silent client']]);
  });

  test('wraps at words, and pads nothing at the end of a line', () => {
    expect(tableLines(table, { width: 18 })).toEqual([
      ['name    what', '        defeats it'],
      ['single  one silent', '        client'],
    ]);
  });

  test('aligns numbers to the right, and uses the last letter of `align` for all later columns', () => {
    const numbers = { head: ['', 'p50', 'p99'], rows: [['response', '64 µs', '5.23 ms']] };
    expect(tableLines({ ...numbers, align: 'lr' }).flat()).toEqual([
      '            p50      p99',
      'response  64 µs  5.23 ms',
    ]);
    expect(tableLines({ ...numbers, align: 'lrl' }, { first: 10 }).flat()).toEqual([
      '              p50  p99',
      'response    64 µs  5.23 ms',
    ]);
  });

  test('breaks a line after the hyphen of a compound, and never inside an option', () => {
    expect(tableLines({ head: ['non-blocking --max-threads'], rows: [] }, { width: 13 })).toEqual([
      ['non-blocking', '--max-threads'],
    ]);
    expect(tableLines({ head: ['poll, non-blocking'], rows: [] }, { width: 10 })).toEqual([
      ['poll, non-', 'blocking'],
    ]);
  });

  test('reduces the gap of the columns, and then breaks words, to keep the width', () => {
    expect(tableLines(table, { width: 14 })).toEqual([
      ['name   what', '       defeats', '       it'],
      ['single one', '       silent', '       client'],
    ]);
    for (let width = 3; width < 40; width++) {
      const lines = tableLines(table, { width }).flat();
      expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(width);
      expect(lines.join('').replaceAll(' ', '')).toHaveLength(
        [table.head, ...table.rows].flat().join('').replaceAll(' ', '').length,
      );
    }
  });
});

describe('tableText', () => {
  const wide = {
    caption: 'Figures',
    head: ['name', 'one', 'two', 'three', 'four'],
    rows: [['epoll', '11111', '22222', '33333', '44444']],
    align: 'lr',
  };

  test('is the caption and the table, wrapped or not', () => {
    expect(tableText(wide)).toEqual([
      'Figures',
      'name     one    two  three   four',
      'epoll  11111  22222  33333  44444',
    ]);
    expect(tableText({ caption: 'c', ...table }, { width: 18 })).toHaveLength(5);
  });

  test('becomes several tables with the first column each, rather than break a figure', () => {
    expect(tableText(wide, { width: 33, isUnbroken: true })).toHaveLength(3);
    expect(tableText(wide, { width: 22, isUnbroken: true })).toEqual([
      ...['Figures', 'name     one', 'epoll  11111', ''],
      ...['Figures', 'name     two', 'epoll  22222', ''],
      ...['Figures', 'name   three   four', 'epoll  33333  44444'],
    ]);
    const narrow = tableText(wide, { width: 14, isUnbroken: true });
    expect(narrow.filter((line) => line === 'Figures')).toHaveLength(4);
    expect(narrow.join()).toMatch(/11111.*22222.*33333.*44444/);
  });
});
