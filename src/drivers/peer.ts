/** The peer of a connection, as a service sees it. */
import { remoteAddress } from '../os/socket.ts';
import type { Peer } from '../protocol/service.ts';

/** @param socket its descriptor */
export function peerAt(socket: number): Peer {
  const found = remoteAddress(socket);
  if (found === undefined || found.family === 'unix') {
    return { family: 'unix', address: '', port: 0, path: found?.path ?? '' };
  }
  return { family: found.family, address: found.host, port: found.port, path: '' };
}
