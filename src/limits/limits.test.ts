import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LimitError } from './errors.ts';
import {
  checkLimits,
  defaultLimits,
  type Limits,
  noLimits,
  parseLimit,
  parseLimits,
  UNBOUNDED,
} from './limits.ts';

const complaint = (call: () => unknown): string => {
  try {
    call();
  } catch (error) {
    if (error instanceof LimitError) return error.message;
    throw error;
  }
  throw new Error('It was accepted');
};

describe('parseLimit', () => {
  it.each([
    ['idle=30s', 'idle', 30_000],
    ['idle=500ms', 'idle', 500],
    ['age=1.5h', 'age', 5_400_000],
    ['question-time=2m', 'questionTime', 120_000],
    ['answer-time=1.1s', 'answerTime', 1100],
    ['question-size=4096', 'questionSize', 4096],
    ['unsent=64KiB', 'unsent', 65_536],
    ['unsent-total=1.5GiB', 'unsentTotal', 1_610_612_736],
    ['connections=100', 'connections', 100],
    ['connections=off', 'connections', UNBOUNDED],
    ['connections-per-address=10', 'connectionsPerAddress', 10],
    ['accepts-per-second=5', 'acceptsPerSecond', 5],
    ['questions=off', 'questions', 0],
    ['idle=off', 'idle', 0],
  ])('%s', (text, name, value) => {
    expect(parseLimit(text)).toEqual({ name, value });
  });

  it('accepts networks, one or several', () => {
    expect(parseLimit('deny=10.0.0.0/8, ::1').value).toEqual(['10.0.0.0/8', '::1']);
    expect(parseLimit('allow=off').value).toEqual([]);
  });

  it.each([
    ['idle', 'Cannot read limit "idle": give name=value, such as idle=30s'],
    ['=3', 'Cannot read limit "=3": give name=value, such as idle=30s'],
    ['idle=30', 'Cannot use "30" as limit idle: give a time such as 500ms, 10s or 2m, or off'],
    ['idle=', 'Cannot use "" as limit idle: give a time such as 500ms, 10s or 2m, or off'],
    ['idle=0s', 'Cannot use "0s" as limit idle: give a time such as 500ms, 10s or 2m, or off'],
    ['idle=-1s', 'Cannot use "-1s" as limit idle: give a time such as 500ms, 10s or 2m, or off'],
    [
      'idle=0.5ms',
      'Cannot use "0.5ms" as limit idle: give a time such as 500ms, 10s or 2m, or off',
    ],
    ['idle=999h', 'Cannot use "999h" as limit idle: the most is 2147483647'],
    [
      'unsent=64KB',
      'Cannot use "64KB" as limit unsent: give a size such as 4096, 64KiB or 1MiB, or off',
    ],
    ['questions=2.5', 'Cannot use "2.5" as limit questions: give a whole number, or off'],
    [
      'accepts-per-second=20000',
      'Cannot use "20000" as limit accepts-per-second: the most is 10000',
    ],
    [
      'deny=10.0.0.0/8,',
      'Cannot use "10.0.0.0/8," as limit deny: give networks such as 10.0.0.0/8 or 2001:db8::/32, or off',
    ],
  ])('refuses %s', (text, message) => {
    expect(complaint(() => parseLimit(text))).toBe(message);
  });

  it('lists the names if there is no such limit', () => {
    expect(complaint(() => parseLimit('idel=1s'))).toMatch(
      /^There is no limit "idel"; there are connections, .*accepts-per-second, .*, deny$/,
    );
    expect(complaint(() => parseLimit('constructor=1'))).toMatch(/^There is no limit/);
  });

  it('accepts any text, or rejects it with a LimitError', () => {
    const names = [...'connections idle unsent-total allow deny'.split(' '), 'toString'];
    const text = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.tuple(fc.constantFrom(...names), fc.string()).map(([name, value]) => `${name}=${value}`),
      fc
        .tuple(fc.constantFrom(...names), fc.float(), fc.constantFrom('', 'ms', 's', 'h', 'GiB'))
        .map(([name, value, unit]) => `${name}=${value}${unit}`),
    );
    fc.assert(
      fc.property(text, (given) => {
        let parsed: Partial<Limits>;
        try {
          parsed = parseLimits([given]);
        } catch (error) {
          expect(error).toBeInstanceOf(LimitError);
          return;
        }
        // The library accepts everything that the command accepts.
        expect(checkLimits(parsed)).toEqual({ ...defaultLimits, ...parsed });
      }),
      { numRuns: 2000 },
    );
  });

  it('reads back every number that is written in any of the forms', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: UNBOUNDED }), (number) => {
        expect(parseLimit(`idle=${number}ms`).value).toBe(number);
        expect(parseLimit(`unsent=${number}`).value).toBe(number);
        expect(parseLimit(`questions=${number}`).value).toBe(number);
      }),
    );
  });
});

describe('parseLimits', () => {
  it('keeps the last value of a name, and all networks', () => {
    expect(
      parseLimits(['idle=1s', 'deny=::1', 'idle=2s', 'deny=10.0.0.0/8', 'questions=3']),
    ).toEqual({ idle: 2000, deny: ['::1', '10.0.0.0/8'], questions: 3 });
    expect(parseLimits(['deny=::1', 'deny=off', 'deny=::2']).deny).toEqual(['::2']);
    expect(parseLimits([])).toEqual({});
  });
});

describe('checkLimits', () => {
  it('uses the defaults for limits that are not given', () => {
    expect(checkLimits({})).toEqual(defaultLimits);
    expect(checkLimits({ idle: undefined, age: 5 })).toEqual({ ...defaultLimits, age: 5 });
    expect(checkLimits(noLimits)).toEqual(noLimits);
  });

  it.each([
    [{ idle: -1 }, 'Cannot use -1 as limit idle: give a whole number of ms from 0 to'],
    [{ unsent: 1.5 }, 'Cannot use 1.5 as limit unsent: give a whole number of bytes from 0 to'],
    [{ questions: '3' }, 'Cannot use "3" as limit questions: give a whole number from 0 to'],
    [{ deny: '10.0.0.0/8' }, 'Cannot use "10.0.0.0/8" as limit deny: give a list of networks'],
    [{ deny: ['10.0.0.0/33'] }, 'Cannot read network "10.0.0.0/33"'],
    [{ idel: 3 }, 'There is no limit "idel"; there are connections, connectionsPerAddress,'],
    [{ constructor: 3 }, 'There is no limit "constructor"'],
  ])('refuses %o', (given, message) => {
    expect(complaint(() => checkLimits(given as Partial<Limits>))).toContain(message);
  });
});
