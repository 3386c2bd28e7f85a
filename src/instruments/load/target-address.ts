/**
 * Chooses the address of the target. If a name has several addresses, it is the first that accepts
 * a connection.
 */
import { accessSync, constants } from 'node:fs';
import { connect } from 'node:net';
import { ServeError } from '../../host/errors.ts';
import { resolveAddresses } from '../../host/listen.ts';
import { addressText, type SocketAddress } from '../../os/address.ts';

/** Timeout for each of several addresses, in ms. */
const PATIENCE = 1000;

/**
 * @param host host name as a client writes it; `''` is this machine
 * @throws ServeError if the name is unknown, the address is invalid, or writing to the socket file
 *   is not permitted
 */
export async function targetAddress(host: string, port: number): Promise<SocketAddress> {
  const addresses = await resolveAddresses(host === '' ? 'localhost' : host, port);
  const [first] = addresses;
  if (first!.family === 'unix') checkPermission(first!.path, addressText(first!));
  return addresses.length === 1 ? first! : firstThatAnswers(addresses);
}

/**
 * Returns the first address that accepts a connection, tried in order. If none does, returns the
 * first.
 */
export async function firstThatAnswers(
  addresses: readonly SocketAddress[],
): Promise<SocketAddress> {
  for (const address of addresses) if (await answers(address)) return address;
  return addresses[0]!;
}

function checkPermission(path: string, where: string): void {
  try {
    accessSync(path, constants.W_OK);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    // A missing socket file may appear later. Until then, each attempt counts as refused.
    if (code !== 'EACCES' && code !== 'EPERM') return;
    throw new ServeError(
      'failed',
      `Cannot connect to "${where}": permission denied; ask for the right to write to the socket file`,
      { cause: error },
    );
  }
}

function answers(address: SocketAddress): Promise<boolean> {
  if (address.family === 'unix') return Promise.resolve(true);
  const socket = connect({ host: address.host, port: address.port, timeout: PATIENCE });
  return new Promise((resolve) => {
    const end = (isThere: boolean) => {
      socket.destroy();
      resolve(isThere);
    };
    socket.once('connect', () => end(true));
    socket.once('error', () => end(false));
    socket.once('timeout', () => end(false));
  });
}
