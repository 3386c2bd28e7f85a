import { libc, whyNoSystemCalls } from './libc.ts';

/** Ends this process even if one of its threads sleeps in the kernel: `process.exit()` would wait for it. _exit(2) */
export function exitAtOnce(status: number): void {
  if (whyNoSystemCalls() === undefined) libc._exit(status);
  else process.kill(process.pid, 'SIGKILL');
}
