/** What the kernel knows of a socket of Node's, and Node itself does not. */
import type { Socket } from 'node:net';
import { whyNoSystemCalls } from '../../os/libc.ts';
import { isReadable } from '../../os/poll.ts';

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
