/** What the kernel has counted for the calling thread. clock_gettime(2), getrusage(2) */
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
