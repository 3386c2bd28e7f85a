import { describe, expect, it } from 'vitest';
import { aWorld, calm, madeUp } from '../../../test/support/comparison.ts';
import { conditionsOf } from './plan.ts';

const both = conditionsOf({ connections: [64], think: [0], thinkHow: ['block'], silent: [0, 4] });

describe('findingsOf', () => {
  it('has a row for each variant, in the order of the plan, and compares with the reference', () => {
    const { findings } = madeUp(
      { architectures: ['single', 'epoll', 'uring'], conditions: calm(1, 64) },
      aWorld,
    );
    expect(
      findings.rows.map(({ variant }) => `${variant.architecture} ${variant.connections}`),
    ).toEqual(['single 1', 'epoll 1', 'uring 1', 'single 64', 'epoll 64', 'uring 64']);
    const rates = findings.differences.filter(({ figure }) => figure === 'rate');
    expect(rates.map(({ of, to }) => `${of.architecture}/${to.architecture}`)).toEqual(
      Array(2).fill(['single/epoll', 'uring/epoll']).flat(),
    );
    const [, uring] = rates;
    expect(uring!.verdict).toBe('more');
    expect(uring!.interval!.ratio).toBeCloseTo(1.3, 1);
    expect(uring!.interval!.rounds).toBe(5);
  });

  it('compares each variant with itself without silent clients; without any answer, the ratio is 0', () => {
    const { findings } = madeUp({ architectures: ['single', 'epoll'], conditions: both }, aWorld);
    const rates = findings.silence.filter(({ figure }) => figure === 'rate');
    expect(rates).toMatchObject([
      { of: { architecture: 'single', silent: 4 }, to: { silent: 0 }, verdict: 'less' },
      { of: { architecture: 'epoll' }, verdict: 'alike' },
    ]);
    expect(rates[0]!.interval).toEqual({ ratio: 0, low: 0, high: 0, rounds: 5 });
    // Without answers there is no latency, not a low one.
    const p99 = findings.silence.find(({ figure }) => figure === 'p99')!;
    expect(p99).toMatchObject({ interval: null, verdict: 'none' });
  });

  it('pairs only rounds in which both are good', () => {
    const { findings } = madeUp({ rounds: 6 }, ({ architecture }, round) => {
      const isBad = round === (architecture === 'epoll' ? 1 : 2);
      return isBad
        ? { state: 'doubtful', reasons: ['Late'], figures: null }
        : { rate: architecture === 'epoll' ? 100 * round : 200 * round };
    });
    const [rate] = findings.differences;
    expect(rate!.interval!.rounds).toBe(4);
    expect(rate!.interval!.ratio).toBeCloseTo(2, 1);
    expect(findings.rows.map(({ rounds, measured }) => [rounds, measured])).toEqual([
      [5, 6],
      [5, 6],
    ]);
    expect(findings.doubts).toEqual([]);
  });

  it('does not trust a variant with fewer than three good rounds, unless the plan has fewer', () => {
    const wrong = { state: 'wrong' as const, reasons: ['3 answers were not right'], figures: null };
    const bad = (rounds: number) =>
      madeUp({ rounds }, ({ architecture }, round) =>
        architecture === 'uring' && round > 2 ? wrong : {},
      ).findings;
    expect(bad(5).doubts).toEqual([
      'uring, 64 connections, think 0 ms block, 0 silent: 2 of 5 rounds can be trusted: 3 answers were not right',
    ]);
    expect(bad(2).doubts).toEqual([]);
    expect(bad(2).differences.every(({ verdict }) => verdict === 'none')).toBe(true);
  });

  it('tells starved connections from connections that had no turn yet in a short run', () => {
    const rowOf = (figures: object) =>
      madeUp({ architectures: ['epoll'] }, () => figures).findings.rows[0]!;
    expect(rowOf({ neverAnswered: 4, mostAnswers: 2 }).starves).toBe(false);
    expect(rowOf({ neverAnswered: 4, mostAnswers: 500 }).starves).toBe(true);
    expect(rowOf({ neverAnswered: 64, mostAnswers: 0, answers: 0, rate: 0 }).starves).toBe(true);
    expect(rowOf({ neverAnswered: 0 }).starves).toBe(false);
  });

  it('says where the load was saturated, and adds up the failures', () => {
    const { rows } = madeUp({}, ({ architecture }) =>
      architecture === 'uring' ? { loadCpu: 0.98, troubles: { resetBefore: 2 } } : { troubles: {} },
    ).findings;
    expect(rows.map(({ loadBound }) => loadBound)).toEqual([false, true]);
    expect(rows.map(({ troubles }) => troubles)).toEqual([{}, { resetBefore: 10 }]);
  });

  describe('with other programs on the machine', () => {
    // A busy machine made queued this much slower than epoll in each of three rounds; the next run said 0.82.
    const rates = [7000, 12_000, 20_000];
    const compared = (rounds: number, othersCpu: (round: number) => number) =>
      madeUp(
        { architectures: ['queued', 'epoll'], rounds },
        ({ architecture }, round) => ({
          rate: architecture === 'queued' ? (rates[round - 1] ?? 82_000) : 100_000,
          othersCpu: othersCpu(round),
        }),
        0,
      );
    const rateOf = ({ findings }: ReturnType<typeof compared>) =>
      findings.differences.find(({ figure }) => figure === 'rate')!;

    it('claims nothing if they disturbed the rounds, however clear the interval', () => {
      const { interval, verdict } = rateOf(compared(3, () => 0.6));
      expect(interval!.high).toBeLessThan(0.5);
      expect(verdict).toBe('disturbed');
      expect(rateOf(compared(3, () => 0.1)).verdict).not.toBe('disturbed');
    });

    it('uses the undisturbed rounds if there are three', () => {
      const { interval, verdict } = rateOf(compared(6, (round) => (round <= 3 ? 0.6 : 0)));
      expect(interval!.ratio).toBeCloseTo(0.82, 2);
      expect(interval!.rounds).toBe(3);
      expect(verdict).toBe('less');
    });

    it('counts a round as disturbed if one of its two measurements is', () => {
      const { findings } = madeUp({ rounds: 3 }, ({ architecture }) => ({
        rate: architecture === 'epoll' ? 100 : 200,
        othersCpu: architecture === 'epoll' ? 0.4 : 0,
      }));
      const verdicts = findings.differences.map(({ figure, verdict }) => [figure, verdict]);
      expect(Object.fromEntries(verdicts)).toMatchObject({ rate: 'disturbed', memory: 'alike' });
    });

    it('still finds that there was no answer, and too few rounds', () => {
      const busy = { othersCpu: 0.9 };
      const silent = madeUp({ architectures: ['single', 'epoll'] }, ({ architecture }) =>
        architecture === 'single' ? { ...busy, rate: 0 } : busy,
      );
      expect(rateOf(silent).verdict).toBe('less');
      expect(rateOf(compared(2, () => 0.9)).verdict).toBe('none');
    });
  });
});
