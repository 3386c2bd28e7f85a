/** Opening the listener, which belongs to the supervisor: what cannot be opened is told before anything starts. */
import { lookup } from 'node:dns/promises';
import { closeSync, lstatSync, openSync, unlinkSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { addressText, literalAddress, type SocketAddress } from '../os/address.ts';
import { dial } from '../os/dialing.ts';
import { SystemError } from '../os/libc.ts';
import { claimPort, close, localAddress, openListener, tryLock } from '../os/socket.ts';
import { ServeError } from './errors.ts';

export interface ListenOptions {
  readonly backlog: number;
  readonly reuseport: boolean;
  /** How many listeners on the one address; more than one only with `reuseport`. */
  readonly count: number;
}

/** A socket file that this process has made, by what tells it from another at the same path. */
export interface SocketFile {
  readonly path: string;
  readonly dev: number;
  readonly ino: number;
}

/** Listeners that are open. */
export interface Opened {
  readonly listeners: number[];
  /** Where they are bound. */
  readonly address: SocketAddress;
  /** At a unix path: to be removed before the listeners are closed. */
  readonly file: SocketFile | undefined;
}

/**
 * Where `host` and `port` are.
 *
 * @param host a name, an IPv4 or IPv6 address, `''` for all interfaces, or `unix:PATH`
 * @throws ServeError if the name is not known, or no address can be like that
 */
export async function resolveAddress(host: string, port: number): Promise<SocketAddress> {
  return (await resolveAddresses(host, port))[0]!;
}

/** All addresses of a host, IPv4 first, so that "localhost" is where 127.0.0.1 is. @throws ServeError */
export async function resolveAddresses(
  host: string,
  port: number,
): Promise<readonly SocketAddress[]> {
  // The unspecified IPv6 address takes IPv4 peers as well: IPV6_V6ONLY is off.
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

/**
 * Opens the listeners. A port that another server has is refused, also where both share ports: only what listens
 * with SO_REUSEPORT later, and is no Mondo, can join. At a unix path a file is replaced if no server listens there.
 *
 * @throws ServeError
 */
export function openListeners(wanted: SocketAddress, options: ListenOptions): Opened {
  const listeners: number[] = [];
  let address = wanted;
  let claim: number | undefined;
  try {
    if (wanted.family === 'unix') return openUnix(wanted, options);
    if (options.reuseport && wanted.port !== 0) claim = open(wanted, claimPort);
    for (let i = 0; i < options.count; i++) {
      const listener = open(address, (one) => openListener(one, options));
      listeners.push(listener);
      // Port 0 is decided by the first; the others share what it got.
      address = localAddress(listener);
    }
    return { listeners, address, file: undefined };
  } catch (error) {
    for (const listener of listeners) close(listener);
    // A path that the kernel has no room for.
    if (error instanceof RangeError) throw new ServeError('usage', error.message, { cause: error });
    throw error instanceof SystemError ? listenError(wanted, error) : error;
  } finally {
    if (claim !== undefined) close(claim);
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

/** How long a start waits for another in the same folder, in ms. */
const LOCK_TIME = 2000;
const LOCK_INTERVAL = 5;

/**
 * One start at a time looks whether a file is stale, replaces it, and listens: else two could find the same file
 * stale, and the second would remove what the first has just made. The lock is on the folder: it leaves no file
 * behind, and the kernel releases it with the process.
 */
function openUnix(address: UnixAddress, options: ListenOptions): Opened {
  const folder = lockFolder(address);
  try {
    const listener = openUnixLocked(address, options);
    const path = resolve(address.path);
    const { dev, ino } = lstatSync(path);
    return { listeners: [listener], address, file: { path, dev, ino } };
  } finally {
    if (folder !== undefined) closeSync(folder);
  }
}

function lockFolder(address: UnixAddress): number | undefined {
  let folder: number;
  try {
    folder = openSync(dirname(resolve(address.path)), 'r');
  } catch {
    // It is not there, which bind will say; or it may be written to and not be read, and then there is no lock.
    return undefined;
  }
  const pause = new Int32Array(new SharedArrayBuffer(4));
  for (let waited = 0; !tryLock(folder); waited += LOCK_INTERVAL) {
    if (waited >= LOCK_TIME) {
      closeSync(folder);
      throw new ServeError(
        'failed',
        `Cannot listen at ${addressText(address)}: another process has locked the folder for ${LOCK_TIME} ms; try again, or choose a path in another folder`,
      );
    }
    Atomics.wait(pause, 0, 0, LOCK_INTERVAL);
  }
  return folder;
}

function openUnixLocked(address: UnixAddress, options: ListenOptions): number {
  try {
    return openListener(address, options);
  } catch (error) {
    if (!(error instanceof SystemError) || error.code !== 'EADDRINUSE' || !isStale(address)) {
      throw error;
    }
    // Left behind by a server that was killed: nothing listens there.
    unlinkSync(address.path);
    return openListener(address, options);
  }
}

function isStale(address: UnixAddress): boolean {
  // The kernel refuses to connect to any file that is no socket, and that may be somebody's work.
  if (!isSocket(address.path)) return false;
  try {
    // Without waiting: where the queue of a server is full, a connect that blocks would take for ever.
    close(dial(address));
    return false;
  } catch (error) {
    return error instanceof SystemError && error.code === 'ECONNREFUSED';
  }
}

const isSocket = (path: string) => lstatSync(path, { throwIfNoEntry: false })?.isSocket() === true;

/**
 * The error of a listener that could not be opened, with the way out.
 *
 * @param error of ours, or of Node where Mondo makes no system calls: then no one has looked whether a socket file is
 *   stale
 */
export function listenError(address: SocketAddress, error: SystemError | Error): ServeError {
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
        : `port ${port} is in use; stop what listens there, or choose another with -p (0: any free one)`,
    EACCES:
      port === undefined
        ? 'no permission to create the socket file'
        : `no permission for port ${port}; ports below 1024 need root, choose a higher one with -p`,
    EADDRNOTAVAIL: 'no interface of this machine has that address',
    ENOENT: 'there is no such folder',
  };
  const { code = '' } = error as NodeJS.ErrnoException;
  const reason = reasons[code] ?? error.message;
  return new ServeError('failed', `Cannot listen at ${where}: ${reason}`, { cause: error });
}

/**
 * Removes a socket file that this process has made, if it is still that file: another server may have its own there.
 * To be called before the listener is closed: the kernel gives a file's number to another once nothing has it.
 */
export function removeSocketFile(file: SocketFile | undefined): void {
  if (file === undefined) return;
  try {
    const { dev, ino } = lstatSync(file.path);
    if (dev === file.dev && ino === file.ino) unlinkSync(file.path);
  } catch {
    // It is removed already.
  }
}
