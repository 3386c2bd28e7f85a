/**
 * Connects in ways that no friendly client does: without waiting, from a chosen address, with little room for
 * answers. ip(7), tcp(7), socket(7)
 */
import { constants } from 'node:os';
import { encodeAddress, familyOf, type SocketAddress } from './address.ts';
import { check, errno, libc, SystemError } from './libc.ts';
import { close } from './socket.ts';

const SOCK_STREAM = 1;
const SOCK_NONBLOCK = 0o4000;
const SOCK_CLOEXEC = 0o2000000;
const SOL_SOCKET = 1;
const SO_ERROR = 4;
const SO_RCVBUF = 8;
const IPPROTO_IP = 0;
const IP_BIND_ADDRESS_NO_PORT = 24;
const IPPROTO_TCP = 6;
const TCP_NODELAY = 1;
const TCP_MAXSEG = 2;
const TCP_INFO = 11;
const SHUT_WR = 1;
/** The smallest segment size that every host accepts. */
const SMALL_SEGMENT = 536;
// tcpi_state.
const TCP_ESTABLISHED = 1;
const TCP_FIN_WAIT1 = 4;
const TCP_FIN_WAIT2 = 5;
const TCP_CLOSE_WAIT = 8;

const int = (value: number) => Buffer.from(new Int32Array([value]).buffer);

export interface DialOptions {
  /** An address of this machine, such as `127.0.0.2`. The kernel chooses the port. */
  readonly from?: string;
  /**
   * Receive buffer of the kernel, in bytes. The kernel doubles it, and has a minimum. Segments become small, too:
   * the peer's send buffer is a multiple of them, and on loopback that would be megabytes.
   */
  readonly room?: number;
}

/** Starts to connect a socket that does not block. `connectionState` tells when it is connected. */
export function dial(to: SocketAddress, { from, room }: DialOptions = {}): number {
  const flags = SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC;
  const fd = check('socket', libc.socket(familyOf(to), flags, 0));
  try {
    // Set it before connect: the window that the peer is offered depends on it.
    if (room !== undefined) {
      check('setsockopt', libc.setsockopt(fd, SOL_SOCKET, SO_RCVBUF, int(room), 4));
      check('setsockopt', libc.setsockopt(fd, IPPROTO_TCP, TCP_MAXSEG, int(SMALL_SEGMENT), 4));
    }
    if (from !== undefined) {
      // Let connect choose the port when both ends are known: otherwise the port is taken for all peers.
      libc.setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, int(1), 4);
      const bytes = encodeAddress({ family: 'IPv4', host: from, port: 0 });
      check('bind', libc.bind(fd, bytes, bytes.length));
    }
    const bytes = encodeAddress(to);
    if (libc.connect(fd, bytes, bytes.length) < 0) {
      const number = errno();
      if (number !== constants.errno.EINPROGRESS) throw new SystemError('connect', number);
    }
    return fd;
  } catch (error) {
    close(fd);
    throw error;
  }
}

/**
 * The state of a connection: `open` once the peer's kernel has answered, `left` when the peer has ended its
 * direction, `none` before, or after a reset.
 */
export function connectionState(fd: number): 'none' | 'open' | 'left' {
  const state = Buffer.alloc(1);
  if (libc.getsockopt(fd, IPPROTO_TCP, TCP_INFO, state, int(1)) < 0) return 'none';
  switch (state[0]) {
    case TCP_ESTABLISHED:
    case TCP_FIN_WAIT1:
    case TCP_FIN_WAIT2:
      return 'open';
    case TCP_CLOSE_WAIT:
      return 'left';
    default:
      return 'none';
  }
}

/** Why a connect failed, as errno; 0 if it is connected. SO_ERROR in socket(7) */
export function connectError(fd: number): number {
  const value = Buffer.alloc(4);
  check('getsockopt', libc.getsockopt(fd, SOL_SOCKET, SO_ERROR, value, int(4)));
  return new Int32Array(value.buffer, value.byteOffset, 1)[0]!;
}

/** Without it, a second question waits until the first is acknowledged. TCP_NODELAY in tcp(7) */
export function sendAtOnce(fd: number): void {
  check('setsockopt', libc.setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, int(1), 4));
}

/** Ends this direction; the other stays open. shutdown(2) */
export const endSending = (fd: number): void => void libc.shutdown(fd, SHUT_WR);
