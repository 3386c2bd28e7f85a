import { expect, test } from 'vitest';
import { attackText } from './words.ts';

const attack = (name: string, reached: number, until = 0) => ({
  name,
  reached,
  since: 1000,
  until,
});

test('an attack that reaches too little proves nothing, and its text says so once it had time to grow', () => {
  expect(attackText(attack('churn', 98), 6000)).toBe('churn, for 5.0 s, reaches 98 %');
  expect(attackText(attack('churn', -1), 6000)).toBe('churn, for 5.0 s');
  expect(attackText(attack('churn', 60), 2000)).toBe('churn, for 1.0 s, reaches 60 %');
  expect(attackText(attack('churn', 60), 6000)).toBe(
    'churn, for 5.0 s, reaches 60 %, too little to prove anything',
  );
  expect(attackText(attack('', 60, 9000), 10_000)).toBe(
    'the last attack reached only 60 %, which proves nothing',
  );
});

test('before an attack, and after one that was strong enough, there is nothing to say', () => {
  for (const one of [undefined, attack('', -1), attack('', 97, 9000)]) {
    expect(attackText(one, 10_000)).toBe('');
  }
});
