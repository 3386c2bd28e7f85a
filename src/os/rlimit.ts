/** Bounds on what a process may have, which those it starts inherit. setrlimit(2) */
import { check, libc } from './libc.ts';

/** The same number on x64 and arm64. */
const RLIMIT_NOFILE = 7;

/** From now on this process, and those it starts, may have so many descriptors and cannot raise it again. */
export function limitDescriptors(count: number): void {
  // struct rlimit: the soft limit, which Node raises to the hard one when it starts, and that one.
  const limit = Buffer.from(new BigUint64Array([BigInt(count), BigInt(count)]).buffer);
  check('setrlimit', libc.setrlimit(RLIMIT_NOFILE, limit));
}
