/** Blocks this thread: it runs nothing else until the time is over. */

const never = new Int32Array(new SharedArrayBuffer(4));

/** Sleeps for `ms`. If the thread runs an event loop, the loop stops too. */
export const pause = (ms: number): void => void Atomics.wait(never, 0, 0, ms);
