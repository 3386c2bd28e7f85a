/** One server for several tests: its start is most of the cost of a test. */
import { afterAll } from 'vitest';

/**
 * For tests in one `describe`: the result of `start` is created for the first of them and disposed of after the
 * last.
 *
 * @param isSerial runs one test after the other, although they are concurrent
 */
export function shared<Started extends AsyncDisposable>(
  start: () => Promise<Started>,
  isSerial: boolean,
): (test: (started: Started) => Promise<void>) => Promise<void> {
  let starting: Promise<Started> | undefined;
  let last: Promise<unknown> = Promise.resolve();
  afterAll(async () => (await starting)?.[Symbol.asyncDispose]());
  return async (test) => {
    starting ??= start();
    const started = await starting;
    const run = (isSerial ? last : Promise.resolve()).then(() => test(started));
    last = run.catch(() => {});
    await run;
  };
}
