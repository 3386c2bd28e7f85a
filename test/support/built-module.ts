/** Modules of the built package that its library does not export. */
import { createRequire } from 'node:module';
import { join } from 'node:path';

/**
 * The module as it is built for the tests: the processes and threads that it starts are built too, and start with half
 * the processor time.
 *
 * @param path below `src`, without `.ts`
 */
export const builtModule = <Module>(path: string): Module =>
  createRequire(import.meta.url)(
    join(process.env.MONDO_TEST_BUILT!, 'dist', `${path}.js`),
  ) as Module;
