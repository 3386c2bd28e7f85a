/** The kernel's counts for the calling thread. clock_gettime(2), getrusage(2), proc(5) */
import { openSync, readSync } from 'node:fs';
import { addressOf, libc } from './libc.ts';

const CLOCK_THREAD_CPUTIME_ID = 3;
const RUSAGE_THREAD = 1;

const time = Buffer.alloc(16);
const timeAddress = addressOf(time);
const usage = Buffer.alloc(144);
const usageAddress = addressOf(usage);
/** Offset of `ru_nvcsw` in `struct rusage`, in which all fields have 8 bytes. */
const VOLUNTARY = 128;

/** Processor time, in ns, up to this moment (`ru_utime` is late by up to a tick). */
export function threadTime(): number {
  libc.clock_gettime(CLOCK_THREAD_CPUTIME_ID, timeAddress);
  return Number(time.readBigInt64LE(0)) * 1e9 + Number(time.readBigInt64LE(8));
}

/** Number of times that it went to sleep in the kernel by itself, not because another thread had its turn. */
export function timesSlept(): number {
  libc.getrusage(RUSAGE_THREAD, usageAddress);
  return Number(usage.readBigInt64LE(VOLUNTARY));
}

/**
 * A meter for the calling thread: how long it could run and had no processor, in ms since the meter began. Other
 * threads had the processor, or a quota was used up. A stopped thread cannot run. Always 0 if the kernel does not
 * count it.
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
