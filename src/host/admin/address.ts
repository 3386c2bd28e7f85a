/** The addresses of the admin listener and of the agent check: `[HOST:]PORT` or `unix:PATH`. */
import type { SocketAddress } from '../../os/address.ts';
import { ServeError } from '../errors.ts';

/** A host and a port, in the form that `resolveAddress` takes. */
export interface Place {
  readonly host: string;
  readonly port: number;
}

const DEFAULT_HOST = '127.0.0.1';

/**
 * Parses `9106`, `127.0.0.1:9106`, `[::1]:9106`, `name:9106` or `unix:PATH`. Without a host it is 127.0.0.1.
 *
 * @param option its name on the command line, for the error
 * @throws ServeError
 */
export function parsePlace(option: string, text: string): Place {
  if (text.startsWith('unix:')) return { host: text, port: 0 };
  const [, host = '', digits = ''] = /^(?:(\[[^\]]+\]|[^:[\]]+):)?(\d{1,5})$/.exec(text) ?? [];
  const port = Number(digits);
  if (digits !== '' && port <= 65_535) return { host: host === '' ? DEFAULT_HOST : host, port };
  throw new ServeError(
    'usage',
    `Cannot use "${text}" for ${option}: give a port such as 9106, an address with a port such as [::1]:9106, or unix:PATH`,
  );
}

/** True if only programs of this machine can connect to it. */
export function isLoopback(address: SocketAddress): boolean {
  if (address.family === 'unix') return true;
  if (address.family === 'IPv4') return address.host.startsWith('127.');
  return address.host === '::1' || address.host.startsWith('::ffff:127.');
}
