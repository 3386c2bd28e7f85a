import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Flights } from './flights.ts';

test('any sequence: questions leave in the order of their due times, and none is lost', () => {
  const step = fc.record({
    what: fc.constantFrom('queue', 'want', 'launch', 'take', 'drop'),
    count: fc.integer({ min: 1, max: 4 }),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const flights = new Flights(2, 4);
      const waiting: number[] = [];
      const flying: number[] = [];
      let wanted = 0;
      let clock = 0;
      for (const { what, count } of steps) {
        clock++;
        if (what === 'queue') {
          flights.queue(1, clock);
          waiting.push(clock);
        } else if (what === 'want') {
          flights.want(1);
          wanted++;
        } else if (what === 'launch') {
          const now = clock + 0.5;
          const can = Math.min(count, 4 - flying.length, waiting.length + wanted);
          flights.launch(1, can, now);
          for (let i = 0; i < can; i++) {
            // Questions with a due time go first; the others are due when they leave.
            if (waiting.length === 0) wanted--;
            flying.push(waiting.shift() ?? now);
          }
        } else if (what === 'take' && flying.length > 0) {
          flights.take(1);
          expect(flights.due).toBe(flying.shift());
        } else if (what === 'drop' && waiting.length + wanted > 0) {
          flights.drop(1);
          if (waiting.length === 0) wanted--;
          const due = waiting.shift();
          expect(flights.due).toBe(due ?? Number.NaN);
        }
        expect(flights.flyingOn(1)).toBe(flying.length);
        expect(flights.waitingOn(1)).toBe(waiting.length + wanted);
        expect([flights.flying, flights.waiting]).toEqual([flying.length, waiting.length + wanted]);
        expect(flights.isBusy(0)).toBe(false);
      }
    }),
  );
});

test('a question of the next turn gets its sent time when it leaves, and keeps its due time', () => {
  const flights = new Flights(1, 2);
  flights.queue(0, 10);
  flights.want(0);
  flights.launch(0, 2, 20);
  flights.stamp(0, 2, 21);
  expect(flights.oldest(0)).toBe(21);
  flights.take(0);
  expect([flights.due, flights.sent]).toEqual([10, 21]);
  flights.take(0);
  expect([flights.due, flights.sent]).toEqual([21, 21]);
  expect(flights.oldest(0)).toBe(Number.POSITIVE_INFINITY);
});
