import { describe, expect, it } from 'vitest';
import { aWorld, calm, madeUp } from '../../../test/support/comparison.ts';
import { conditionsOf } from './plan.ts';

const architectures = ['single', 'threaded', 'epoll', 'uring'];
const conditions = [
  ...calm(1, 8, 64),
  ...conditionsOf({ connections: [64], think: [0], thinkHow: ['block'], silent: [4] }),
];

describe('recommendationOf', () => {
  const { recommendation } = madeUp({ architectures, conditions }, aWorld);

  it('chooses first by unanswered connections, then by rate, and gives the figures', () => {
    expect(recommendation.choice).toBe('uring');
    expect(recommendation.headline).toBe(
      'Take uring: of those that left no connection unanswered it was among the fastest under 4 of 4 conditions',
    );
    const ratio = String.raw`\d\.\d\d \[\d\.\d\d, \d\.\d\d\]`;
    expect(recommendation.because).toEqual([
      {
        condition: '1 connection',
        figure: 'answers/s',
        best: 'uring',
        value: expect.stringMatching(/^26,\d00$/),
        others: expect.stringMatching(new RegExp(`^epoll ${ratio} slower$`)),
      },
      {
        condition: '64 connections',
        figure: 'answers/s',
        best: 'uring',
        value: expect.stringMatching(/^1[23]\d,\d00$/),
        others: expect.stringMatching(new RegExp(`^epoll ${ratio} slower$`)),
      },
      {
        condition: '64 connections',
        figure: 'CPU µs per answer',
        best: 'uring',
        value: expect.stringMatching(/^[56]\.\d$/),
        others: expect.stringMatching(/^epoll 1\.2\d \[.*\] costlier$/),
      },
      {
        condition: '64 connections',
        figure: 'MiB',
        best: expect.stringMatching(/^(?:epoll|uring)$/),
        value: expect.stringMatching(/^\d+$/),
        others: expect.stringMatching(/^(?:epoll|uring) 1\.\d\d \[.*\] no difference$/),
      },
    ]);
  });

  it('says when an architecture that left connections unanswered may be chosen, and how many it left', () => {
    expect(recommendation.unless).toEqual([
      {
        architecture: 'single',
        onlyIf: 'at most 1 client at once, no silent client',
        unanswered: '7 of 8; 64 of 64 beside 4 silent',
        faster: '',
      },
      {
        architecture: 'threaded',
        onlyIf: 'at most 4 clients at once, no silent client',
        unanswered: '4 of 8; 64 of 64 beside 4 silent',
        faster: '',
      },
    ]);
  });

  it('says where such an architecture was faster', () => {
    const { unless } = madeUp(
      { architectures: ['threaded', 'uring'], conditions: calm(1, 64) },
      (variant, round) =>
        variant.architecture === 'threaded' && variant.connections === 1
          ? { rate: 50_000 }
          : aWorld(variant, round),
    ).recommendation;
    expect(unless).toEqual([
      {
        architecture: 'threaded',
        onlyIf: 'at most 4 clients at once',
        unanswered: '60 of 64',
        faster: expect.stringMatching(/^1\.9\d \[.*\] times uring at 1 connection$/),
      },
    ]);
  });

  it('does not choose the highest rate if it leaves connections unanswered', () => {
    const { choice } = madeUp({ architectures: ['threaded', 'epoll'] }, ({ architecture }) =>
      architecture === 'threaded' ? { rate: 500_000, neverAnswered: 60 } : {},
    ).recommendation;
    expect(choice).toBe('epoll');
  });

  it('chooses by cost among architectures without a difference in rate, and says so', () => {
    const { choice, headline, because } = madeUp({}, ({ architecture }) =>
      architecture === 'uring' ? { cpu: 9 } : { cpu: 5 },
    ).recommendation;
    expect(choice).toBe('epoll');
    expect(headline).toBe(
      'Take epoll: it was among the fastest under 1 of 1 condition, and an answer costs it less than uring',
    );
    expect(because[0]!.others).toMatch(/^\w+ [^;]* no difference$/);
  });

  it('names all architectures that it cannot tell apart', () => {
    const { headline } = madeUp({}).recommendation;
    expect(headline).toBe(
      'Take epoll or uring: this run does not tell them apart; each was among the fastest under 1 of 1 condition',
    );
  });

  it('says where the load was saturated', () => {
    const { because } = madeUp({}, () => ({ loadCpu: 0.99 })).recommendation;
    // The sign is explained below the tables.
    expect(because[0]!.value).toMatch(/^[\d,]+\+$/);
    expect(
      because
        .slice(1)
        .map(({ value }) => value)
        .join(),
    ).not.toContain('+');
  });

  it('recommends nothing for fewer than three rounds', () => {
    const { choice, headline, because } = madeUp({ rounds: 2 }).recommendation;
    expect(choice).toBeNull();
    expect(headline).toMatch(/^No recommendation: it needs 3 good rounds/);
    expect(because).toEqual([]);
  });

  it('recommends nothing if all leave connections unanswered', () => {
    const { choice, headline, unless } = madeUp(
      { architectures: ['single', 'threaded'], reference: 'single' },
      aWorld,
    ).recommendation;
    expect(choice).toBeNull();
    expect(headline).toBe('None of these answered every connection under all conditions');
    expect(unless).toHaveLength(2);
  });

  it('does not use cells that cannot be trusted, and says that there are some', () => {
    const { recommendation } = madeUp({ architectures, conditions }, (variant, round) =>
      variant.architecture === 'uring'
        ? { state: 'doubtful', reasons: ['The load was late'], figures: null }
        : aWorld(variant, round),
    );
    expect(recommendation.choice).toBe('epoll');
    expect(recommendation.headline).toMatch(/; parts of this run cannot be trusted$/);
  });

  it('tells nothing apart on a busy machine, and says why', () => {
    const { headline } = madeUp({ architectures, conditions }, (variant, round) => ({
      ...aWorld(variant, round),
      othersCpu: 0.6,
    })).recommendation;
    expect(headline).toBe(
      'Take epoll or uring: this run does not tell them apart; of those that left no connection unanswered each was among the fastest under 4 of 4 conditions; other programs kept this machine busy, so measure again',
    );
  });

  it('takes think time as a separate condition', () => {
    const thinking = conditionsOf({
      connections: [1, 64],
      think: [0, 10],
      thinkHow: ['block', 'defer'],
      silent: [0],
    });
    const { because } = madeUp({ conditions: thinking }).recommendation;
    const rates = because.filter(({ figure }) => figure === 'answers/s');
    expect(rates.map(({ condition }) => condition)).toEqual([
      '1 connection',
      '64 connections',
      '1 connection, answers that take 10 ms and hold the thread',
      '64 connections, answers that take 10 ms and hold the thread',
      '1 connection, answers that take 10 ms by a timer',
      '64 connections, answers that take 10 ms by a timer',
    ]);
  });
});
