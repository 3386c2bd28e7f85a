import { expect, test } from 'vitest';
import { barsOf, emptyTally, pressed, total } from './tally.ts';

const after = (keys: string) =>
  [...keys].reduce((tally, key) => pressed(tally, key, key !== key.toLowerCase()), emptyTally(3));

test('a to c add a hand, shift takes one away, and never below none', () => {
  expect(after('abbc').counts).toEqual([1, 2, 1]);
  expect(after('abbcB').counts).toEqual([1, 1, 1]);
  expect(after('aAA').counts).toEqual([0, 0, 0]);
  expect(total(after('abbc'))).toBe(4);
});

test('a letter without a choice, and other keys, change nothing', () => {
  const tally = after('ab');
  for (const key of ['d', 'Enter', '1', '', 'ä']) expect(pressed(tally, key, false)).toBe(tally);
});

test('the result is hidden until r', () => {
  expect(after('ab').isRevealed).toBe(false);
  expect(after('abr')).toEqual({ counts: [1, 1, 0], isRevealed: true });
  expect(after('abrb').counts).toEqual([1, 2, 0]);
});

test('the longest bar is that of the most hands', () => {
  expect(barsOf(after('abb'))).toEqual([0.5, 1, 0]);
  expect(barsOf(emptyTally(2))).toEqual([0, 0]);
});
