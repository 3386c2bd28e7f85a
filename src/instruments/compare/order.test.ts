import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { orderOf } from './order.ts';
import { conditionsOf, type Variant } from './plan.ts';

const variants: Variant[] = conditionsOf({
  connections: [1, 64],
  think: [0, 5],
  thinkHow: ['block', 'defer'],
  silent: [0, 4],
}).flatMap((condition) =>
  ['single', 'epoll', 'uring'].map((architecture) => ({ architecture, ...condition })),
);
const seeds = fc.integer({ min: 0, max: 2 ** 31 });
const rounds = fc.integer({ min: 1, max: 100 });

describe('orderOf', () => {
  it('visits every variant once in each round', () => {
    fc.assert(
      fc.property(rounds, seeds, (round, seed) => {
        const order = orderOf(variants, round, seed);
        expect(order).toHaveLength(variants.length);
        expect(new Set(order)).toEqual(new Set(variants));
      }),
    );
  });

  it('reverses every second round, so that over two rounds all variants have the same mean position', () => {
    fc.assert(
      fc.property(rounds, seeds, (pair, seed) => {
        const there = orderOf(variants, 2 * pair - 1, seed);
        const back = orderOf(variants, 2 * pair, seed);
        const places = variants.map((variant) => there.indexOf(variant) + back.indexOf(variant));
        expect(new Set(places)).toEqual(new Set([variants.length - 1]));
      }),
    );
  });

  it('keeps compared variants together: the architectures of a condition, and conditions with and without silent clients', () => {
    fc.assert(
      fc.property(rounds, seeds, (round, seed) => {
        const order = orderOf(variants, round, seed);
        const runs = (keyOf: (variant: Variant) => string) =>
          order.filter((variant, i) => i === 0 || keyOf(order[i - 1]!) !== keyOf(variant)).length;
        const load = ({ connections, think, thinkHow }: Variant) =>
          `${connections} ${think} ${thinkHow}`;
        expect(runs((variant) => `${load(variant)} ${variant.silent}`)).toBe(12);
        expect(runs(load)).toBe(6);
      }),
    );
  });

  it('is the same for the same seed, and differs in later rounds', () => {
    expect(orderOf(variants, 3, 7)).toEqual(orderOf(variants, 3, 7));
    expect(orderOf(variants, 3, 7)).not.toEqual(orderOf(variants, 1, 7));
    expect(orderOf(variants, 3, 7)).not.toEqual(orderOf(variants, 3, 8));
  });
});
