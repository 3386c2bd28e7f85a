import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { randomOf } from '../load/random.ts';
import { pairedRatio } from './statistics.ts';
import { type Verdict, verdictOf } from './verdict.ts';

const of = (low: number, ratio: number, high: number, rounds = 5) =>
  verdictOf({ low, ratio, high, rounds });

describe('verdictOf', () => {
  it('claims a difference of 10 % or more whose whole interval stays away from 1', () => {
    expect(of(1.1, 1.25, 1.42)).toBe('more');
    expect(of(0.7, 0.8, 0.91)).toBe('less');
    expect(of(0, 0, 0)).toBe('less');
    expect(of(1.04, 1.2, 1.37)).toBe('unclear');
    expect(of(0.7, 0.8, 0.96)).toBe('unclear');
  });

  it('claims no difference below 10 %, however narrow the interval', () => {
    expect(of(1.08, 1.09, 1.099)).toBe('alike');
    expect(of(1.02, 1.09, 1.17)).toBe('unclear');
    expect(of(0.92, 0.93, 0.94)).toBe('alike');
  });

  it('is unclear, not alike, if the interval is wide', () => {
    expect(of(0.97, 1.0, 1.03)).toBe('alike');
    expect(of(0.7, 1.0, 1.4)).toBe('unclear');
    expect(of(0.95, 1.5, 2.4)).toBe('unclear');
  });

  it('is none for fewer than three rounds, or without an interval', () => {
    expect(of(2, 2, 2, 2)).toBe('none');
    expect(of(2, 2, 2, 3)).toBe('more');
    expect(verdictOf(undefined)).toBe('none');
  });

  it('uses the given claim', () => {
    const interval = { low: 1.1, ratio: 1.2, high: 1.3, rounds: 5 };
    expect(verdictOf(interval, 1.25)).toBe('unclear');
    expect(verdictOf(interval, 1.2)).toBe('more');
  });

  it('makes 3 false claims in 100, if the difference is at most 5 %', () => {
    const random = randomOf(5);
    const normal = () => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
    const claimed = (truth: number, noise: number, rounds: number) => {
      const runs = 2000;
      let claims = 0;
      for (let run = 0; run < runs; run++) {
        const verdict = verdictOf(
          pairedRatio(
            Array.from({ length: rounds }, () => [truth * Math.exp(noise * normal()), 1]),
          ),
        );
        if (verdict === 'more' || verdict === 'less') claims++;
      }
      return claims / runs;
    };
    for (const rounds of [3, 5, 10]) {
      for (const noise of [0.03, 0.1, 0.2]) {
        expect(claimed(1, noise, rounds)).toBeLessThan(0.04);
        expect(claimed(1.05, noise, rounds)).toBeLessThan(0.045);
      }
    }
    expect(claimed(1.25, 0.1, 5)).toBeGreaterThan(0.6);
    expect(claimed(1.25, 0.03, 3)).toBeGreaterThan(0.95);
  });

  it('makes at most 1 false claim in 20 runs of two identical servers, also if the whole run shifts', () => {
    const random = randomOf(7);
    const normal = () => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
    for (const rounds of [3, 4, 5, 6]) {
      for (const [shift, noise] of [
        [0.02, 0.03],
        [0.08, 0.2],
        [0.2, 0.4],
        // As measured on two cores, one of them busy with other programs.
        [0.2, 0.84],
      ] as const) {
        let claims = 0;
        const runs = 4000;
        for (let run = 0; run < runs; run++) {
          const shifted = Math.exp(shift * normal());
          const pairs = Array.from(
            { length: rounds },
            () => [shifted * Math.exp(noise * normal()), Math.exp(noise * normal())] as const,
          );
          const verdict = verdictOf(pairedRatio(pairs));
          if (verdict === 'more' || verdict === 'less') claims++;
        }
        expect(claims / runs).toBeLessThan(0.035);
      }
    }
  });

  it('is the opposite if the two sides are swapped', () => {
    const opposite: Record<Verdict, Verdict> = {
      more: 'less',
      less: 'more',
      alike: 'alike',
      unclear: 'unclear',
      disturbed: 'disturbed',
      none: 'none',
    };
    const figure = fc.double({ min: 0.5, max: 2, noNaN: true });
    const pairs = fc.array(fc.tuple(figure, figure), { minLength: 1, maxLength: 8 });
    fc.assert(
      fc.property(pairs, (all) => {
        const swapped = all.map(([a, b]) => [b, a] as const);
        expect(verdictOf(pairedRatio(swapped))).toBe(opposite[verdictOf(pairedRatio(all))]);
      }),
    );
  });
});
