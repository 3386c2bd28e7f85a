/** A few inputs from another seed each time, and every seed that ever failed. test/long/fuzz.test.ts takes longer. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { failures } from './failures.ts';
import { properties } from './properties.ts';

describe('for any input', () => {
  it.each(Object.keys(properties))('%s', (name) => {
    // The seed of a failure is in its message.
    fc.assert(properties[name]!, { numRuns: 300 });
  });

  it('every seed that failed belongs to an existing property', () => {
    for (const { property } of failures) expect(Object.keys(properties)).toContain(property);
  });

  it.each(failures)('$property, seed $seed: $found', ({ property, seed, path }) => {
    fc.assert(properties[property]!, { seed, path, endOnFailure: true });
  });
});
