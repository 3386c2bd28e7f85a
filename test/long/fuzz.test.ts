/** The fuzzer for a short while, from another seed each time. */
import fc from 'fast-check';
import { it } from 'vitest';
import { properties } from '../fuzz/properties.ts';

it.each(Object.keys(properties))('whatever the input is: %s', (name) => {
  // The seed of a failure is in its message.
  fc.assert(properties[name]!, { numRuns: 1_000_000, interruptAfterTimeLimit: 5000 });
});
