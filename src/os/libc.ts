/**
 * The only way to libc: each system call that Mondo makes itself is a function declared here, under its man-page
 * name. Would-block, interrupted and end-of-stream are ordinary results in the files above this one. Every other
 * failure becomes a `SystemError`.
 */
import { existsSync } from 'node:fs';
import { constants } from 'node:os';
import { dirname } from 'node:path';
import type Koffi from 'koffi';

/** The native part of koffi, without its JavaScript part. */
type Native = Pick<typeof Koffi, 'load' | 'errno' | 'address' | 'view'>;

/** The parts of koffi used here have not changed since this version. */
const KNOWN_VERSION = '3.';

/** True if there is a build of koffi, and system calls have the numbers and structures used here. */
const isKnown = process.platform === 'linux' && ['x64', 'arm64'].includes(process.arch);

/** Thrown by features that need system calls, in one line that names the fix. */
export class NoSystemCallsError extends Error {
  override name = 'NoSystemCallsError';
}

let native: Native | undefined;
let library: ReturnType<Native['load']> | undefined;
let program: ReturnType<Native['load']> | undefined;
let whyNot: string | undefined;

/**
 * Why this process can make no system calls of its own, as the end of a sentence with the fix; undefined if it can.
 * The first call loads koffi.
 */
export function whyNoSystemCalls(): string | undefined {
  if (library !== undefined || whyNot !== undefined) return whyNot;
  if (!isKnown) {
    whyNot = `this is ${process.platform} ${process.arch} and not Linux on x64 or arm64`;
    return whyNot;
  }
  try {
    native = loadNative();
  } catch (error) {
    whyNot = `koffi cannot be loaded (${firstLine(error)}); install its part for ${process.platform}-${process.arch} with npm install, and run Node without --no-addons`;
    return whyNot;
  }
  try {
    library = native.load('libc.so.6');
  } catch (error) {
    whyNot = `this system has no glibc (${firstLine(error)}); run Mondo on a Linux with glibc`;
  }
  return whyNot;
}

const firstLine = (error: unknown): string =>
  (error instanceof Error ? error.message : String(error)).split('\n', 1)[0]!.trim();

/**
 * Loads koffi's native part from the folder where an import would find it. Its own entry loads thirty modules of
 * Node for functions that Mondo does not use: a third of a start. Asking Node for the path costs half of the rest.
 */
function loadNative(): Native {
  const { platform, arch } = process;
  const part = `node_modules/@koromix/koffi-${platform}-${arch}/${platform}_${arch}/koffi.node`;
  for (let folder = import.meta.dirname; ; folder = dirname(folder)) {
    const file = `${folder}/${part}`;
    if (existsSync(file)) {
      const module: { exports: { version?: string } } = { exports: {} };
      try {
        process.dlopen(module, file);
      } catch {
        // It is a build for another C library.
        break;
      }
      if (module.exports.version?.startsWith(KNOWN_VERSION)) return module.exports as Native;
    }
    if (folder === dirname(folder)) break;
  }
  const { createRequire } = process.getBuiltinModule('node:module');
  return createRequire(import.meta.url)('koffi').default;
}

function noSystemCalls(): never {
  throw new NoSystemCallsError(`Cannot make system calls: ${whyNoSystemCalls()}`);
}

/**
 * Declares a function at its first call. Addresses are numbers: exact below 2^47, and cheaper than a bigint or a
 * Buffer.
 */
function declare<Signature extends (...args: never[]) => unknown>(prototype: string): Signature {
  let call: Signature | undefined;
  const first = ((...args) => {
    if (call === undefined) {
      if (whyNoSystemCalls() !== undefined) noSystemCalls();
      call = library!.func(prototype) as unknown as Signature;
      const [name] = Object.entries(libc).find(([, member]) => member === first) ?? [];
      // Do not overwrite a replacement: it calls this function.
      if (name !== undefined) Object.assign(libc, { [name]: call });
    }
    return call(...args);
  }) as Signature;
  return first;
}

type Int = number;
type Address = number;

export const libc = {
  socket: declare<(domain: Int, type: Int, protocol: Int) => Int>('int socket(int, int, int)'),
  socketpair: declare<(domain: Int, type: Int, protocol: Int, pair: Int32Array) => Int>(
    'int socketpair(int, int, int, void *)',
  ),
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
  sendmsg: declare<(fd: Int, message: Address, flags: Int) => Int>(
    'intptr_t sendmsg(int, uintptr_t, int)',
  ),
  write: declare<(fd: Int, bytes: Uint8Array, length: Int) => Int>(
    'intptr_t write(int, void *, size_t)',
  ),
  shutdown: declare<(fd: Int, how: Int) => Int>('int shutdown(int, int)'),
  close: declare<(fd: Int) => Int>('int close(int)'),
  flock: declare<(fd: Int, operation: Int) => Int>('int flock(int, int)'),
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
  ppoll: declare<(fds: Address, count: Int, timeout: Address, mask: Address) => Int>(
    'int ppoll(uintptr_t, ulong, uintptr_t, uintptr_t)',
  ),
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
  mkfifo: declare<(path: string, mode: Int) => Int>('int mkfifo(str, uint)'),
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

/**
 * A function that the running program itself exports, such as one of libuv; undefined if it exports none of that name,
 * or if this process can make no system calls.
 */
export function functionOfProgram<Signature extends (...args: never[]) => unknown>(
  prototype: string,
): Signature | undefined {
  if (whyNoSystemCalls() !== undefined) return undefined;
  try {
    program ??= native!.load(null);
    return program.func(prototype) as unknown as Signature;
  } catch {
    return undefined;
  }
}

/** The errno of the last call of this thread. Read it before any other call. */
export const errno = (): number => native!.errno();

/** Restores errno, for a caller that has made other calls after the failed one. */
export const setErrno = (number: number): void => void native!.errno(number);

/**
 * The address of a Buffer's bytes. Keep the buffer: if it is collected, the address is invalid. Without system
 * calls the result is 0. So pages can still be loaded for their traits, and only calls fail.
 */
export function addressOf(bytes: Uint8Array): Address {
  if (native === undefined && whyNoSystemCalls() !== undefined) return 0;
  return Number(native!.address(bytes));
}

/** An ArrayBuffer over mapped memory. */
export const viewOf = (address: Address, length: number): ArrayBuffer =>
  native!.view(BigInt(address), length);

/** Not errors: the result of a non-blocking call that would have to wait … */
export const WOULD_BLOCK = -constants.errno.EAGAIN;
/** … and the result of any call when a signal woke the thread. */
export const INTERRUPTED = -constants.errno.EINTR;

// Some numbers have two names. The first one, such as EAGAIN for EWOULDBLOCK, is the name in man pages.
const names = Object.entries(constants.errno).reverse();
const nameOf = new Map(names.map(([name, number]) => [number, name]));
export const errnoName = (number: number): string => nameOf.get(number) ?? `errno ${number}`;

/** A failed system call. Having to wait and being interrupted are not failures. */
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
