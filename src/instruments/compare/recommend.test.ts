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

  it('chooses by who is answered at all, then by rate, and gives the figures', () => {
    expect(recommendation.choice).toBe('uring');
    expect(recommendation.headline).toBe(
      'Take uring: of those that left no connection unanswered it was among the fastest under 4 of 4 conditions',
    );
    const [one, many, cost, memory, silenced, kept] = recommendation.because;
    expect(one).toMatch(
      /^At 1 connection, uring answered most, 26,\d00 a second: 1\.\d\d \[1\.\d\d, 1\.\d\d\] times epoll$/,
    );
    expect(many).toMatch(/^At 64 connections, uring answered most, 1[23]\d,\d00 a second: /);
    expect(cost).toMatch(
      /^An answer costs uring least there, [56]\.\d µs of a processor; it costs epoll 1\.2\d \[.*\] times that \(costlier\)$/,
    );
    expect(memory).toMatch(/^Memory there lies between \d+ MiB \(\w+\) and \d+ MiB \(\w+\)$/);
    expect(silenced).toBe('With 4 silent clients, single and threaded answered nobody at all');
    expect(kept).toMatch(
      /^With 4 silent clients beside 64 connections, the rates of the others were .*: epoll 1\.0\d \[.*\] \(no difference\) and uring /,
    );
  });

  it('says when those may be chosen that left connections unanswered, and how many they left', () => {
    expect(recommendation.unless).toEqual([
      'Choose single only if never more than 1 client is connected at once and none of them keeps silent: 7 of 8 connections were never answered, and beside 4 silent clients 64 of 64',
      'Choose threaded only if never more than 4 clients are connected at once and none of them keeps silent: 4 of 8 connections were never answered, and beside 4 silent clients 64 of 64',
    ]);
  });

  it('says where such a one was faster all the same', () => {
    const { unless } = madeUp(
      { architectures: ['threaded', 'uring'], conditions: calm(1, 64) },
      (variant, round) =>
        variant.architecture === 'threaded' && variant.connections === 1
          ? { rate: 50_000 }
          : aWorld(variant, round),
    ).recommendation;
    expect(unless[0]).toMatch(
      /^Choose threaded only if .*: 60 of 64 connections were never answered; at 1 connection it answered 1\.9\d \[.*\] times as many as uring$/,
    );
  });

  it('does not choose the highest rate where that leaves connections unanswered', () => {
    const { choice } = madeUp({ architectures: ['threaded', 'epoll'] }, ({ architecture }) =>
      architecture === 'threaded' ? { rate: 500_000, neverAnswered: 60 } : {},
    ).recommendation;
    expect(choice).toBe('epoll');
  });

  it('chooses by cost among those that are not told apart, and says that they are not', () => {
    const { choice, headline, because } = madeUp({}, ({ architecture }) =>
      architecture === 'uring' ? { cpu: 9 } : { cpu: 5 },
    ).recommendation;
    expect(choice).toBe('epoll');
    expect(headline).toBe(
      'Take epoll: it was among the fastest under 1 of 1 condition, and an answer costs it less than uring',
    );
    expect(because[0]).toMatch(/times \w+ \(no difference\)$/);
  });

  it('names all that it cannot tell apart', () => {
    const { headline } = madeUp({}).recommendation;
    expect(headline).toBe(
      'Take epoll or uring: this run does not tell them apart; each was among the fastest under 1 of 1 condition',
    );
  });

  it('says where the load was at its limit', () => {
    const { because } = madeUp({}, () => ({ loadCpu: 0.99 })).recommendation;
    expect(because[0]).toMatch(/; the load was at its limit there, so it may be faster than that$/);
  });

  it('recommends nothing under three rounds', () => {
    const { choice, headline, because } = madeUp({ rounds: 2 }).recommendation;
    expect(choice).toBeNull();
    expect(headline).toMatch(/^No recommendation: that takes 3 good rounds/);
    expect(because).toEqual([]);
  });

  it('recommends none of those that all leave connections unanswered', () => {
    const { choice, headline, unless } = madeUp(
      { architectures: ['single', 'threaded'], reference: 'single' },
      aWorld,
    ).recommendation;
    expect(choice).toBeNull();
    expect(headline).toBe('None of these answered every connection under all conditions');
    expect(unless).toHaveLength(2);
  });

  it('does not build on cells that are not to be trusted, and says that there are some', () => {
    const { recommendation } = madeUp({ architectures, conditions }, (variant, round) =>
      variant.architecture === 'uring'
        ? { state: 'doubtful', reasons: ['The load was late'], figures: null }
        : aWorld(variant, round),
    );
    expect(recommendation.choice).toBe('epoll');
    expect(recommendation.headline).toMatch(
      /; parts of this run are not to be trusted, see there$/,
    );
  });

  it('speaks of thinking as of a condition of its own', () => {
    const thinking = conditionsOf({
      connections: [1, 64],
      think: [0, 10],
      thinkHow: ['block', 'defer'],
      silent: [0],
    });
    const { because } = madeUp({ conditions: thinking }).recommendation;
    expect(because.filter((one) => one.startsWith('At 64 connections'))).toHaveLength(3);
    expect(because.join('\n')).toContain(
      'At 64 connections, answers that take 10 ms and hold the thread, ',
    );
    expect(because.join('\n')).toContain('At 64 connections, answers that take 10 ms by a timer, ');
  });
});
