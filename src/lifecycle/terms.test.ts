import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { noLimits } from '../limits/limits.ts';
import { ANSWER, IDLE, PREAMBLE, phaseOf, QUESTION, THINKING } from './phase.ts';
import { limitReached, lookInterval, restTimeout, sendTimeout, untilLimit } from './terms.ts';

const limits = {
  ...noLimits,
  ...{ idle: 4000, questionTime: 2000, answerTime: 1000, age: 5000, proxyHeader: 3000 },
};
const noAge = { ...limits, age: 0 };

describe('phaseOf', () => {
  it.each([
    [false, false, 0, IDLE],
    [false, false, 1, QUESTION],
    [false, true, 1, THINKING],
    [true, true, 1, ANSWER],
    [true, false, 0, ANSWER],
  ])('unsent %s, thinking %s, %i bytes held: %i', (hasUnsent, isThinking, heldLength, phase) => {
    expect(phaseOf(hasUnsent, isThinking, { heldLength, preamble: undefined })).toBe(phase);
  });

  it('is the preamble until a proxy has announced its client', () => {
    expect(phaseOf(false, false, { heldLength: 0, preamble: {} })).toBe(PREAMBLE);
    expect(phaseOf(false, false, undefined)).toBe(IDLE);
  });
});

describe('limitReached', () => {
  it.each([
    // Phase, ms in it, age: the limit.
    [IDLE, 3999, 0, undefined],
    [IDLE, 4000, 0, 'idle'],
    [QUESTION, 1999, 0, undefined],
    [QUESTION, 2000, 0, 'question-time'],
    [ANSWER, 999, 0, undefined],
    [ANSWER, 1000, 0, 'answer-time'],
    [THINKING, 1e9, 0, undefined],
    [PREAMBLE, 2999, 0, undefined],
    [PREAMBLE, 3000, 0, 'proxy-header'],
    [PREAMBLE, 0, 5000, 'age'],
    // Too old: closed at once between questions, and after the answer it waits for.
    [IDLE, 0, 4999, undefined],
    [IDLE, 0, 5000, 'age'],
    [THINKING, 0, 5000, 'age'],
    // A question gets 250 ms more, an answer its own time limit.
    [QUESTION, 0, 5249, undefined],
    [QUESTION, 0, 5250, 'age'],
    [ANSWER, 0, 5999, undefined],
    [ANSWER, 0, 6000, 'age'],
    // If two limits are reached, the age counts.
    [IDLE, 4000, 5000, 'age'],
  ])('phase %i for %i ms at the age of %i ms: %s', (phase, spent, age, limit) => {
    expect(limitReached(limits, phase, spent, age)).toBe(limit);
  });

  it.each([
    [5000, 10_000],
    [50_000, 60_000],
  ])('gives an answer as much time as the age %i, and at most 10 s, if it has no limit of its own', (age, end) => {
    const old = { ...noLimits, age };
    expect(limitReached(old, ANSWER, 0, end - 1)).toBeUndefined();
    expect(limitReached(old, ANSWER, 0, end)).toBe('age');
  });

  it('is never reached without limits', () => {
    for (const phase of [IDLE, QUESTION, ANSWER, THINKING, PREAMBLE])
      expect(limitReached(noLimits, phase, 1e12, 1e12)).toBeUndefined();
  });
});

const times = fc.record({
  idle: fc.nat(10_000),
  questionTime: fc.nat(10_000),
  answerTime: fc.nat(10_000),
  age: fc.nat(10_000),
  proxyHeader: fc.nat(10_000),
});
const phases = fc.constantFrom(IDLE, QUESTION, ANSWER, THINKING, PREAMBLE);

describe('untilLimit', () => {
  it('is the time after which a limit is reached, and not earlier', () => {
    fc.assert(
      fc.property(times, phases, fc.nat(20_000), fc.nat(20_000), (set, phase, spent, age) => {
        const left = untilLimit(set, phase, spent, age);
        if (left === Number.POSITIVE_INFINITY) {
          expect(limitReached(set, phase, spent + 1e9, age + 1e9)).toBeUndefined();
          return;
        }
        expect(limitReached(set, phase, spent + left, age + left)).toBeDefined();
        if (left === 0) return;
        const before = left - 0.5;
        expect(limitReached(set, phase, spent + before, age + before)).toBeUndefined();
      }),
    );
  });
});

describe('how often to look', () => {
  it('is a quarter of the shortest limit, from 10 ms to 1 s', () => {
    expect(lookInterval(noAge)).toBe(250);
    expect(lookInterval({ ...noLimits, idle: 60_000 })).toBe(1000);
    expect(lookInterval({ ...noLimits, age: 20 })).toBe(10);
    expect(lookInterval({ ...noLimits, proxyHeader: 3000 })).toBe(750);
    expect(lookInterval(noLimits)).toBe(Number.POSITIVE_INFINITY);
  });

  it('lets a thread sleep until its client has been idle too long, or until the next look at its age', () => {
    expect(restTimeout(noAge)).toBe(4000);
    expect(restTimeout(limits)).toBe(250);
    expect(restTimeout({ ...noLimits, age: 4000 })).toBe(1000);
    expect(restTimeout(noLimits)).toBe(0);
  });

  it('lets a thread send for a quarter of the time limit for an answer', () => {
    expect(sendTimeout(noAge)).toBe(250);
    expect(sendTimeout({ ...noLimits, age: 2000 })).toBe(500);
    expect(sendTimeout({ ...noLimits, idle: 100, questionTime: 100 })).toBe(0);
  });
});
