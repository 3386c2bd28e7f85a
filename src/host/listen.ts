/** Opening the listener, which belongs to the supervisor: what cannot be opened is told before anything starts. */
import { lookup } from 'node:dns/promises';
import { lstatSync, unlinkSync } from 'node:fs';
import { isIP } from 'node:net';
import { addressText, type SocketAddress } from '../os/address.ts';
import { SystemError } from '../os/libc.ts';
import { close, connect, localAddress, openListener } from '../os/socket.ts';
import { ServeError } from './errors.ts';

export interface ListenOptions {
  readonly backlog: number;
  readonly reuseport: boolean;
  /** How many listeners on the one address; more than one only with `reuseport`. */
  readonly count: number;
}

/**
 * Where `host` and `port` are.
 *
 * @param host a name, an IPv4 or IPv6 address, `''` for all interfaces, or `unix:PATH`
 * @throws ServeError if the name is not known
 */
export async function resolveAddress(host: string, port: number): Promise<SocketAddress> {
  if (host.startsWith('unix:')) return { family: 'unix', path: host.slice('unix:'.length) };
  // The unspecified IPv6 address takes IPv4 peers as well: IPV6_V6ONLY is off.
  if (host === '') return { family: 'IPv6', host: '::', port };
  const bare = host.replace(/^\[(.*)\]$/, '$1');
  const version = isIP(bare);
  if (version !== 0) return { family: version === 4 ? 'IPv4' : 'IPv6', host: bare, port };
  try {
    // IPv4 first, so that "localhost" is where 127.0.0.1 is.
    const { address, family } = await lookup(bare, { order: 'ipv4first' });
    return { family: family === 4 ? 'IPv4' : 'IPv6', host: address, port };
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new ServeError(
      'failed',
      `Cannot find host "${host}": ${code}; give a name that resolves, an address, or "" for all interfaces`,
      { cause: error },
    );
  }
}

/** Opens the listeners; descriptors and the address they are bound to. */
export function openListeners(
  wanted: SocketAddress,
  options: ListenOptions,
): { listeners: number[]; address: SocketAddress } {
  const listeners: number[] = [];
  let address = wanted;
  try {
    for (let i = 0; i < options.count; i++) {
      const listener = open(address, options);
      listeners.push(listener);
      // Port 0 is decided by the first; the others share what it got.
      address = localAddress(listener);
    }
    return { listeners, address };
  } catch (error) {
    for (const listener of listeners) close(listener);
    // A path that the kernel has no room for.
    if (error instanceof RangeError) throw new ServeError('usage', error.message, { cause: error });
    throw error instanceof SystemError ? explained(wanted, error) : error;
  }
}

function open(address: SocketAddress, options: ListenOptions): number {
  try {
    return openListener(address, options);
  } catch (error) {
    if (!(error instanceof SystemError)) throw error;
    if (address.family === 'IPv6' && address.host === '::' && error.code === 'EAFNOSUPPORT') {
      return openListener({ ...address, family: 'IPv4', host: '0.0.0.0' }, options);
    }
    if (address.family !== 'unix' || error.code !== 'EADDRINUSE' || !isStale(address)) throw error;
    // Left behind by a server that was killed: nobody listens there.
    unlinkSync(address.path);
    return openListener(address, options);
  }
}

function isStale(address: SocketAddress & { family: 'unix' }): boolean {
  // The kernel refuses to connect to any file that is no socket, and that may be somebody's work.
  if (!isSocket(address.path)) return false;
  try {
    close(connect(address));
    return false;
  } catch (error) {
    return error instanceof SystemError && error.code === 'ECONNREFUSED';
  }
}

const isSocket = (path: string) => lstatSync(path, { throwIfNoEntry: false })?.isSocket() === true;

function explained(address: SocketAddress, error: SystemError): ServeError {
  const where = addressText(address);
  const port = address.family === 'unix' ? undefined : address.port;
  const reasons: Record<string, string> = {
    EADDRINUSE:
      address.family === 'unix'
        ? isSocket(address.path)
          ? 'a server is listening there; stop it or choose another path'
          : 'there is a file that is no socket; choose another path'
        : `port ${port} is in use; stop what listens there, or choose another with -p (0: any free one)`,
    EACCES:
      port === undefined
        ? 'no permission to create the socket file'
        : `no permission for port ${port}; ports below 1024 need root, choose a higher one with -p`,
    EADDRNOTAVAIL: 'no interface of this machine has that address',
    ENOENT: 'there is no such folder',
  };
  const reason = reasons[error.code] ?? error.message;
  return new ServeError('failed', `Cannot listen at ${where}: ${reason}`, { cause: error });
}

/** Removes the socket file of a listener that was closed. */
export function removeSocketFile(address: SocketAddress): void {
  if (address.family !== 'unix') return;
  try {
    unlinkSync(address.path);
  } catch {
    // Somebody else has removed it: that is what was wanted.
  }
}
