import { expect, test } from 'vitest';
import { recoveredAt, type Try } from './recovery.ts';

const answered = (done: number): Try => ({ outcome: 'answered', done });
const late = (done: number): Try => ({ outcome: 'late', done });

test('a recovery ends with the first of three answers in a row', () => {
  expect(recoveredAt([late(1000), answered(400), answered(500), answered(600)])).toBe(400);
  expect(recoveredAt([answered(10), late(1200), answered(500), answered(600)])).toBeUndefined();
  expect(recoveredAt([answered(10), answered(110)])).toBeUndefined();
});

test('a client that still waits breaks the row', () => {
  expect(recoveredAt([answered(10), {}, answered(210), answered(310)])).toBeUndefined();
});
