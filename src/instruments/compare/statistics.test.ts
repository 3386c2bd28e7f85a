import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { randomOf } from '../load/random.ts';
import { levelOf, mean, pairedRatio, unpairedRatio } from './statistics.ts';

const figure = fc.double({ min: 1e-3, max: 1e6, noNaN: true });
const pair = fc.tuple(figure, figure);
const pairs = fc.array(pair, { minLength: 2, maxLength: 40 });

describe('pairedRatio', () => {
  it('has no width if the ratio is the same in every round', () => {
    const bases = fc.array(figure, { minLength: 2, maxLength: 40 });
    fc.assert(
      fc.property(bases, fc.double({ min: 0.01, max: 100, noNaN: true }), (values, ratio) => {
        const interval = pairedRatio(values.map((value) => [value * ratio, value]))!;
        expect(interval.ratio).toBeCloseTo(ratio, 6);
        expect(interval.low / ratio).toBeCloseTo(1, 5);
        expect(interval.high / ratio).toBeCloseTo(1, 5);
      }),
    );
  });

  it('is the inverse if the two sides are swapped', () => {
    fc.assert(
      fc.property(pairs, (all) => {
        const there = pairedRatio(all)!;
        const back = pairedRatio(all.map(([a, b]) => [b, a]))!;
        expect(there.ratio * back.ratio).toBeCloseTo(1, 9);
        expect(Math.log(there.low)).toBeCloseTo(-Math.log(back.high), 6);
        expect(Math.log(there.high)).toBeCloseTo(-Math.log(back.low), 6);
      }),
    );
  });

  it('contains its ratio, and does not depend on the unit or on the order of rounds', () => {
    fc.assert(
      fc.property(pairs, figure, (all, unit) => {
        const { ratio, low, high, rounds } = pairedRatio(all)!;
        expect(low).toBeLessThanOrEqual(ratio * (1 + 1e-9));
        expect(high).toBeGreaterThanOrEqual(ratio * (1 - 1e-9));
        expect(rounds).toBe(all.length);
        const other = pairedRatio(all.toReversed().map(([a, b]) => [a * unit, b * unit]))!;
        expect(Math.log(other.ratio)).toBeCloseTo(Math.log(ratio), 6);
        expect(Math.log(other.high)).toBeCloseTo(Math.log(high), 6);
      }),
    );
  });

  it('agrees with a case calculated by hand', () => {
    // Logarithms of the ratios 1, 2, 4 are 0, l, 2l: mean l, deviation l, and t is 4.303 with two degrees of freedom.
    const l = Math.log(2);
    const interval = pairedRatio([
      [1, 1],
      [2, 1],
      [4, 1],
    ])!;
    expect(interval.ratio).toBeCloseTo(2, 12);
    expect(Math.log(interval.high)).toBeCloseTo(l + (4.303 * l) / Math.sqrt(3), 12);
  });

  it('is undefined for one round, or without a ratio', () => {
    expect(pairedRatio([[2, 1]])).toBeUndefined();
    expect(
      pairedRatio([
        [2, 0],
        [2, 1],
      ]),
    ).toBeUndefined();
    expect(
      pairedRatio([
        [0, 1],
        [2, 1],
      ]),
    ).toBeUndefined();
  });

  it('contains the true ratio in 95 % of runs of five rounds, and a bootstrap of the rounds in far fewer', () => {
    const random = randomOf(1);
    const normal = () => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
    const runs = 2000;
    let [held, heldByBootstrap] = [0, 0];
    for (let run = 0; run < runs; run++) {
      const rounds = Array.from({ length: 5 }, () => Math.exp(0.2 + 0.1 * normal()));
      const { low, high } = pairedRatio(rounds.map((ratio) => [ratio, 1]))!;
      if (low <= Math.exp(0.2) && Math.exp(0.2) <= high) held++;
      const logs = rounds.map(Math.log);
      const means = Array.from({ length: 400 }, () =>
        mean(logs.map(() => logs[Math.floor(random() * logs.length)]!)),
      ).sort((a, b) => a - b);
      if (means[9]! <= 0.2 && 0.2 <= means[389]!) heldByBootstrap++;
    }
    expect(held / runs).toBeGreaterThan(0.94);
    expect(held / runs).toBeLessThan(0.96);
    expect(heldByBootstrap / runs).toBeGreaterThan(0.8);
    expect(heldByBootstrap / runs).toBeLessThan(0.87);
  });
});

describe('unpairedRatio', () => {
  const figures = fc.array(figure, { minLength: 2, maxLength: 20 });

  it('is the inverse if the two sides are swapped, and contains its ratio', () => {
    fc.assert(
      fc.property(figures, figures, (a, b) => {
        const there = unpairedRatio(a, b)!;
        const back = unpairedRatio(b, a)!;
        expect(there.ratio * back.ratio).toBeCloseTo(1, 9);
        expect(Math.log(there.low)).toBeCloseTo(-Math.log(back.high), 6);
        expect(there.low).toBeLessThanOrEqual(there.ratio * (1 + 1e-9));
      }),
    );
  });

  it('has no width if neither run varies', () => {
    const { ratio, low, high, rounds } = unpairedRatio([6, 6, 6], [3, 3, 3])!;
    expect(ratio).toBeCloseTo(2, 12);
    expect(high - low).toBeCloseTo(0, 12);
    expect(rounds).toBe(3);
  });

  it('contains the true ratio in 95 % of runs, if either run varies more', () => {
    const random = randomOf(2);
    const normal = () => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
    const sample = (count: number, spread: number) =>
      Array.from({ length: count }, () => Math.exp(spread * normal()));
    const runs = 3000;
    let held = 0;
    for (let run = 0; run < runs; run++) {
      const { low, high } = unpairedRatio(sample(5, 0.2), sample(4, 0.05))!;
      if (low <= 1 && 1 <= high) held++;
    }
    expect(held / runs).toBeGreaterThan(0.935);
    expect(held / runs).toBeLessThan(0.97);
  });
});

describe('levelOf', () => {
  it('is the median, the minimum and the maximum', () => {
    expect(levelOf([3, 1, 2])).toEqual({ median: 2, least: 1, most: 3 });
    expect(levelOf([4, 1, 2, 3])).toEqual({ median: 2.5, least: 1, most: 4 });
    expect(levelOf([])).toBeUndefined();
  });
});
