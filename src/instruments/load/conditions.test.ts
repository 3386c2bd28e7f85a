import { describe, expect, it } from 'vitest';
import { runOf } from '../../../test/support/load-runs.ts';
import {
  broken,
  check,
  checkConditions,
  checkedText,
  failures,
  parseCondition,
} from './conditions.ts';
import { planOf } from './schema.ts';

/** Response times from 1 to 1000 ms, and service times of a tenth of that. */
const samples = Array.from({ length: 1000 }, (_, i) => ({
  connection: i % 4,
  second: i % 2,
  service: (i + 1) / 10,
  response: i + 1,
}));
const { result } = runOf(samples, { seconds: 2, outcomes: { late: 5, wrong: 10, refused: 2 } });
const { result: empty } = runOf([], { outcomes: { refused: 3 } });
const value = (text: string, of = result) => check([parseCondition(text)], of)[0]!.actual;

describe('a condition', () => {
  it.each([
    ['p50>5ms', 500],
    ['p90>5ms', 900],
    ['p99>5ms', 990],
    ['p999>5ms', 999],
    ['p9999>5ms', 1000],
    ['p99.9>5ms', 999],
    ['p95>5ms', 950],
    ['p100>5ms', 1000],
    ['max>5ms', 1000],
    ['min>5ms', 1],
    ['mean>5ms', 500.5],
    ['response.p99>1s', 990],
    ['service.p99>1us', 99],
    ['service.max>1µs', 100],
    ['errors>0', 12],
    ['errors>0.1%', 12 / 1010],
    ['wrong>0', 10],
    ['late>1%', 5 / 1010],
    ['refused>1', 2],
    ['rate<100', 500],
    ['fairness<0.9', 0.5],
    ['never-answered>0', 4],
    ['never-answered>10%', 0.5],
    ['starved>0', 0],
    ['first-answer>1s', 4],
  ])('%s is about %d', (text, expected) => {
    expect(value(text)! / expected || 0).toBeCloseTo(expected === 0 ? 0 : 1, 2);
  });

  it('uses the given unit', () => {
    expect(parseCondition('p99>5ms')).toMatchObject({ limit: 5, kind: 'time', comparison: '>' });
    expect(parseCondition('p99 >= 500us').limit).toBe(0.5);
    expect(parseCondition('p99<=1.5s').limit).toBe(1500);
    expect(parseCondition('errors>0.1%').limit).toBeCloseTo(0.001);
    expect(parseCondition('rate-ratio<98%')).toMatchObject({ limit: 0.98, kind: 'share' });
  });

  it.each([
    ['p99>989ms', true],
    ['p99>991ms', false],
    ['rate>=500', true],
    ['rate>500', false],
    ['rate<=500', true],
    ['rate<500', false],
  ])('%s is %s', (text, isTrue) => {
    const conditions = [parseCondition(text)];
    expect(check(conditions, result)[0]!.isTrue).toBe(isTrue);
    expect(failures(conditions, result)).toHaveLength(isTrue ? 1 : 0);
    expect(broken(conditions, result)).toHaveLength(isTrue ? 0 : 1);
  });

  it('without a measurement is neither passed nor kept', () => {
    for (const text of ['p99>5ms', 'p99<5ms', 'max>1s', 'fairness<0.1', 'first-answer>1s']) {
      const conditions = [parseCondition(text)];
      expect(failures(conditions, empty)).toHaveLength(1);
      expect(broken(conditions, empty)).toHaveLength(1);
      expect(checkedText(failures(conditions, empty)[0]!)).toBe(`${text}: nothing was measured`);
    }
    expect(value('errors>5%', empty)).toBe(1);
  });

  it('is printed with the measured value', () => {
    expect(failures([parseCondition('p99>5ms')], result).map(checkedText)).toEqual([
      'p99>5ms: p99 is 990 ms',
    ]);
    expect(failures([parseCondition('errors>0.1%')], result).map(checkedText)).toEqual([
      'errors>0.1%: errors is 1.19 %',
    ]);
  });

  it.each([
    ['p99', /^Condition "p99": give NAME, then > or </],
    ['p99=5ms', /give NAME/],
    ['p99>', /give NAME/],
    ['p99>-1ms', /give NAME/],
    ['p99>5', /p99 is compared with 5ms, 500us or 1s, and not with "5"/],
    ['p99>5%', /and not with "5%"/],
    ['p99>5min', /there is no unit "min"; there are ns, us, µs, ms, s, %/],
    ['p99>5constructor', /there is no unit "constructor"/],
    ['constructor>5', /there is no "constructor"/],
    ['errors>5ms', /errors is compared with a number or a share such as 0.1%/],
    [
      'latency>5ms',
      /there is no "latency"; there are p50 … p9999, .*errors, rate, rate-ratio, fairness/,
    ],
    ['service.errors>5', /there is no "service.errors"/],
  ])('%s is refused in one line', (text, message) => {
    expect(() => parseCondition(text)).toThrow(message);
    expect(() => parseCondition(text)).toThrow(/^[^\n]+$/);
  });

  it('on the rate ratio needs a plan with a rate', () => {
    const conditions = [parseCondition('rate-ratio<0.9')];
    expect(() => checkConditions(conditions, planOf({}))).toThrow(
      /a closed loop has no wanted rate/,
    );
    checkConditions(conditions, planOf({ loop: 'open' }));
  });
});
