/** Chooses the architecture if the user names none. The order is measured: see docs/performance.md. */
import type { ArchitectureName } from '../architectures/catalogue.ts';
import { whyNoSystemCalls } from '../os/libc.ts';
import { whyNoUring } from '../os/uring.ts';

export interface Choice {
  readonly name: ArchitectureName;
  /** The reason, as the rest of a sentence that starts with the name. */
  readonly why: string;
}

export function fastestArchitecture(): Choice {
  const whyNone = whyNoSystemCalls();
  if (whyNone !== undefined) {
    return { name: 'callback', why: `the others make system calls of their own, and ${whyNone}` };
  }
  const whyNot = whyNoUring();
  return whyNot === undefined
    ? { name: 'uring', why: 'the fastest of all, and this kernel has io_uring' }
    : withoutUring(whyNot);
}

/** The choice if the workers cannot have their rings. Some find that out only when they start. */
export const withoutUring = (why: string): Choice => ({
  name: 'epoll',
  why: `the fastest except uring, and for io_uring, ${why}`,
});
