import { describe, expect, it } from 'vitest';
import { TimeSlice } from './time-slice.ts';

/** How many questions of `ms` each are answered in one slice, and how often the clock is read. */
function slice(ms: number) {
  let now = 0;
  let looks = 0;
  const timeSlice = new TimeSlice(() => {
    looks++;
    return now;
  });
  return {
    answered(): number {
      timeSlice.begin();
      let answered = 0;
      for (; !timeSlice.isSpent(); answered++) now += ms;
      return answered;
    },
    get looks() {
      return looks;
    },
  };
}

describe('TimeSlice', () => {
  it('is N quick questions, with a look at the clock for one in four', () => {
    const quick = slice(0.01);
    expect(quick.answered()).toBe(64);
    expect(quick.answered()).toBe(64);
    expect(quick.looks).toBeLessThan(2 * 20);
  });

  it('ends sooner if questions are slow', () => {
    expect(slice(1).answered()).toBeLessThanOrEqual(16);
    expect(slice(5).answered()).toBe(3);
    expect(slice(1000).answered()).toBe(2);
  });

  it('never looks at the clock for one question', () => {
    const timeSlice = new TimeSlice(() => {
      throw new Error('the clock was read');
    });
    for (let i = 0; i < 100; i++) {
      timeSlice.begin();
      expect(timeSlice.isSpent()).toBe(false);
    }
  });
});
