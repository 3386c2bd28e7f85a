/** What the kernel knows of a socket of Node's, and Node itself does not. */
import type { Socket } from 'node:net';
import { whyNoSystemCalls } from '../../os/libc.ts';
import { isReadable } from '../../os/poll.ts';
import { peerOf as kernelsPeer } from '../../os/socket.ts';
import type { Peer } from '../../protocol/service.ts';
import { peerAt } from '../peer.ts';

/** Its descriptor; -1 if the system has none, or the socket is closed. */
export const descriptorOf = (socket: Socket): number =>
  (socket as unknown as { _handle?: { fd?: number } | null })._handle?.fd ?? -1;

/** Its descriptor for a system call; -1 if this process makes none. */
const callable = (socket: Socket): number =>
  whyNoSystemCalls() === undefined ? descriptorOf(socket) : -1;

/**
 * True if the next `recv` would return something that no listener of the socket has got: bytes, the end of the stream,
 * or an error. Never waits. False if this process makes no system calls: then it is unknown.
 */
export function hasUnread(socket: Socket): boolean {
  if (socket.readableLength > 0) return true;
  const fd = callable(socket);
  return fd >= 0 && isReadable(fd);
}

/** The address, and true if it is one of IPv4: an IPv4 peer of an IPv6 listener has its IPv4 address. */
function plainOf(remoteAddress: string): readonly [string, boolean] {
  const address = remoteAddress.replace(/^::ffff:(?=[\d.]+$)/, '');
  return [address, !address.includes(':')];
}

/** The peer, as a service sees it. */
export function peerOf(socket: Socket): Peer {
  const { remoteAddress, remotePort = 0 } = socket;
  if (remoteAddress !== undefined) {
    const [address, isPlain] = plainOf(remoteAddress);
    return { family: isPlain ? 'IPv4' : 'IPv6', address, port: remotePort, path: '' };
  }
  // Node has no address of a unix peer, and none of a peer that is gone.
  const fd = callable(socket);
  return fd < 0 ? { family: 'unix', address: '', port: 0, path: '' } : peerAt(fd);
}

/** The peer, as the log shows it. @param isUnix true if the listener is a unix socket */
export function peerText(socket: Socket, isUnix: boolean): string {
  const { remoteAddress, remotePort } = socket;
  if (remoteAddress !== undefined) {
    const [address, isPlain] = plainOf(remoteAddress);
    return isPlain ? `${address}:${remotePort}` : `[${address}]:${remotePort}`;
  }
  const fd = callable(socket);
  // A TCP peer that left before it was accepted has no address either.
  if (fd < 0) return isUnix ? 'unix' : 'unknown';
  return kernelsPeer(fd);
}
