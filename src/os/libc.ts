/**
 * The one door to libc: every system call that Mondo makes itself passes through a function declared
 * here, under its man-page name. Would-block, interrupted and end-of-stream are ordinary results of
 * the calls above this file; everything else that fails becomes a `SystemError`.
 */
import { constants } from 'node:os';
import koffi from 'koffi';

// Elsewhere the pages can still be read for their traits; only calling them is an error.
const library = process.platform === 'linux' ? koffi.load('libc.so.6') : undefined;

const unavailable = () => {
  throw new Error(`Cannot make Linux system calls on ${process.platform}`);
};

/** Addresses pass as numbers: below 2^47 they are exact, and cheaper than a bigint or a Buffer. */
const declare = <Signature extends (...args: never[]) => unknown>(prototype: string) =>
  (library?.func(prototype) ?? unavailable) as unknown as Signature;

type Int = number;
type Address = number;

export const libc = {
  socket: declare<(domain: Int, type: Int, protocol: Int) => Int>('int socket(int, int, int)'),
  bind: declare<(fd: Int, address: Uint8Array, length: Int) => Int>('int bind(int, void *, uint)'),
  listen: declare<(fd: Int, backlog: Int) => Int>('int listen(int, int)'),
  accept4: declare<(fd: Int, address: Address, length: Address, flags: Int) => Int>(
    'int accept4(int, uintptr_t, uintptr_t, int)',
  ),
  connect: declare<(fd: Int, address: Uint8Array, length: Int) => Int>(
    'int connect(int, void *, uint)',
  ),
  recv: declare<(fd: Int, buffer: Address, length: Int, flags: Int) => Int>(
    'intptr_t recv(int, uintptr_t, size_t, int)',
  ),
  send: declare<(fd: Int, buffer: Address, length: Int, flags: Int) => Int>(
    'intptr_t send(int, uintptr_t, size_t, int)',
  ),
  write: declare<(fd: Int, bytes: Uint8Array, length: Int) => Int>(
    'intptr_t write(int, void *, size_t)',
  ),
  shutdown: declare<(fd: Int, how: Int) => Int>('int shutdown(int, int)'),
  close: declare<(fd: Int) => Int>('int close(int)'),
  dup: declare<(fd: Int) => Int>('int dup(int)'),
  fcntl: declare<(fd: Int, command: Int, argument: Int) => Int>('int fcntl(int, int, int)'),
  getsockname: declare<(fd: Int, address: Uint8Array, length: Uint8Array) => Int>(
    'int getsockname(int, void *, void *)',
  ),
  getpeername: declare<(fd: Int, address: Uint8Array, length: Uint8Array) => Int>(
    'int getpeername(int, void *, void *)',
  ),
  getsockopt: declare<
    (fd: Int, level: Int, name: Int, value: Uint8Array, length: Uint8Array) => Int
  >('int getsockopt(int, int, int, void *, void *)'),
  setsockopt: declare<(fd: Int, level: Int, name: Int, value: Uint8Array, length: Int) => Int>(
    'int setsockopt(int, int, int, void *, uint)',
  ),
  select: declare<
    (count: Int, read: Address, write: Address, except: Address, timeout: Address) => Int
  >('int select(int, uintptr_t, uintptr_t, uintptr_t, uintptr_t)'),
  poll: declare<(fds: Address, count: Int, timeout: Int) => Int>('int poll(uintptr_t, ulong, int)'),
  epoll_create1: declare<(flags: Int) => Int>('int epoll_create1(int)'),
  epoll_ctl: declare<(epoll: Int, operation: Int, fd: Int, event: Address) => Int>(
    'int epoll_ctl(int, int, int, uintptr_t)',
  ),
  epoll_wait: declare<(epoll: Int, events: Address, count: Int, timeout: Int) => Int>(
    'int epoll_wait(int, uintptr_t, int, int)',
  ),
  epoll_pwait2: declare<
    (
      number: Int,
      epoll: Int,
      events: Address,
      count: Int,
      timeout: Address,
      mask: Address,
      size: Int,
    ) => Int
  >('long syscall(long, int, uintptr_t, int, uintptr_t, uintptr_t, size_t)'),
  memfd_create: declare<(name: string, flags: Int) => Int>('int memfd_create(str, uint)'),
  ftruncate: declare<(fd: Int, length: Int) => Int>('int ftruncate(int, intptr_t)'),
  mmap: declare<
    (address: Address, length: Int, protection: Int, flags: Int, fd: Int, offset: Int) => Address
  >('intptr_t mmap(uintptr_t, size_t, int, int, int, intptr_t)'),
  munmap: declare<(address: Address, length: Int) => Int>('int munmap(uintptr_t, size_t)'),
  io_uring_setup: declare<(number: Int, entries: Int, params: Uint8Array) => Int>(
    'long syscall(long, uint, void *)',
  ),
  io_uring_register: declare<
    (number: Int, ring: Int, opcode: Int, argument: Uint8Array, count: Int) => Int
  >('long syscall(long, int, uint, void *, uint)'),
  io_uring_enter: declare<
    (
      number: Int,
      ring: Int,
      submit: Int,
      wait: Int,
      flags: Int,
      argument: Address,
      size: Int,
    ) => Int
  >('long syscall(long, int, uint, uint, uint, uintptr_t, size_t)'),
  clock_gettime: declare<(clock: Int, time: Address) => Int>('int clock_gettime(int, uintptr_t)'),
  getrusage: declare<(who: Int, usage: Address) => Int>('int getrusage(int, uintptr_t)'),
  gettid: declare<() => Int>('int gettid()'),
  setpgid: declare<(pid: Int, group: Int) => Int>('int setpgid(int, int)'),
  tgkill: declare<(pid: Int, tid: Int, signal: Int) => Int>('int tgkill(int, int, int)'),
  sigaction: declare<(signal: Int, action: Uint8Array, old: null) => Int>(
    'int sigaction(int, void *, void *)',
  ),
  setrlimit: declare<(resource: Int, limit: Uint8Array) => Int>('int setrlimit(int, void *)'),
  sched_setaffinity: declare<(pid: Int, size: Int, mask: Uint8Array) => Int>(
    'int sched_setaffinity(int, size_t, void *)',
  ),
  sched_getaffinity: declare<(pid: Int, size: Int, mask: Uint8Array) => Int>(
    'int sched_getaffinity(int, size_t, void *)',
  ),
  prctl: declare<(option: Int, argument: Int) => Int>('int prctl(int, ulong)'),
  _exit: declare<(status: Int) => void>('void _exit(int)'),
  dlsym: declare<(handle: Address, name: string) => Address>('uintptr_t dlsym(uintptr_t, str)'),
};

/** Why the last call of this thread failed; to be read before any other call. */
export const errno = (): number => koffi.errno();

/** Where the bytes of a Buffer lie. Only for buffers that are kept: a collected one moves out from under it. */
export const addressOf = (bytes: Uint8Array): Address => Number(koffi.address(bytes));

/** Memory that was mapped, as an ArrayBuffer over the same bytes. */
export const viewOf = (address: Address, length: number): ArrayBuffer =>
  koffi.view(BigInt(address), length);

/** Not errors: what a non-blocking call returns when it would have had to wait … */
export const WOULD_BLOCK = -constants.errno.EAGAIN;
/** … and what any call returns when a signal woke the thread. */
export const INTERRUPTED = -constants.errno.EINTR;

// Some numbers have two names; the first, such as EAGAIN for EWOULDBLOCK, is the one in man pages.
const names = Object.entries(constants.errno).reverse();
const nameOf = new Map(names.map(([name, number]) => [number, name]));
export const errnoName = (number: number): string => nameOf.get(number) ?? `errno ${number}`;

/** A system call that failed, other than by having to wait or by being interrupted. */
export class SystemError extends Error {
  override name = 'SystemError';
  /** The call's man-page name, such as `recv`. */
  readonly syscall: string;
  readonly errno: number;
  /** The errno's name, such as `ECONNRESET`. */
  readonly code: string;

  constructor(syscall: string, number: number, detail?: string) {
    const code = errnoName(number);
    super(`${syscall}: ${code}${detail === undefined ? '' : ` (${detail})`}`);
    this.syscall = syscall;
    this.errno = number;
    this.code = code;
  }
}

/** Turns -1 into `WOULD_BLOCK`, `INTERRUPTED` or a thrown `SystemError`. */
export function ordinary(syscall: string, result: number): number {
  if (result >= 0) return result;
  const number = errno();
  if (-number === WOULD_BLOCK || -number === INTERRUPTED) return -number;
  throw new SystemError(syscall, number);
}

/** Turns -1 into a thrown `SystemError`, for calls that neither wait nor are interrupted. */
export function check(syscall: string, result: number, detail?: string): number {
  if (result < 0) throw new SystemError(syscall, errno(), detail);
  return result;
}
