/**
 * Opens the listener, which belongs to the supervisor. It has its address before anything starts, so a port that is
 * in use is reported at once. It listens only when all workers can serve.
 */
import { lookup } from 'node:dns/promises';
import { closeSync, lstatSync, openSync, unlinkSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { addressText, literalAddress, type SocketAddress } from '../os/address.ts';
import { dial } from '../os/dialing.ts';
import { SystemError } from '../os/libc.ts';
import {
  bindListener,
  claimPort,
  close,
  dup,
  listenOn,
  localAddress,
  setBlocking,
  setReceiveTimeout,
  tryLock,
} from '../os/socket.ts';
import { isBoundUnix } from '../os/unix-table.ts';
import { ServeError } from './errors.ts';
import type { Plan } from './plan.ts';

export interface BindOptions {
  readonly reuseport: boolean;
  /** Number of listeners on the one address; more than one only with `reuseport`. */
  readonly count: number;
  /** The option that chooses the address, for the error. Default `-p`. */
  readonly option?: string;
}

/** A socket file that this process has made, with what distinguishes it from another file at the same path. */
export interface SocketFile {
  readonly path: string;
  readonly dev: number;
  readonly ino: number;
}

/** The listeners. They do not listen yet, except for those that another process has opened. */
export interface Bound {
  readonly listeners: number[];
  /** The address that they are bound to. */
  readonly address: SocketAddress;
  /** The socket file of a unix path. Remove it before the listeners are closed. */
  readonly file: SocketFile | undefined;
  /** True if another process has opened them. */
  readonly isInherited: boolean;
}

/**
 * Resolves `host` and `port` to an address.
 *
 * @param host a name, an IPv4 or IPv6 address, `''` for all interfaces, or `unix:PATH`
 * @throws ServeError if the name is unknown, or no such address can exist
 */
export async function resolveAddress(host: string, port: number): Promise<SocketAddress> {
  return (await resolveAddresses(host, port))[0]!;
}

/** All addresses of a host, IPv4 first, so that "localhost" is 127.0.0.1. @throws ServeError */
export async function resolveAddresses(
  host: string,
  port: number,
): Promise<readonly SocketAddress[]> {
  // The unspecified IPv6 address accepts IPv4 peers, too: IPV6_V6ONLY is off.
  if (host === '') return [{ family: 'IPv6', host: '::', port }];
  const literal = literalOf(host, port);
  if (literal !== undefined) return [literal];
  try {
    const found = await lookup(host, { all: true, order: 'ipv4first' });
    return found.map(({ address, family }) => ({
      family: family === 4 ? 'IPv4' : 'IPv6',
      host: address,
      port,
    }));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new ServeError(
      'failed',
      `Cannot find host "${host}": ${code}; give a name that resolves, an address, or "" for all interfaces`,
      { cause: error },
    );
  }
}

function literalOf(host: string, port: number): SocketAddress | undefined {
  try {
    return literalAddress(host, port);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new ServeError('usage', error.message, { cause: error });
  }
}

/** The listeners of a plan: its own, or copies of those that another process has opened. @throws ServeError */
export async function openListeners(
  plan: Pick<Plan, 'host' | 'port' | 'reuseport' | 'threads' | 'processes' | 'inherited'>,
): Promise<Bound> {
  if (plan.inherited.length > 0) return inheritedListeners(plan.inherited);
  const { reuseport, threads, processes } = plan;
  const wanted = await resolveAddress(plan.host, plan.port);
  return bindListeners(wanted, { reuseport, count: reuseport ? threads * processes : 1 });
}

function inheritedListeners(inherited: readonly number[]): Bound {
  const listeners = inherited.map(dup);
  for (const listener of listeners) {
    // Both belong to the open socket and outlive the process that set them: the last server may have had a loop.
    setBlocking(listener, true);
    setReceiveTimeout(listener, 0);
  }
  const address = localAddress(listeners[0]!);
  return { listeners, address, file: undefined, isInherited: true };
}

/**
 * Opens sockets that have the address, and refuse clients until `listenAll`. It refuses a port that another server
 * has, even if both share ports. Only a program that is not Mondo, and binds with SO_REUSEPORT later, can join. At a
 * unix path it replaces a file if no server has it.
 *
 * @throws ServeError
 */
export function bindListeners(wanted: SocketAddress, options: BindOptions): Bound {
  const listeners: number[] = [];
  let address = wanted;
  let claim: number | undefined;
  try {
    if (wanted.family === 'unix') return openUnix(wanted);
    if (options.reuseport && wanted.port !== 0) claim = open(wanted, claimPort);
    for (let i = 0; i < options.count; i++) {
      const listener = open(address, (one) => bindListener(one, options));
      listeners.push(listener);
      // The first listener gets the port for 0; the others share it.
      address = localAddress(listener);
    }
    return { listeners, address, file: undefined, isInherited: false };
  } catch (error) {
    for (const listener of listeners) close(listener);
    // The kernel has no room for this path.
    if (error instanceof RangeError) throw new ServeError('usage', error.message, { cause: error });
    throw error instanceof SystemError ? listenError(wanted, error, options.option) : error;
  } finally {
    if (claim !== undefined) close(claim);
  }
}

/**
 * Makes the listeners listen: from the first one on, clients can connect. Not for those that another process has opened:
 * they listen already, and keep its backlog.
 *
 * @param address theirs, for the error
 * @param option the option that chooses it, for the error
 * @throws ServeError if a program that is not Mondo listens there since the bind
 */
export function listenAll(
  listeners: readonly number[],
  address: SocketAddress,
  backlog: number,
  option?: string,
): void {
  try {
    for (const listener of listeners) listenOn(listener, backlog);
  } catch (error) {
    throw error instanceof SystemError ? listenError(address, error, option) : error;
  }
}

function open(address: SocketAddress, opening: (address: SocketAddress) => number): number {
  try {
    return opening(address);
  } catch (error) {
    const isAll = address.family === 'IPv6' && address.host === '::';
    if (!isAll || !(error instanceof SystemError) || error.code !== 'EAFNOSUPPORT') throw error;
    return opening({ ...address, family: 'IPv4', host: '0.0.0.0' });
  }
}

type UnixAddress = SocketAddress & { readonly family: 'unix' };

/** Time that a start waits for another one in the same folder, in ms. */
const LOCK_TIMEOUT_MS = 2000;
const LOCK_INTERVAL = 5;

/**
 * Only one start at a time checks whether a file is stale, and replaces it. Otherwise two could find the
 * same file stale, and the second would remove the new file of the first. The lock is on the folder: it leaves no
 * file behind, and the kernel releases it with the process.
 */
function openUnix(address: UnixAddress): Bound {
  const folder = lockFolder(address);
  try {
    const listener = openUnixLocked(address);
    const path = resolve(address.path);
    const { dev, ino } = lstatSync(path);
    const file = { path, dev, ino };
    return { listeners: [listener], address, file, isInherited: false };
  } finally {
    if (folder !== undefined) closeSync(folder);
  }
}

function lockFolder(address: UnixAddress): number | undefined {
  let folder: number;
  try {
    folder = openSync(dirname(resolve(address.path)), 'r');
  } catch {
    // The folder does not exist, and bind will report that. Or it is writable and not readable; then there is no
    // lock.
    return undefined;
  }
  const pause = new Int32Array(new SharedArrayBuffer(4));
  for (let waited = 0; !tryLock(folder); waited += LOCK_INTERVAL) {
    if (waited >= LOCK_TIMEOUT_MS) {
      closeSync(folder);
      throw new ServeError(
        'failed',
        `Cannot listen at ${addressText(address)}: another process has locked the folder for ${LOCK_TIMEOUT_MS} ms; try again, or choose a path in another folder`,
      );
    }
    Atomics.wait(pause, 0, 0, LOCK_INTERVAL);
  }
  return folder;
}

function openUnixLocked(address: UnixAddress): number {
  try {
    return bindListener(address);
  } catch (error) {
    if (!(error instanceof SystemError) || error.code !== 'EADDRINUSE' || !isStale(address)) {
      throw error;
    }
    // A server that was killed left this file: nothing listens there.
    unlinkSync(address.path);
    return bindListener(address);
  }
}

function isStale(address: UnixAddress): boolean {
  // The kernel refuses to connect to any file that is not a socket, and such a file may be valuable.
  if (!isSocket(address.path)) return false;
  try {
    // Do not wait: if the queue of a server is full, a blocking connect would take for ever.
    close(dial(address));
    return false;
  } catch (error) {
    if (!(error instanceof SystemError) || error.code !== 'ECONNREFUSED') return false;
    // A server that starts has its address, and refuses clients until it can serve them.
    return !isBoundUnix(address.path);
  }
}

const isSocket = (path: string) => lstatSync(path, { throwIfNoEntry: false })?.isSocket() === true;

/**
 * The error of a listener that could not be opened, with the fix.
 *
 * @param error from Mondo's system calls or, without them, from Node. Node does not check whether a socket file is
 *   stale
 */
export function listenError(
  address: SocketAddress,
  error: SystemError | Error,
  option = '-p',
): ServeError {
  const where = addressText(address);
  const port = address.family === 'unix' ? undefined : address.port;
  const reasons: Record<string, string> = {
    EADDRINUSE:
      address.family === 'unix'
        ? isSocket(address.path)
          ? error instanceof SystemError
            ? 'a server is listening there; stop it or choose another path'
            : 'there is a socket file; stop the server that listens there, or remove the file if none does'
          : 'there is a file that is no socket; choose another path'
        : `port ${port} is in use; stop what listens there, or choose another with ${option} (0: any free one)`,
    EACCES:
      port === undefined
        ? 'no permission to create the socket file'
        : `no permission for port ${port}; ports below 1024 need root, choose a higher one with ${option}`,
    EADDRNOTAVAIL: 'no interface of this machine has that address',
    ENOENT: 'there is no such folder',
  };
  const { code = '' } = error as NodeJS.ErrnoException;
  const reason = reasons[code] ?? error.message;
  return new ServeError('failed', `Cannot listen at ${where}: ${reason}`, { cause: error });
}

/**
 * Removes a socket file that this process has made, if it is still that file: another server may have its own
 * there. Call it before the listener is closed, because the kernel may reuse the file's number after that.
 */
export function removeSocketFile(file: SocketFile | undefined): void {
  if (file === undefined) return;
  try {
    const { dev, ino } = lstatSync(file.path);
    if (dev === file.dev && ino === file.ino) unlinkSync(file.path);
  } catch {
    // The file is already removed.
  }
}
