import { describe, expect, test } from 'vitest';
import type { Ended } from './batch.ts';
import type { LoadPlan } from './plan.ts';
import type { LoadResult } from './result.ts';
import { planOf } from './schema.ts';
import type { Conduct } from './tally.ts';
import { judge } from './validity.ts';

const ended: Ended = {
  kind: 'ended',
  measured: 10_000,
  interrupted: false,
  firstAnswers: new Float64Array(),
  asked: new Uint8Array(),
  opened: 1,
  startedLate: 0,
  unreached: 0,
};

const good = {
  totals: { answers: 1000, rate: 100, wantedRate: 100 },
  outcomes: { noPorts: 0, noDescriptors: 0 },
  lag: { p50: 0.1, p99: 0.5, max: 2 },
  cpu: 0.2,
  stalls: { share: 0.004, longest: 40 },
};

function judged(
  change: Partial<Record<keyof typeof good, unknown>> = {},
  plan: Partial<LoadPlan> = {},
  end: Partial<Ended> = {},
) {
  const figures = { ...good, ...change } as unknown as LoadResult & Conduct;
  return judge(planOf({ loop: 'open', ...plan }), figures, figures, { ...ended, ...end });
}

test('a run that followed its plan is trusted, without a note', () => {
  expect(judged()).toMatchObject({ trusted: true, reasons: [], notes: [], rateRatio: 1 });
});

/** Figures of a run without an answer. */
const none = (totals: object, outcomes: object = {}) => ({
  totals: { answers: 0, rate: 0, wantedRate: 9, errors: 0, bytesReceived: 0, ...totals },
  outcomes: { ...good.outcomes, wrong: 0, refused: 0, connectFailed: 0, ...outcomes },
});

describe('is not trusted, and says why,', () => {
  test.each([
    ['the schedule lagged', { lag: { p50: 1, p99: 20, max: 30 } }, /lagged by 20 ms/],
    ['its loop was saturated', { cpu: 0.97 }, /97 % of a core/],
    ['ports ran out', { outcomes: { noPorts: 3, noDescriptors: 0 } }, /no port left 3 times/],
    ['descriptors ran out', { outcomes: { noPorts: 0, noDescriptors: 2 } }, /ulimit -n/],
    ['it was stopped', { stalls: { share: 0.02, longest: 200 } }, /kept from asking for 2 % of/],
    ['it was stopped for long', { stalls: { share: 0.001, longest: 3000 } }, /3000 ms at a/],
    ['nothing was answered', none({}), /not one right answer: see the outcomes/],
    ['answers were wrong', none({}, { wrong: 3 }), /right answer: .* check that --questions/],
    ['no answer ended', none({ bytesReceived: 2000 }), /: 2,000 bytes came back, .*--framing/],
    ['no connection came about', none({ errors: 5 }, { refused: 5 }), /that a server listens/],
  ])('if %s', (_, change, reason) => {
    const { trusted, reasons } = judged(change);
    expect(trusted).toBe(false);
    expect(reasons).toEqual([expect.stringMatching(reason)]);
  });

  test('if it was interrupted', () => {
    const { trusted, reasons } = judged({}, {}, { interrupted: true });
    expect([trusted, reasons.length]).toEqual([false, 1]);
  });

  test('if a closed loop was stalled, which no lag shows', () => {
    const change = { lag: null, stalls: { share: 0.5, longest: 3000 } };
    const { trusted, reasons } = judged(change, { loop: 'closed' });
    expect([trusted, reasons]).toEqual([false, [expect.stringMatching(/for 50 % of the time/)]]);
  });

  test('if the rate was out of reach, and that is the only reason', () => {
    const change = { totals: { questions: 5e7, answers: 1e6, rate: 2e5, wantedRate: 1e7 } };
    const { trusted, reasons } = judged(change, {}, { unreached: 4e7 });
    expect([trusted, reasons]).toEqual([
      false,
      [expect.stringMatching(/out of reach: 40,000,000 of 50,000,000 questions/)],
    ]);
  });

  test('if it began after the other shards', () => {
    expect(judged({}, {}, { startedLate: 5000 }).reasons[0]).toMatch(/began 5000 ms after/);
  });
});

describe('is trusted, with a note,', () => {
  test('if the server did not keep up: that is a finding', () => {
    const { trusted, notes } = judged({ totals: { answers: 500, rate: 50, wantedRate: 100 } });
    expect([trusted, notes]).toEqual([
      true,
      [expect.stringMatching(/Only 50 % of the wanted rate/)],
    ]);
  });

  test('if a closed loop was saturated: the server may be faster', () => {
    const { trusted, notes } = judged({ cpu: 0.99 }, { loop: 'closed' });
    expect([trusted, notes]).toEqual([true, [expect.stringMatching(/may be faster/)]]);
  });
});
