import { expect, it } from 'vitest';
import { pairedRatio } from './statistics.ts';
import { busyText, intervalText } from './words.ts';

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

it('says before the run that the machine is busy', () => {
  expect(busyText(0.9, 2)).toBeUndefined();
  expect(busyText(3.14, 2)).toMatch(/^This machine is busy: 3\.1 processes wanted its 2 cores /);
});
