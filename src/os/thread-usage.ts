/** What the kernel has counted for the calling thread. clock_gettime(2), getrusage(2), proc(5) */
import { openSync, readSync } from 'node:fs';
import { addressOf, libc } from './libc.ts';

const CLOCK_THREAD_CPUTIME_ID = 3;
const RUSAGE_THREAD = 1;

const time = Buffer.alloc(16);
const timeAddress = addressOf(time);
const usage = Buffer.alloc(144);
const usageAddress = addressOf(usage);
/** Of `ru_nvcsw` in `struct rusage`, where all fields are 8 bytes. */
const VOLUNTARY = 128;

/** How long it has been on a processor, in ns, up to this moment (`ru_utime` lags behind by a tick). */
export function threadTime(): number {
  libc.clock_gettime(CLOCK_THREAD_CPUTIME_ID, timeAddress);
  return Number(time.readBigInt64LE(0)) * 1e9 + Number(time.readBigInt64LE(8));
}

/** How often it went to sleep in the kernel, by itself and not because another had its turn. */
export function timesSlept(): number {
  libc.getrusage(RUSAGE_THREAD, usageAddress);
  return Number(usage.readBigInt64LE(VOLUNTARY));
}

/**
 * A meter for the calling thread: how long it could run and had no processor, in ms since it began. Other threads had
 * it, or a quota was used up; a stopped thread cannot run. Always 0 where the kernel does not count it.
 */
export function processorWait(): () => number {
  const room = Buffer.alloc(64);
  let file: number;
  try {
    file = openSync('/proc/thread-self/schedstat', 'r');
  } catch {
    return () => 0;
  }
  return () => {
    const [, waited] = room
      .toString('latin1', 0, readSync(file, room, 0, room.length, 0))
      .split(' ');
    return Number(waited) / 1e6;
  };
}
