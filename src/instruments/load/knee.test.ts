import { describe, expect, it } from 'vitest';
import { runOf } from '../../../test/support/load-runs.ts';
import { parseCondition } from './conditions.ts';
import { findKnee, type KneeOptions } from './knee.ts';
import type { LoadResult } from './result.ts';

/** A server with one queue: its times grow as the load nears its capacity, and its rate never exceeds that. */
function model(
  capacity: number,
  spoil: (rate: number, call: number) => Partial<LoadResult['validity']> = () => ({}),
) {
  let calls = 0;
  return async (rate: number): Promise<LoadResult> => {
    const load = rate / capacity;
    const ms = load < 1 ? 1 / (1 - load) : 5000;
    const samples = Array.from({ length: 30 }, (_, i) => ({
      connection: i % 8,
      second: i % 3,
      service: 1,
      response: ms,
    }));
    const { result } = runOf(samples, {
      plan: { loop: 'open', stages: [{ kind: 'steady', seconds: 3, from: rate, to: rate }] },
    });
    const spoilt = spoil(rate, calls++);
    return {
      ...result,
      validity: { ...result.validity, rateRatio: Math.min(1, 1 / load), ...spoilt },
    };
  };
}

const target = [parseCondition('p99<10ms')];
const search = (run: ReturnType<typeof model>, options: Partial<KneeOptions> = {}) =>
  findKnee(run, { target, start: 1000, ...options });

describe('the knee', () => {
  // 1 / (1 - load) is 10 ms at 0.9 of the capacity.
  it.each([
    100, 1000, 5000, 123_456,
  ])('of a server with a capacity of %i per second is found', async (capacity) => {
    const knee = await search(model(capacity));
    const truth = capacity * 0.9;
    expect(knee.rate).toBeLessThan(truth);
    expect(knee.rate).toBeGreaterThan(truth * 0.94);
    expect(knee.beyond! / knee.rate!).toBeLessThanOrEqual(1.05);
    expect(knee).toMatchObject({ limit: 'server', interrupted: false });
    expect(knee.steps.length).toBeLessThan(30);
  });

  it('is found by doubling and then narrowing, without a step at a rate that is known to be missed', async () => {
    const knee = await search(model(5000));
    const rates = knee.steps.map(({ rate }) => rate);
    expect(rates.slice(0, 5)).toEqual([1000, 2000, 4000, 8000, 8000]);
    let [low, high] = [4000, 8000];
    for (const { rate, verdict } of knee.steps.slice(5)) {
      expect(rate).toBeGreaterThan(low);
      expect(rate).toBeLessThanOrEqual(high);
      if (verdict === 'kept') low = rate;
      else high = rate;
    }
    expect([knee.rate, knee.beyond]).toEqual([low, high]);
    expect(knee.steps[3]).toMatchObject({ verdict: 'missed' });
    expect(knee.steps[3]!.reasons).toEqual(['p99 was 5 s', 'only 62.5 % of the rate was reached']);
  });

  it('does not move because of one bad run, because a missed rate is tried again', async () => {
    const knee = await search(model(5000, (_, call) => (call === 1 ? { rateRatio: 0.5 } : {})));
    expect(knee.steps.slice(1, 3).map(({ rate, verdict }) => [rate, verdict])).toEqual([
      [2000, 'missed'],
      [2000, 'kept'],
    ]);
    expect(knee.rate).toBeGreaterThan(4200);
  });

  it('does not count an untrusted step as kept, and says that the limit is our own side', async () => {
    const bad = { trusted: false, reasons: ['Our own loop was busy; take a second machine'] };
    const knee = await search(model(1e6, (rate) => (rate > 20_000 ? bad : {})));
    expect(knee.rate).toBeLessThanOrEqual(20_000);
    expect(knee.rate).toBeGreaterThan(19_000);
    expect(knee.limit).toBe('ourselves');
    const voided = knee.steps.filter(({ verdict }) => verdict === 'void');
    expect(voided.length).toBeGreaterThan(0);
    expect(voided[0]!.reasons).toEqual(bad.reasons);
  });

  it('is null if no rate is kept', async () => {
    const never = [parseCondition('p99<0.1ms')];
    const knee = await findKnee(model(5000), { target: never, start: 100 });
    expect(knee.rate).toBeNull();
    expect(knee.limit).toBe('server');
    expect(knee.steps.at(-1)!.rate).toBeLessThan(2);
  });

  it('is the highest rate if all are kept, and the number of steps is bounded', async () => {
    const knee = await search(model(1e9), { most: 10_000 });
    expect(knee).toMatchObject({ rate: 10_000, beyond: null, limit: 'none' });
    const bounded = await search(model(1e9), { steps: 3 });
    expect(bounded.steps).toHaveLength(3);
    expect(bounded.rate).toBe(4000);
  });

  it('ends when interrupted, with the complete steps', async () => {
    const knee = await search(model(1e6, (_, call) => ({ interrupted: call === 2 })));
    expect(knee).toMatchObject({ interrupted: true, rate: 2000 });
    expect(knee.steps).toHaveLength(2);
  });
});
