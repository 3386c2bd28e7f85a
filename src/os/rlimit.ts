/** Limits on a process's resources. Processes that it starts inherit them. setrlimit(2) */
import { check, libc } from './libc.ts';

/** The same number on x64 and arm64. */
const RLIMIT_NOFILE = 7;

/** Limits this process, and those it starts, to `count` descriptors. They cannot raise it again. */
export function limitDescriptors(count: number): void {
  // struct rlimit: the soft limit, which Node raises to the hard one when it starts, and the hard limit.
  const limit = Buffer.from(new BigUint64Array([BigInt(count), BigInt(count)]).buffer);
  check('setrlimit', libc.setrlimit(RLIMIT_NOFILE, limit));
}
