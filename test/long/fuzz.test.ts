/** The fuzzer for a short time, with another seed in each run. */
import fc from 'fast-check';
import { it } from 'vitest';
import { properties } from '../fuzz/properties.ts';

it.each(Object.keys(properties))('the property holds for any input: %s', (name) => {
  // A failure's message contains its seed.
  fc.assert(properties[name]!, { numRuns: 1_000_000, interruptAfterTimeLimit: 5000 });
});
