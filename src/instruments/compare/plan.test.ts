import { describe, expect, it } from 'vitest';
import { planWith } from '../../../test/support/comparison.ts';
import { architectureNames, loadArchitecture } from '../../architectures/catalogue.ts';
import type { Traits } from '../../worker/contract.ts';
import { whyNot } from './fit.ts';
import {
  axesOf,
  conditionsOf,
  defaultAxes,
  estimatedSeconds,
  hasTimeFor,
  longestUntil,
  quick,
  variantsOf,
} from './plan.ts';

describe('conditionsOf', () => {
  it('has every combination once, with one `thinkHow` if `think` is 0', () => {
    const conditions = conditionsOf({
      connections: [64, 1, 64],
      think: [0, 5],
      thinkHow: ['block', 'defer'],
      silent: [0, 4],
    });
    expect(conditions).toHaveLength(2 * 2 * (1 + 2));
    expect(conditions[0]).toEqual({ connections: 1, think: 0, thinkHow: 'block', silent: 0 });
    expect(conditions.filter(({ think }) => think === 0)).toHaveLength(4);
    expect(conditionsOf(axesOf(conditions))).toEqual(conditions);
  });

  it('is the same after a way through its axes', () => {
    expect(axesOf(conditionsOf(defaultAxes))).toEqual({
      ...defaultAxes,
      thinkHow: ['block'],
    });
  });
});

describe('estimatedSeconds', () => {
  it('is the sum over all cells, up to the limit', () => {
    const plan = planWith({ rounds: 4, seconds: 1, warmUp: 0.5 });
    const all = estimatedSeconds(plan, variantsOf(plan).length);
    expect(all).toBeGreaterThan(2 * 4 * 1.5);
    expect(all).toBeLessThan(2 * 4 * 2.5);
    expect(estimatedSeconds({ ...plan, longest: 3 }, 2)).toBe(3);
  });

  it('leaves time for start and report within a minute, with --quick', () => {
    expect(quick.longest).toBeLessThan(60);
    const plan = planWith({ ...quick });
    const oneRound = estimatedSeconds({ ...plan, rounds: 1, longest: 0 }, variantsOf(plan).length);
    // Verdicts need three rounds, also if everything is slower by a quarter.
    expect(oneRound * 3 * 1.25).toBeLessThan(quick.longest);
  });
});

describe('whyNot', () => {
  const at = (connections: number, silent = 0) => ({
    connections,
    silent,
    think: 0,
    thinkHow: 'block' as const,
  });

  it('limits connections that cost a thread or a process each, or that select cannot watch', async () => {
    const refused = async (connections: number) => {
      const all: Traits[] = await Promise.all(architectureNames.map(loadArchitecture));
      return all
        .filter(
          (traits) =>
            whyNot(traits, at(connections), { descriptors: 100_000, queue: 4096 }) !== undefined,
        )
        .map(({ name }) => name);
    };
    expect(await refused(10)).toEqual([]);
    expect(await refused(100)).toEqual(['inetd']);
    expect(await refused(10_000)).toEqual([
      ...['single', 'threaded', 'queued', 'prefork', 'socketserver', 'select', 'inetd'],
    ]);
    const single = await loadArchitecture('single');
    expect(whyNot(single, at(5000), { descriptors: 100_000, queue: 4096 })).toMatch(
      /^more connections than the 4096 that its accept queue can hold /,
    );
  });

  it('counts silent clients, and descriptors', async () => {
    const inetd = await loadArchitecture('inetd');
    expect(whyNot(inetd, at(14, 4), { descriptors: 4096, queue: 4096 })).toBe(
      'more than the 16 connections that it is measured with: each is a separate process',
    );
    const epoll = await loadArchitecture('epoll');
    expect(whyNot(epoll, at(1000), { descriptors: 1024, queue: 4096 })).toBe(
      'more connections than there are descriptors for; raise the limit with ulimit -n 1100',
    );
    expect(whyNot(epoll, at(1000), { descriptors: undefined, queue: 4096 })).toBeUndefined();
  });
});

describe('the limit on time', () => {
  it('is five times as long for the rounds that a verdict needs', () => {
    expect([1, 3, 4, 100].map((round) => longestUntil(round, 56))).toEqual([280, 280, 56, 56]);
    expect(longestUntil(1, 0)).toBe(0);
  });

  it('lets the first rounds begin only if all that a verdict needs fit, and a later one if it fits itself', () => {
    const has = (round: number, elapsed: number, lastRound: number, longest = 56) =>
      hasTimeFor(round, { elapsed, lastRound, longest });
    expect(has(1, 0, 0)).toBe(true);
    // A round of 56 s, as on a busy machine: three of them take place, and no fourth.
    expect([has(2, 56, 56), has(3, 112, 56), has(4, 168, 56)]).toEqual([true, true, false]);
    expect(has(2, 100, 100)).toBe(false);
    expect([has(4, 30, 10), has(6, 50, 10)]).toEqual([true, false]);
    expect(has(4, 1000, 1000, 0)).toBe(true);
  });
});
