import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Timers } from './timers.ts';

describe('Timers', () => {
  it('takes the due timers, the earliest first, and no others', () => {
    fc.assert(
      fc.property(
        fc.array(fc.record({ due: fc.nat(100), now: fc.nat(100) }), { maxLength: 60 }),
        (steps) => {
          const timers = new Timers<number>();
          const model: { due: number; value: number }[] = [];
          for (const [value, { due, now }] of steps.entries()) {
            timers.add(due, value);
            model.push({ due, value });
            model.sort((a, b) => a.due - b.due);
            expect(timers.untilNext(now)).toBe(Math.max(0, model[0]!.due - now));
            const taken = timers.takeDue(now);
            if (model[0]!.due > now) {
              expect(taken).toBeUndefined();
              continue;
            }
            // Timers that are due at the same moment come in any order.
            const i = model.findIndex((timer) => timer.value === taken);
            expect(model[i]?.due).toBe(model[0]!.due);
            model.splice(i, 1);
            if (model.length === 0) expect(timers.untilNext(now)).toBe(-1);
          }
        },
      ),
    );
  });

  it('rounds the wait up, so that no timer is looked for too early', () => {
    const timers = new Timers<string>();
    timers.add(10.2, 'x');
    expect(timers.untilNext(8)).toBe(3);
    expect(timers.takeDue(10.1)).toBeUndefined();
    expect(timers.takeDue(10.2)).toBe('x');
    expect(timers.untilNext(11)).toBe(-1);
  });
});
