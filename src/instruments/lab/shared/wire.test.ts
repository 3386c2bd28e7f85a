import fc from 'fast-check';
import { expect, test } from 'vitest';
import { addressOf, clientAt, FIRST_NC } from './wire.ts';

test('an address names its stage and client', () => {
  const stage = fc.integer({ min: 0, max: 3 });
  const client = fc.oneof(
    fc.integer({ min: 1, max: 2000 }),
    fc.integer({ min: FIRST_NC, max: FIRST_NC + 999 }),
  );
  fc.assert(
    fc.property(stage, client, (s, id) => {
      expect(clientAt(s, addressOf(s, id))).toBe(id);
      expect(clientAt((s + 1) % 4, addressOf(s, id))).toBeUndefined();
    }),
  );
});

test.each([
  '127.0.0.1',
  '127.1.0.1',
  '127.2.0.0',
  '127.2.0.201',
  '::1',
  '',
  '127.2.0',
])('at %j is a stranger', (address) => {
  expect(clientAt(0, address)).toBeUndefined();
});
