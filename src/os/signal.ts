/**
 * Wakes a thread that sleeps in a system call. A signal to that thread makes the call return EINTR, and the thread
 * checks whether to stop. This needs no descriptor: a server that waits in `accept` waits in nothing else.
 */
import { constants } from 'node:os';
import { check, libc } from './libc.ts';

/** SIGURG: ignored by default, so a signal that comes before `interruptible` does no harm. signal(7) */
const WAKE = constants.signals.SIGURG;
const SIG_IGN = 1n;
const PR_SET_PDEATHSIG = 1;

/** `sizeof(struct sigaction)` of glibc, on x64 and arm64. The handler comes first; the flags are 0: no SA_RESTART. */
const SIGACTION_SIZE = 152;

function handle(signal: number, handler: bigint): void {
  const action = Buffer.alloc(SIGACTION_SIZE);
  new BigUint64Array(action.buffer, action.byteOffset, 1)[0] = handler;
  check('sigaction', libc.sigaction(signal, action, null));
}

/** Lets `interrupt` wake the threads of this process. */
export function interruptible(): void {
  // The handler must be native code that takes an int and does nothing; abs(3) is such code.
  handle(WAKE, BigInt(libc.dlsym(0, 'abs')));
}

/** Wakes a thread from the system call that it sleeps in. False if there is no such thread. tgkill(2) */
export const interrupt = (pid: number, tid: number): boolean => libc.tgkill(pid, tid, WAKE) === 0;

/** This thread's number, as in /proc and strace. */
export const threadId = (): number => libc.gettid();

/**
 * Ctrl-C and a closed terminal reach every process of the terminal, and systemd sends SIGTERM to every process of a
 * service. Only the supervisor acts on them. `kill -USR2` is for the supervisor, too, and may reach every process
 * of a name or group. SIGUSR1 would open Node's debugger. SIGTTOU would stop a process that prints from a group of
 * its own.
 */
export function leaveSignalsToSupervisor(): void {
  const { SIGINT, SIGHUP, SIGTERM, SIGUSR1, SIGUSR2, SIGTTOU } = constants.signals;
  for (const signal of [SIGINT, SIGHUP, SIGTERM, SIGUSR1, SIGUSR2, SIGTTOU]) {
    handle(signal, SIG_IGN);
  }
}

/** When the parent ends, for any reason, the kernel sends this signal to this process. prctl(2) */
export function signalWithParent(signal: 'SIGKILL' | 'SIGUSR2'): void {
  check('prctl', libc.prctl(PR_SET_PDEATHSIG, constants.signals[signal]));
}

/**
 * Makes this process lead a group: signals to its number reach it and all processes that it starts after this call,
 * even once it is gone. setpgid(2)
 */
export function leadGroup(): void {
  check('setpgid', libc.setpgid(0, 0));
}

/** Wakes, or kills, all remaining processes of the group that a process led. There may be none. */
export function signalGroup(leader: number, signal: 'wake' | 'SIGKILL'): void {
  try {
    process.kill(-leader, signal === 'wake' ? WAKE : signal);
  } catch {
    // All of them have ended.
  }
}
