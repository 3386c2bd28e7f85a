/** Waits in tests for a condition, with a deadline; never for a fixed time that is hoped to be enough. */

/**
 * The one factor for machines slower than two busy cores, from MONDO_TEST_SLOW (default: 1). It multiplies every
 * length of time in a test: limits and drains of servers, thinking times of services, and the test's own deadlines.
 */
export const MS = Number(process.env.MONDO_TEST_SLOW ?? 1);

/**
 * How long a test waits for an event that must happen, in ms. Only a failure takes that long, so it is far more
 * than a busy machine needs. A test that shows that something does not wait for a limit, a drain or an answer makes
 * that an hour, and does not shorten this.
 */
export const PATIENCE = 60_000;

/** An hour, in ms: a limit, a drain or a thinking service that no test waits for. */
export const FOREVER = 3_600_000;

/** Intervals between looks at a condition, and at what a browser shows, in ms. */
const INTERVAL = 5;
const SHOWN_INTERVAL = 50;

/** Resolves with the first thing `look` finds; rejects, saying `what`, when the deadline has passed. */
export async function until<T>(
  what: string,
  look: () => T | undefined | null | false | Promise<T | undefined | null | false>,
  deadline = PATIENCE,
  interval = INTERVAL,
): Promise<T> {
  const end = performance.now() + deadline * MS;
  for (;;) {
    const found = await look();
    if (found !== undefined && found !== null && found !== false) return found;
    if (performance.now() > end) throw new Error(`Waited ${deadline * MS} ms for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, interval));
  }
}

/** `until` for what a browser shows: each look is a call to another process, and costs 2 ms of a processor. */
export const untilShown: typeof until = (what, look, deadline = PATIENCE) =>
  until(what, look, deadline, SHOWN_INTERVAL);

/** Resolves with the result of `read` once it has not changed for `ms`. */
export async function steady<T>(what: string, read: () => T, ms = 150): Promise<T> {
  let last = read();
  let since = performance.now();
  return until(`${what} to be steady`, () => {
    const now = read();
    if (now !== last) {
      last = now;
      since = performance.now();
    }
    return performance.now() - since >= ms * MS && { now };
  }).then(({ now }) => now);
}

/** The promise's own result, or a rejection, saying `what`, when the deadline has passed. */
export async function within<T>(ms: number, what: string, promise: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`Waited ${ms * MS} ms for ${what}`)), ms * MS);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/**
 * True if the promise is still pending after `ms`. This is the only evidence that something does not happen. On a
 * slow machine it may miss a fault, and it never reports a false one.
 */
export async function staysPending(promise: Promise<unknown>, ms = 100): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const pending = new Promise<true>((resolve) => {
    timer = setTimeout(resolve, ms * MS, true);
  });
  const settled = promise.then(
    () => false,
    () => false,
  );
  const result = await Promise.race([pending, settled]);
  clearTimeout(timer);
  return result;
}

/**
 * Runs an attempt in which each `beat` must come less than `limit` ms after the one before. If the attempt fails,
 * and this machine itself was too slow, it proves nothing, and is repeated.
 */
export async function inTime(
  limit: number,
  attempt: (beat: () => void) => Promise<void>,
): Promise<void> {
  const end = performance.now() + PATIENCE * MS;
  for (;;) {
    let last: number | undefined;
    let longest = 0;
    const beat = () => {
      const now = performance.now();
      longest = Math.max(longest, now - (last ?? now));
      last = now;
    };
    try {
      await attempt(beat);
      return;
    } catch (error) {
      if (longest < limit * 0.9 || performance.now() > end) throw error;
    }
  }
}

/** Interval at which a server repeats the same warning at most, in ms. */
const WARNING_INTERVAL_MS = 5000;

/**
 * The largest number of times that a server may have logged one warning since `since`, by `performance.now`: a busy
 * machine takes longer for a test, and then the server may repeat it.
 */
export const mostWarnings = (since: number): number =>
  1 + Math.ceil((performance.now() - since) / WARNING_INTERVAL_MS);

/**
 * Runs a measurement that a busy machine may spoil until it is so, four times at most.
 *
 * @returns the last result, so that a test can assert on it
 */
export async function untilSo<T>(run: () => Promise<T>, isSo: (result: T) => boolean): Promise<T> {
  for (let tries = 1; ; tries++) {
    const result = await run();
    if (isSo(result) || tries === 4) return result;
  }
}
