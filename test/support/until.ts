/** Waiting in tests: for a condition, with a deadline; never for a length of time in the hope that it will do. */

/** One millisecond on this machine: a slow one sets MONDO_TEST_SLOW to how many times slower it is. */
export const MS = Number(process.env.MONDO_TEST_SLOW ?? 1);

/** How often a condition is looked at. */
const INTERVAL = 5;

/** Resolves with the first thing `look` finds; rejects, saying `what`, when the deadline has passed. */
export async function until<T>(
  what: string,
  look: () => T | undefined | null | false | Promise<T | undefined | null | false>,
  deadline = 15_000,
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
