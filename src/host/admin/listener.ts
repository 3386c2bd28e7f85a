/** Opens a server of Node's for the outside view of a server: the admin listener, or the agent check. */
import type { Server } from 'node:net';
import { addressText, type SocketAddress } from '../../os/address.ts';
import { whyNoSystemCalls } from '../../os/libc.ts';
import { close } from '../../os/socket.ts';
import { ServeError } from '../errors.ts';
import {
  bindListeners,
  listenAll,
  listenError,
  removeSocketFile,
  resolveAddress,
  type SocketFile,
} from '../listen.ts';
import { isLoopback, parsePlace } from './address.ts';

/** Length of the accept queue: a few checkers and scrapers. */
const BACKLOG = 64;
/** The most connections at the same time. Node closes further ones at once. */
const MOST_CONNECTIONS = 32;
/** Time in which a client must have sent its request, and taken the answer, in ms. */
export const PATIENCE_MS = 5000;

export interface Opened {
  readonly address: SocketAddress;
  readonly where: string;
  /** Closes the listener and its connections. */
  close(): Promise<void>;
}

interface ListenerOptions {
  /** Its name on the command line. */
  readonly option: string;
  /** `[HOST:]PORT` or `unix:PATH`. */
  readonly text: string;
  /** True if other machines may reach it. */
  readonly anywhere: boolean;
  /** Closes the connections that are left. */
  readonly drop: () => void;
}

/** @throws ServeError */
export async function openListener(
  server: Server,
  { option, text, anywhere, drop }: ListenerOptions,
): Promise<Opened> {
  const { host, port } = parsePlace(option, text);
  const wanted = await resolveAddress(host, port);
  if (!anywhere && !isLoopback(wanted)) {
    throw new ServeError(
      'usage',
      `Cannot use "${text}" for ${option}: other machines could reach it; give an address of this machine only, or add --admin-anywhere`,
    );
  }
  server.maxConnections = MOST_CONNECTIONS;
  const file = await listen(server, wanted, option);
  // A failed accept ends nothing, as when descriptors run out: without this line it would end the supervisor.
  server.on('error', () => {});
  const address = addressOf(server, wanted);
  return {
    address,
    where: addressText(address),
    close: () =>
      new Promise((resolve) => {
        removeSocketFile(file);
        server.close(() => resolve());
        drop();
      }),
  };
}

async function listen(
  server: Server,
  wanted: SocketAddress,
  option: string,
): Promise<SocketFile | undefined> {
  if (whyNoSystemCalls() !== undefined) {
    const where = wanted.family === 'unix' ? { path: wanted.path } : wanted;
    try {
      await listening(server, { ...where, backlog: BACKLOG });
    } catch (error) {
      throw listenError(wanted, error as Error, option);
    }
    return undefined;
  }
  // Replaces a stale socket file, which Node does not.
  const { listeners, file } = bindListeners(wanted, { reuseport: false, count: 1, option });
  try {
    listenAll(listeners, wanted, BACKLOG, option);
    await listening(server, { fd: listeners[0]! });
  } catch (error) {
    for (const listener of listeners) close(listener);
    removeSocketFile(file);
    throw error;
  }
  return file;
}

function listening(server: Server, options: object): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(options, () => {
      server.off('error', reject);
      resolve();
    });
  });
}

function addressOf(server: Server, wanted: SocketAddress): SocketAddress {
  if (wanted.family === 'unix') return wanted;
  const address = server.address();
  if (address === null || typeof address === 'string') return wanted;
  const { family, address: host, port } = address;
  return { family: family === 'IPv6' ? 'IPv6' : 'IPv4', host, port };
}
