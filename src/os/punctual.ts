/** Waking up on time. prctl(2), PR_SET_TIMERSLACK */
import { check, libc } from './libc.ts';

const PR_SET_TIMERSLACK = 29;

/** Waits of this thread end when they are over, and not up to 50 µs later, which the kernel does to save power. */
export const bePunctual = (): void => void check('prctl', libc.prctl(PR_SET_TIMERSLACK, 1));
