/** Waiting in tests: for a condition, with a deadline; never for a length of time in the hope that it will do. */

/**
 * The one factor for machines slower than two busy cores, from MONDO_TEST_SLOW (default: 1). Every length of
 * time in a test is multiplied by it: limits and drains of servers, how long a service thinks, and the patience
 * of the test itself.
 */
export const MS = Number(process.env.MONDO_TEST_SLOW ?? 1);

/**
 * How long a test waits for what must happen, in ms. Only a failure takes that long, so it is far more than a
 * busy machine needs. A test that wants to see that something does not wait for a limit, a drain or an answer
 * makes that an hour, and not this a second.
 */
export const PATIENCE = 60_000;

/** An hour, in ms: a limit, a drain or a thinking service that no test waits for. */
export const FOREVER = 3_600_000;

/** How often a condition is looked at. */
const INTERVAL = 5;

/** Resolves with the first thing `look` finds; rejects, saying `what`, when the deadline has passed. */
export async function until<T>(
  what: string,
  look: () => T | undefined | null | false | Promise<T | undefined | null | false>,
  deadline = PATIENCE,
): Promise<T> {
  const end = performance.now() + deadline * MS;
  for (;;) {
    const found = await look();
    if (found !== undefined && found !== null && found !== false) return found;
    if (performance.now() > end) throw new Error(`Waited ${deadline * MS} ms for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, INTERVAL));
  }
}

/** Resolves with what `read` gives once that has not changed for `ms`. */
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
 * True if the promise is still pending after `ms`: the only proof there is that something does not
 * happen, so it can miss a fault on a slow machine and never invents one.
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
 * Runs an attempt in which each `beat` has to come less than `limit` ms after the one before. One that failed and
 * was too slow for that itself, as this machine had other things to do, shows nothing: another is made.
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
