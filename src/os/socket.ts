/** Stream sockets: the calls of socket(2), bind(2), listen(2), accept(2), recv(2), send(2), shutdown(2). */
import {
  ADDRESS_SIZE,
  AF_INET6,
  AF_UNIX,
  addressBytes,
  addressText,
  decodeAddress,
  encodeAddress,
  familyOf,
  type SocketAddress,
} from './address.ts';
import { addressOf, check, libc, ordinary, SystemError } from './libc.ts';

const SOCK_STREAM = 1;
const SOCK_SEQPACKET = 5;
const SOCK_NONBLOCK = 0o4000;
const SOCK_CLOEXEC = 0o2000000;
const SOL_SOCKET = 1;
const SO_REUSEADDR = 2;
const SO_REUSEPORT = 15;
const SO_RCVTIMEO = 20;
const SO_SNDTIMEO = 21;
const SO_LINGER = 13;
const SO_ACCEPTCONN = 30;
const SO_ERROR = 4;
const IPPROTO_TCP = 6;
const TCP_NODELAY = 1;
const TCP_INFO = 11;
/** Where `struct tcp_info` has what waits in a listener's queue. */
const TCPI_UNACKED = 24;
const IPPROTO_IPV6 = 41;
const IPV6_V6ONLY = 26;
const F_GETFL = 3;
const F_SETFL = 4;
const F_DUPFD_CLOEXEC = 1030;
const O_NONBLOCK = 0o4000;
const LOCK_EX = 2;
const LOCK_NB = 4;
/** A peer that is gone must be an error of that one call, not a signal that ends the process. */
const MSG_NOSIGNAL = 0x4000;
const MSG_DONTWAIT = 0x40;
const MSG_PEEK = 0x2;
const SHUT_WR = 1;
const SHUT_RDWR = 2;

const int = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  new Int32Array(bytes.buffer, bytes.byteOffset, 1)[0] = value;
  return bytes;
};

function setOption(fd: number, level: number, name: number, value: Buffer): void {
  check('setsockopt', libc.setsockopt(fd, level, name, value, value.length));
}

/**
 * A listening socket.
 *
 * @param options.backlog how many connections the kernel holds until they are accepted; it cuts the
 *   number to `net.core.somaxconn`
 * @param options.reuseport lets several listeners share the port, the kernel spreading peers over them
 * @throws SystemError of `bind` with `EADDRINUSE`, `EACCES` or `EADDRNOTAVAIL`, among others
 */
export function openListener(
  address: SocketAddress,
  options: { backlog: number; reuseport?: boolean },
): number {
  const family = familyOf(address);
  const fd = check('socket', libc.socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  try {
    if (family !== AF_UNIX) {
      setOption(fd, SOL_SOCKET, SO_REUSEADDR, int(1));
      // Accepted sockets inherit it: set once here, it costs no call per connection.
      setOption(fd, IPPROTO_TCP, TCP_NODELAY, int(1));
    }
    if (options.reuseport === true) setOption(fd, SOL_SOCKET, SO_REUSEPORT, int(1));
    if (family === AF_INET6) setOption(fd, IPPROTO_IPV6, IPV6_V6ONLY, int(0));
    const bytes = encodeAddress(address);
    check('bind', libc.bind(fd, bytes, bytes.length));
    check('listen', libc.listen(fd, options.backlog));
    return fd;
  } catch (error) {
    close(fd);
    throw error;
  }
}

/**
 * Claims a port for listeners that will share it: fails where anyone listens there, with SO_REUSEPORT or without.
 * Among several claims at the same moment, one succeeds: `listen` fails for the others.
 *
 * @returns a listener to close once those that share the port are open
 * @throws SystemError as `openListener`
 */
export function claimPort(address: SocketAddress): number {
  const claim = openListener(address, { backlog: 0 });
  // Only now: it lets our own listeners in, and until here it kept others out.
  setOption(claim, SOL_SOCKET, SO_REUSEPORT, int(1));
  return claim;
}

/** Locks an open file or folder among all processes, without waiting. flock(2) @returns false if another has it */
export const tryLock = (fd: number): boolean => libc.flock(fd, LOCK_EX | LOCK_NB) === 0;

/** Two sockets that are connected to each other, for messages that stay whole. socketpair(2) */
export function socketPair(): readonly [number, number] {
  const pair = new Int32Array(2);
  check('socketpair', libc.socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair));
  return [pair[0]!, pair[1]!];
}

/** A blocking connection to `address`. */
export function connect(address: SocketAddress): number {
  const fd = check('socket', libc.socket(familyOf(address), SOCK_STREAM | SOCK_CLOEXEC, 0));
  const bytes = encodeAddress(address);
  try {
    check('connect', libc.connect(fd, bytes, bytes.length));
    return fd;
  } catch (error) {
    close(fd);
    throw error;
  }
}

const peer = Buffer.allocUnsafeSlow(ADDRESS_SIZE);
const peerAddress = addressOf(peer);
const peerLength = new Uint32Array(1);
const peerLengthAddress = addressOf(new Uint8Array(peerLength.buffer));

/** Waits for a peer; its socket blocks. `INTERRUPTED` if a signal woke the thread. */
export function accept(listener: number): number {
  peerLength[0] = ADDRESS_SIZE;
  const fd = libc.accept4(listener, peerAddress, peerLengthAddress, SOCK_CLOEXEC);
  return fd >= 0 ? fd : ordinary('accept4', fd);
}

/** Takes a peer that is already there; its socket does not block. `WOULD_BLOCK` if there is none. */
export function acceptNonblocking(listener: number): number {
  peerLength[0] = ADDRESS_SIZE;
  const flags = SOCK_CLOEXEC | SOCK_NONBLOCK;
  const fd = libc.accept4(listener, peerAddress, peerLengthAddress, flags);
  return fd >= 0 ? fd : ordinary('accept4', fd);
}

/** Who the last accepted peer of this thread is. */
export const acceptedPeer = (): string => addressText(decodeAddress(peer, peerLength[0]!));

/** Its address alone, as 16 bytes that are good until the next accept; undefined for a unix peer. */
export const acceptedAddress = (): Uint8Array | undefined => addressBytes(peer, peerLength[0]!);

/** Bytes received into `[address, address + length)`; 0 is end of stream. */
export function recv(fd: number, address: number, length: number): number {
  const count = libc.recv(fd, address, length, 0);
  return count >= 0 ? count : ordinary('recv', count);
}

/** What is there already, whether or not the socket blocks; `WOULD_BLOCK` if that is nothing. */
export function tryRecv(fd: number, address: number, length: number): number {
  const count = libc.recv(fd, address, length, MSG_DONTWAIT);
  return count >= 0 ? count : ordinary('recv', count);
}

/** How many of the bytes the kernel took at once, whether or not the socket blocks. */
export function trySend(fd: number, address: number, length: number): number {
  const count = libc.send(fd, address, length, MSG_NOSIGNAL | MSG_DONTWAIT);
  return count >= 0 ? count : ordinary('send', count);
}

/** How many of the bytes at `address` the kernel took; it may be fewer than offered. */
export function send(fd: number, address: number, length: number): number {
  const count = libc.send(fd, address, length, MSG_NOSIGNAL);
  return count >= 0 ? count : ordinary('send', count);
}

/** Ends both directions, and a listener's accepting: whoever is blocked on it, in any thread or process, wakes up. */
export const shutdown = (fd: number): void => void libc.shutdown(fd, SHUT_RDWR);

/** Closes a descriptor. Never to be tried again, whatever it returned: close(2). */
export const close = (fd: number): void => void libc.close(fd);

/** Closes with RST: the peer is told at once, and nothing of the connection stays behind in the kernel. */
export function reset(fd: number): void {
  // struct linger: on, for 0 seconds. It fails where the peer is gone.
  libc.setsockopt(fd, SOL_SOCKET, SO_LINGER, Buffer.concat([int(1), int(0)]), 8);
  close(fd);
}

const scrap = Buffer.allocUnsafeSlow(65_536);
const scrapAddress = addressOf(scrap);

/** Says one last thing and closes, without ever waiting, whether or not the socket blocks. */
export function dismiss(fd: number, text: string): void {
  const length = scrap.write(text, 'latin1');
  libc.send(fd, scrapAddress, length, MSG_NOSIGNAL | MSG_DONTWAIT);
  libc.shutdown(fd, SHUT_WR);
  // With bytes left unread, close(2) sends RST, which may overtake the last word.
  libc.recv(fd, scrapAddress, scrap.length, MSG_DONTWAIT);
  close(fd);
}

/** A second descriptor for the same open socket, which no program inherits that this process starts. fcntl(2) */
export const dup = (fd: number): number => check('fcntl', libc.fcntl(fd, F_DUPFD_CLOEXEC, 0));

/**
 * Has calls on a socket that is standard input block. Node makes it non-blocking when first it is asked for
 * `process.stdin`, and a service might ask at any moment: that is undone at once then.
 */
export function blockOnStandardInput(): void {
  setBlocking(0, true);
  const { get } = Object.getOwnPropertyDescriptor(process, 'stdin') ?? {};
  if (get === undefined) return;
  Object.defineProperty(process, 'stdin', {
    configurable: true,
    enumerable: true,
    get() {
      const stdin = get.call(process);
      setBlocking(0, true);
      return stdin;
    },
  });
}

/** O_NONBLOCK belongs to the open socket, so it changes for everybody who shares it. */
export function setBlocking(fd: number, blocking: boolean): void {
  const flags = check('fcntl', libc.fcntl(fd, F_GETFL, 0));
  const wanted = blocking ? flags & ~O_NONBLOCK : flags | O_NONBLOCK;
  if (wanted !== flags) check('fcntl', libc.fcntl(fd, F_SETFL, wanted));
}

function setTimeout(fd: number, option: number, ms: number): void {
  const whole = Math.ceil(ms);
  const timeval = [BigInt(Math.floor(whole / 1000)), BigInt((whole % 1000) * 1000)];
  setOption(fd, SOL_SOCKET, option, Buffer.from(new BigInt64Array(timeval).buffer));
}

/** After `ms` of waiting in `accept` or `recv` the call gives `WOULD_BLOCK`; 0 is for ever. socket(7) */
export const setReceiveTimeout = (fd: number, ms: number): void => setTimeout(fd, SO_RCVTIMEO, ms);

/** After `ms` of waiting for room `send` gives what it could send, or `WOULD_BLOCK`. socket(7) */
export const setSendTimeout = (fd: number, ms: number): void => setTimeout(fd, SO_SNDTIMEO, ms);

/** What is behind a descriptor: a listening socket, a connected one, or no socket. */
export function socketKind(fd: number): 'listener' | 'connection' | undefined {
  const value = Buffer.alloc(4);
  if (libc.getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, value, int(4)) < 0) return undefined;
  return value.some((byte) => byte !== 0) ? 'listener' : 'connection';
}

/** Whether the peer has ended its direction and nothing that it sent is left to receive. */
export const isAtEnd = (fd: number): boolean =>
  libc.recv(fd, scrapAddress, 1, MSG_PEEK | MSG_DONTWAIT) === 0;

/** The error that a socket has and has told to no call yet, as the next `recv` would give it. socket(7) */
export function socketError(fd: number): SystemError {
  const value = Buffer.alloc(4);
  check('getsockopt', libc.getsockopt(fd, SOL_SOCKET, SO_ERROR, value, int(4)));
  return new SystemError('recv', new Int32Array(value.buffer, value.byteOffset, 1)[0]!);
}

/** How many clients wait in a listener's queue; at least 1, where only that is known. tcp(7) */
export function acceptQueueLength(listener: number): number {
  const info = Buffer.alloc(104);
  if (libc.getsockopt(listener, IPPROTO_TCP, TCP_INFO, info, int(info.length)) < 0) return 1;
  return Math.max(1, new DataView(info.buffer, info.byteOffset).getUint32(TCPI_UNACKED, true));
}

/** Where this socket is bound. */
export function localAddress(fd: number): SocketAddress {
  const bytes = Buffer.alloc(ADDRESS_SIZE);
  const length = int(ADDRESS_SIZE);
  check('getsockname', libc.getsockname(fd, bytes, length));
  return decodeAddress(bytes, length.readInt32LE(0));
}

/** The address alone of who is at the other end, as 16 bytes; undefined for a unix peer. */
export function peerAddressOf(fd: number): Uint8Array | undefined | 'gone' {
  const bytes = Buffer.alloc(ADDRESS_SIZE);
  const length = int(ADDRESS_SIZE);
  if (libc.getpeername(fd, bytes, length) < 0) return 'gone';
  return addressBytes(bytes, length.readInt32LE(0));
}

/** Who is at the other end, or `'unknown'` where the peer is gone already. */
export function peerOf(fd: number): string {
  const bytes = Buffer.alloc(ADDRESS_SIZE);
  const length = int(ADDRESS_SIZE);
  if (libc.getpeername(fd, bytes, length) < 0) return 'unknown';
  return addressText(decodeAddress(bytes, length.readInt32LE(0)));
}
