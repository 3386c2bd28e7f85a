/** Which processors the calling thread may run on; threads and processes that it starts later inherit that. sched_setaffinity(2) */
import { check, libc } from './libc.ts';

/** Room for 8,192 processors: the kernel refuses a mask that is smaller than its own. */
const BYTES = 1024;
const SELF = 0;

/** In ascending order. */
export function coresOf(): number[] {
  const mask = Buffer.alloc(BYTES);
  check('sched_getaffinity', libc.sched_getaffinity(SELF, BYTES, mask));
  return Array.from({ length: BYTES * 8 }, (_, core) => core).filter(
    (core) => (mask[core >> 3]! & (1 << (core & 7))) !== 0,
  );
}

/** @throws SystemError where none of them is there, or allowed */
export function keepTo(cores: readonly number[]): void {
  const mask = Buffer.alloc(BYTES);
  for (const core of cores) mask[core >> 3]! |= 1 << (core & 7);
  check('sched_setaffinity', libc.sched_setaffinity(SELF, BYTES, mask), `cores ${cores.join(',')}`);
}
