/** Waking up on time. prctl(2), PR_SET_TIMERSLACK */
import { check, libc } from './libc.ts';

const PR_SET_TIMERSLACK = 29;

/** Makes waits of this thread end on time. By default the kernel ends them up to 50 µs late, to save power. */
export const bePunctual = (): void => void check('prctl', libc.prctl(PR_SET_TIMERSLACK, 1));
