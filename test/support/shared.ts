/** One server for several tests: to start it is most of what a test costs. */
import { afterAll } from 'vitest';

/**
 * For tests that stand in one `describe`: what `start` gives is started for the first of them and disposed of
 * after the last.
 *
 * @param isSerial one test after the other, though they are concurrent
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
