/** Holding this thread: nothing else of it runs until the time is over. */

const never = new Int32Array(new SharedArrayBuffer(4));

/** Sleeps for `ms`; on a thread that runs a loop, the loop sleeps too. */
export const pause = (ms: number): void => void Atomics.wait(never, 0, 0, ms);
