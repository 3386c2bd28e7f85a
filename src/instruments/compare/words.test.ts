import { expect, it } from 'vitest';
import { pairedRatio } from './statistics.ts';
import { intervalText } from './words.ts';

it('gives an interval from three rounds on; from two, which say nothing about it, only the ratio', () => {
  const two = pairedRatio([
    [100, 1],
    [3, 100],
  ]);
  expect(intervalText(two!)).toBe('1.73');
  const three = pairedRatio([
    [100, 50],
    [104, 50],
    [96, 50],
  ]);
  expect(intervalText(three!)).toMatch(/^2\.00 \[1\.\d\d, 2\.\d\d\]$/);
  expect(intervalText(null)).toBe('–');
});
