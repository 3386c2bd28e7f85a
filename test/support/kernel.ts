/**
 * The kernel's data on processes and threads, from /proc: where they sleep, what they hold, which process started
 * them.
 */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { tcpSocket, tcpSocketsAt } from './tcp-sockets.ts';
import { until } from './until.ts';

/** System calls that a server may sleep in, by number. */
const calls: Readonly<Record<string, Readonly<Record<number, string>>>> = {
  x64: {
    7: 'poll',
    23: 'select',
    35: 'nanosleep',
    45: 'recvfrom',
    44: 'sendto',
    202: 'futex',
    219: 'restart_syscall',
    426: 'io_uring_enter',
    230: 'clock_nanosleep',
    232: 'epoll_wait',
    270: 'pselect6',
    271: 'ppoll',
    281: 'epoll_pwait',
    288: 'accept4',
  },
  arm64: {
    22: 'epoll_pwait',
    72: 'pselect6',
    73: 'ppoll',
    98: 'futex',
    101: 'nanosleep',
    115: 'clock_nanosleep',
    128: 'restart_syscall',
    206: 'sendto',
    426: 'io_uring_enter',
    207: 'recvfrom',
    242: 'accept4',
  },
};

/** The same call under its older or newer name: which one is used depends on the machine's architecture. */
const sameCall: Readonly<Record<string, string>> = {
  ppoll: 'poll',
  pselect6: 'select',
  epoll_pwait: 'epoll_wait',
};

const read = (path: string): string | undefined => {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    // The process or thread is gone.
    return undefined;
  }
};

const list = (path: string): string[] => {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
};

/** The system call that a thread sleeps in, or `running`. */
export function syscallOf(pid: number, tid: number): string | undefined {
  const number = read(`/proc/${pid}/task/${tid}/syscall`)?.split(' ')[0]?.trim();
  if (number === undefined || number === 'running') return number;
  const name = calls[process.arch]?.[Number(number)] ?? `call ${number}`;
  return name === 'restart_syscall' ? restartedCall(pid, tid) : (sameCall[name] ?? name);
}

/** A signal, such as SIGCHLD, interrupts some calls, and the kernel goes on with them as restart_syscall(2). */
function restartedCall(pid: number, tid: number): string | undefined {
  const sleeps = read(`/proc/${pid}/task/${tid}/wchan`);
  return ['poll', 'futex', 'nanosleep'].find((call) => sleeps?.includes(call)) ?? sleeps;
}

export const threadsOf = (pid: number): number[] => list(`/proc/${pid}/task`).map(Number);

/** Number of threads of these processes that sleep in that call. */
export const countIn = (call: string, pids: readonly number[]): number =>
  pids.flatMap((pid) => threadsOf(pid).filter((tid) => syscallOf(pid, tid) === call)).length;

/** The processes that this one started and that it has not waited for yet. */
const childrenOf = (pid: number): number[] =>
  threadsOf(pid)
    .flatMap((tid) => (read(`/proc/${pid}/task/${tid}/children`) ?? '').split(' '))
    .filter((text) => text !== '')
    .map(Number);

/** The child processes of a process, their children, and so on. */
export function descendantsOf(pid: number): number[] {
  const children = childrenOf(pid);
  return [...children, ...children.flatMap(descendantsOf)];
}

export const isAlive = (pid: number): boolean => read(`/proc/${pid}/stat`) !== undefined;

/** The file behind each descriptor of the process, such as `socket:[inode]`. */
export function descriptorsOf(pid: number | 'self'): Map<number, string> {
  const found = new Map<number, string>();
  for (const fd of list(`/proc/${pid}/fd`)) {
    try {
      found.set(Number(fd), readlinkSync(`/proc/${pid}/fd/${fd}`));
    } catch {
      // Closed in the meantime; this is always so for the descriptor of the listing itself.
    }
  }
  return found;
}

/**
 * True once the server's process has received all that this client sent: no byte waits in the kernel for an
 * acknowledgement, on the client's side, or for a read, on the server's.
 *
 * @param server and `client`: their ports on 127.0.0.1
 */
export const isReceived = (server: number, client: number): boolean =>
  tcpSocket(client, server)?.unacknowledged === 0 && tcpSocket(server, client)?.unread === 0;

/**
 * The ports of the clients that a worker has accepted. Before that they wait in the listener's queue, and their
 * sockets have no inode. IPv4 only.
 */
export const acceptedAt = (server: number): number[] =>
  tcpSocketsAt(server).flatMap(({ inode, peer }) => (inode === 0 ? [] : [peer]));

/** The sockets, pipes and shared memory of this process: what a server could leave behind. */
export const holdings = (): string[] =>
  [...descriptorsOf('self').values()]
    .filter((what) => /^(socket:|pipe:|\/memfd:)/.test(what))
    .sort();

/**
 * Stops a process with SIGSTOP, and resolves when the kernel has stopped all of its threads: a thread that has a
 * processor goes on until it meets the signal.
 */
export async function freeze(pid: number): Promise<void> {
  process.kill(pid, 'SIGSTOP');
  const tasks = `/proc/${pid}/task`;
  await until(`all threads of ${pid} to be stopped`, () =>
    readdirSync(tasks).every((tid) =>
      / T [^)]*$/.test(readFileSync(`${tasks}/${tid}/stat`, 'latin1')),
    ),
  );
}
