/**
 * The processors that the calling thread may run on. Threads and processes that it starts later inherit the set.
 * sched_setaffinity(2)
 */
import { check, libc } from './libc.ts';

/** Room for 8,192 processors: the kernel refuses a mask that is smaller than its own mask. */
const BYTES = 1024;
const SELF = 0;

/** Processors in ascending order. */
export function coresOf(): number[] {
  const mask = Buffer.alloc(BYTES);
  check('sched_getaffinity', libc.sched_getaffinity(SELF, BYTES, mask));
  return Array.from({ length: BYTES * 8 }, (_, core) => core).filter(
    (core) => (mask[core >> 3]! & (1 << (core & 7))) !== 0,
  );
}

/** @throws SystemError if none of them exists or is allowed */
export function keepTo(cores: readonly number[]): void {
  const mask = Buffer.alloc(BYTES);
  for (const core of cores) mask[core >> 3]! |= 1 << (core & 7);
  check('sched_setaffinity', libc.sched_setaffinity(SELF, BYTES, mask), `cores ${cores.join(',')}`);
}
