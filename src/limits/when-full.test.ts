import { describe, expect, it } from 'vitest';
import { LimitError } from './errors.ts';
import { dropChance, parseWhenFull } from './when-full.ts';

describe('parseWhenFull', () => {
  it('reads the policies', () => {
    expect(parseWhenFull('busy')).toEqual({ policy: 'busy' });
    expect(parseWhenFull('random')).toEqual({ policy: 'random', start: 0, rate: 30, full: 0 });
    expect(parseWhenFull('random:10:30:100')).toEqual({
      policy: 'random',
      start: 10,
      rate: 30,
      full: 100,
    });
  });

  it.each([
    '',
    'Wait',
    'random:',
    'random:0:30:100',
    'random:10:101:100',
    'random:10:30:10',
  ])('refuses "%s"', (text) => {
    expect(() => parseWhenFull(text)).toThrow(LimitError);
    expect(() => parseWhenFull(text)).toThrow(`Cannot use "${text}" as policy for a full server:`);
  });
});

describe('dropChance', () => {
  it('rises from the rate at the start to 1 at full', () => {
    const lot = { start: 10, rate: 30, full: 100 };
    expect([9, 10, 55, 99, 100, 101].map((open) => dropChance(open, lot))).toEqual([
      0,
      0.3,
      0.65,
      expect.closeTo(0.992, 3),
      1,
      1,
    ]);
  });
});
