/**
 * `npm run fuzz -- [--seconds N] [--seed N] [PROPERTY…]`: tries each property of test/fuzz/properties.ts for
 * that time (default 20 s each). fast-check makes up the inputs, from a seed that the program prints. For a
 * failure it prints the smallest input and the line for test/fuzz/failures.ts, and exits 1.
 */
import { parseArgs } from 'node:util';
import fc from 'fast-check';
import { properties } from '../test/fuzz/properties.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { seconds: { type: 'string', default: '20' }, seed: { type: 'string' } },
});
const seconds = Number(values.seconds);
const seed = values.seed === undefined ? Date.now() & 0x7fffffff : Number(values.seed);
const names = positionals.length > 0 ? positionals : Object.keys(properties);
const unknown = names.find((name) => properties[name] === undefined);
if (!(seconds > 0 && seconds <= 86_400) || !Number.isInteger(seed) || unknown !== undefined) {
  const what = unknown ?? `--seconds ${values.seconds} --seed ${values.seed}`;
  console.error(
    `fuzz: Cannot fuzz "${what}": give seconds, a whole number as seed, and of ${Object.keys(properties).join(', ')}`,
  );
  process.exit(2);
}

/** Number of inputs between two looks at the clock. */
const BATCH = 10_000;

for (const name of names) {
  const end = performance.now() + seconds * 1000;
  let tried = 0;
  for (let batch = 0; performance.now() < end; batch++) {
    const interruptAfterTimeLimit = Math.max(1, end - performance.now());
    const result = fc.check(properties[name]!, {
      seed: seed + batch,
      numRuns: BATCH,
      interruptAfterTimeLimit,
    }) as fc.RunDetails<[unknown]>;
    tried += result.numRuns;
    if (!result.failed || result.counterexample === null) continue;
    console.log(`${name}: failed after ${tried} inputs`);
    console.log(fc.stringify(result.counterexample));
    console.log(result.errorInstance);
    const found = JSON.stringify(`input ${fc.stringify(result.counterexample)}`.slice(0, 100));
    console.log(
      `{ property: '${name}', seed: ${result.seed}, path: '${result.counterexamplePath}', found: ${found} },`,
    );
    process.exitCode = 1;
    break;
  }
  if (process.exitCode === undefined) console.log(`${name}: ${tried} inputs from seed ${seed}`);
}
