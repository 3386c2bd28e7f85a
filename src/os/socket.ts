/** Stream sockets: the calls of socket(2), bind(2), listen(2), accept(2), recv(2), send(2), shutdown(2). */
import { fstatSync } from 'node:fs';
import {
  ADDRESS_SIZE,
  AF_INET,
  AF_INET6,
  AF_UNIX,
  addressBytes,
  addressText,
  decodeAddress,
  encodeAddress,
  familyOf,
  type SocketAddress,
  unmapped,
} from './address.ts';
import { addressOf, check, libc, ordinary, SystemError } from './libc.ts';

const SOCK_STREAM = 1;
const SOCK_SEQPACKET = 5;
const TYPES: Readonly<Record<number, string>> = {
  2: 'a datagram socket',
  3: 'a raw socket',
  [SOCK_SEQPACKET]: 'a socket of type SOCK_SEQPACKET',
};
const SOCK_NONBLOCK = 0o4000;
const SOCK_CLOEXEC = 0o2000000;
const SOL_SOCKET = 1;
const SO_REUSEADDR = 2;
const SO_REUSEPORT = 15;
const SO_RCVTIMEO = 20;
const SO_SNDTIMEO = 21;
const SO_LINGER = 13;
const SO_ACCEPTCONN = 30;
const SO_TYPE = 3;
const SO_DOMAIN = 39;
const SO_ERROR = 4;
const IPPROTO_TCP = 6;
const TCP_NODELAY = 1;
const TCP_INFO = 11;
/** Offsets in `struct tcp_info`. For a listener: the number of clients in its queue, and its backlog. */
const TCPI_UNACKED = 24;
const TCPI_SACKED = 28;
const IPPROTO_IPV6 = 41;
const IPV6_V6ONLY = 26;
const F_GETFL = 3;
const F_SETFL = 4;
const F_SETFD = 2;
const FD_CLOEXEC = 1;
const F_DUPFD_CLOEXEC = 1030;
const O_NONBLOCK = 0o4000;
const LOCK_EX = 2;
const LOCK_NB = 4;
/** If the peer is gone, only this call must fail. Without the flag a signal would end the process. */
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
 * Opens a socket that has its address and does not listen: the kernel refuses clients until `listenOn`. No other
 * socket gets the port, also none that does not listen either.
 *
 * @param options.reuseport lets several listeners share the port; the kernel distributes peers over them
 * @throws SystemError of `bind` with `EADDRINUSE`, `EACCES` or `EADDRNOTAVAIL`, among others
 */
export function bindListener(
  address: SocketAddress,
  options: { reuseport?: boolean } = {},
): number {
  const family = familyOf(address);
  const fd = check('socket', libc.socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  try {
    if (family !== AF_UNIX) {
      // Accepted sockets inherit it: set here once, it costs no call per connection.
      setOption(fd, IPPROTO_TCP, TCP_NODELAY, int(1));
    }
    if (options.reuseport === true) setOption(fd, SOL_SOCKET, SO_REUSEPORT, int(1));
    if (family === AF_INET6) setOption(fd, IPPROTO_IPV6, IPV6_V6ONLY, int(0));
    bind(fd, address);
    return fd;
  } catch (error) {
    close(fd);
    throw error;
  }
}

/**
 * SO_REUSEADDR admits a port whose last connections were closed a moment ago. But two sockets that both have it, and
 * do not listen yet, may also have the same port. So a socket has it only for a second attempt, and then again from
 * `listenOn` on: the connections inherit it.
 */
function bind(fd: number, address: SocketAddress): void {
  const bytes = encodeAddress(address);
  if (address.family !== 'unix') {
    if (libc.bind(fd, bytes, bytes.length) === 0) return;
    setOption(fd, SOL_SOCKET, SO_REUSEADDR, int(1));
  }
  check('bind', libc.bind(fd, bytes, bytes.length));
  if (address.family !== 'unix') setOption(fd, SOL_SOCKET, SO_REUSEADDR, int(0));
}

/**
 * Makes a socket of `bindListener` listen.
 *
 * @param backlog how many connections the kernel holds until they are accepted; the kernel limits it to
 *   `net.core.somaxconn`
 * @throws SystemError of `listen` with `EADDRINUSE`, if a socket of another program listens there since the bind
 */
export function listenOn(listener: number, backlog: number): void {
  // A unix socket ignores it.
  libc.setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, int(1), 4);
  check('listen', libc.listen(listener, backlog));
}

/** Opens a listening socket at once. See `bindListener` and `listenOn`. */
export function openListener(
  address: SocketAddress,
  options: { backlog: number; reuseport?: boolean },
): number {
  const listener = bindListener(address, options);
  try {
    listenOn(listener, options.backlog);
    return listener;
  } catch (error) {
    close(listener);
    throw error;
  }
}

/**
 * Claims a port for listeners that will share it. Fails if any socket has the port, with or without SO_REUSEPORT.
 * Of several claims at the same moment, one succeeds. It never listens, so no client can connect to it.
 *
 * @returns a socket to close once those that share the port are bound
 * @throws SystemError as `bindListener`
 */
export function claimPort(address: SocketAddress): number {
  const claim = bindListener(address);
  // Set it only now: it admits our own listeners. Without it, the claim has kept others out.
  setOption(claim, SOL_SOCKET, SO_REUSEPORT, int(1));
  return claim;
}

/**
 * Locks an open file or folder against all processes, without waiting. flock(2) @returns false if another process
 * has it
 */
export const tryLock = (fd: number): boolean => libc.flock(fd, LOCK_EX | LOCK_NB) === 0;

/** Two sockets connected to each other, for messages that stay whole. socketpair(2) */
export function socketPair(): readonly [number, number] {
  const pair = new Int32Array(2);
  check('socketpair', libc.socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair));
  return [pair[0]!, pair[1]!];
}

/** Opens a blocking connection to `address`. */
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

/** Waits for a peer. Its socket blocks. `INTERRUPTED` if a signal woke the thread. */
export function accept(listener: number): number {
  peerLength[0] = ADDRESS_SIZE;
  const fd = libc.accept4(listener, peerAddress, peerLengthAddress, SOCK_CLOEXEC);
  return fd >= 0 ? fd : ordinary('accept4', fd);
}

/** Accepts a peer that already waits. Its socket does not block. `WOULD_BLOCK` if there is none. */
export function acceptNonblocking(listener: number): number {
  peerLength[0] = ADDRESS_SIZE;
  const flags = SOCK_CLOEXEC | SOCK_NONBLOCK;
  const fd = libc.accept4(listener, peerAddress, peerLengthAddress, flags);
  return fd >= 0 ? fd : ordinary('accept4', fd);
}

/** The last accepted peer of this thread, as text. */
export const acceptedPeer = (): string => addressText(decodeAddress(peer, peerLength[0]!));

/** Only its address, as 16 bytes that are valid until the next accept; undefined for a unix peer. */
export const acceptedAddress = (): Uint8Array | undefined => addressBytes(peer, peerLength[0]!);

/** Receives into `[address, address + length)`. Returns the number of bytes; 0 is the end of the stream. */
export function recv(fd: number, address: number, length: number): number {
  const count = libc.recv(fd, address, length, 0);
  return count >= 0 ? count : ordinary('recv', count);
}

/** Receives bytes that have already come, without waiting. `WOULD_BLOCK` if there are none. */
export function tryRecv(fd: number, address: number, length: number): number {
  const count = libc.recv(fd, address, length, MSG_DONTWAIT);
  return count >= 0 ? count : ordinary('recv', count);
}

/** Sends without waiting. Returns the number of bytes that the kernel took. */
export function trySend(fd: number, address: number, length: number): number {
  const count = libc.send(fd, address, length, MSG_NOSIGNAL | MSG_DONTWAIT);
  return count >= 0 ? count : ordinary('send', count);
}

/** Sends the bytes at `address`. Returns the number that the kernel took, which may be smaller than `length`. */
export function send(fd: number, address: number, length: number): number {
  const count = libc.send(fd, address, length, MSG_NOSIGNAL);
  return count >= 0 ? count : ordinary('send', count);
}

/** Ends both directions, and a listener's accepting. Threads that sleep in a call on it wake up, in any process. */
export const shutdown = (fd: number): void => void libc.shutdown(fd, SHUT_RDWR);

/** Closes a descriptor. Never call it again for any result: close(2). */
export const close = (fd: number): void => void libc.close(fd);

/** Makes the coming close a reset. */
export function resetAtClose(fd: number): void {
  // struct linger: on, for 0 seconds. The call fails if the peer is gone.
  libc.setsockopt(fd, SOL_SOCKET, SO_LINGER, Buffer.concat([int(1), int(0)]), 8);
}

/** Closes with RST: the peer learns of it at once, and the kernel keeps nothing of the connection. */
export function reset(fd: number): void {
  resetAtClose(fd);
  close(fd);
}

const scrap = Buffer.allocUnsafeSlow(65_536);
const scrapAddress = addressOf(scrap);

/** Sends one last text and closes, without waiting. */
export function dismiss(fd: number, text: string): void {
  const length = scrap.write(text, 'latin1');
  libc.send(fd, scrapAddress, length, MSG_NOSIGNAL | MSG_DONTWAIT);
  libc.shutdown(fd, SHUT_WR);
  // If bytes were left unread, close(2) would send RST, and the peer might lose the last text.
  libc.recv(fd, scrapAddress, scrap.length, MSG_DONTWAIT);
  close(fd);
}

/** A second descriptor for the same open socket. Programs that this process starts do not inherit it. fcntl(2) */
export const dup = (fd: number): number => check('fcntl', libc.fcntl(fd, F_DUPFD_CLOEXEC, 0));

/**
 * Makes calls on a socket that is standard input block. Node makes it non-blocking at the first access to
 * `process.stdin`, and a service may do that at any moment. This makes the first access now, and undoes its effect.
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

/** O_NONBLOCK belongs to the open socket, so it changes for all processes that share it. */
export function setBlocking(fd: number, blocking: boolean): void {
  const flags = check('fcntl', libc.fcntl(fd, F_GETFL, 0));
  const wanted = blocking ? flags & ~O_NONBLOCK : flags | O_NONBLOCK;
  if (wanted !== flags) check('fcntl', libc.fcntl(fd, F_SETFL, wanted));
}

/** `struct timeval`: seconds and µs, of 64 bits each. One for all calls, because each connection needs one. */
const timeval = new Int32Array(4);
const timevalBytes = Buffer.from(timeval.buffer);

function setTimeout(fd: number, option: number, ms: number): void {
  const whole = Math.ceil(ms);
  timeval[0] = Math.floor(whole / 1000);
  timeval[2] = (whole % 1000) * 1000;
  setOption(fd, SOL_SOCKET, option, timevalBytes);
}

/** After `ms` in `accept` or `recv`, the call returns `WOULD_BLOCK`; 0: never. socket(7) */
export const setReceiveTimeout = (fd: number, ms: number): void => setTimeout(fd, SO_RCVTIMEO, ms);

/** After `ms` without room, `send` returns the number of bytes it could send, or `WOULD_BLOCK`. socket(7) */
export const setSendTimeout = (fd: number, ms: number): void => setTimeout(fd, SO_SNDTIMEO, ms);

/** The kind of a descriptor: a listening socket, a connected one, or not a socket. */
export function socketKind(fd: number): 'listener' | 'connection' | undefined {
  const value = Buffer.alloc(4);
  if (libc.getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, value, int(4)) < 0) return undefined;
  return value.some((byte) => byte !== 0) ? 'listener' : 'connection';
}

/** An option whose value is a number; undefined if the descriptor is no socket. */
function optionOf(fd: number, name: number): number | undefined {
  const value = Buffer.alloc(4);
  if (libc.getsockopt(fd, SOL_SOCKET, name, value, int(4)) < 0) return undefined;
  return new Int32Array(value.buffer, value.byteOffset, 1)[0]!;
}

/**
 * What a stream socket that another program has opened is. `unconnected`: it does not listen, and has no peer, or its
 * peer has reset the connection. For any other descriptor, its description, such as `a pipe`.
 */
export function streamKind(
  fd: number,
): 'listener' | 'connection' | 'unconnected' | { readonly other: string } {
  const type = optionOf(fd, SO_TYPE);
  if (type === undefined) return { other: fileKind(fd) };
  if (type !== SOCK_STREAM) return { other: TYPES[type] ?? `a socket of type ${type}` };
  const family = optionOf(fd, SO_DOMAIN)!;
  if (![AF_INET, AF_INET6, AF_UNIX].includes(family)) {
    return { other: `a stream socket of address family ${family}` };
  }
  if (optionOf(fd, SO_ACCEPTCONN) === 1) return 'listener';
  return remoteAddress(fd) === undefined ? 'unconnected' : 'connection';
}

function fileKind(fd: number): string {
  try {
    const stats = fstatSync(fd);
    if (stats.isFIFO()) return 'a pipe';
    if (stats.isDirectory()) return 'a folder';
    if (stats.isCharacterDevice()) return 'a character device';
    return stats.isFile() ? 'a file' : 'no socket';
  } catch {
    return 'not open';
  }
}

/** Programs that this process starts do not inherit the descriptor, unless it passes it on. fcntl(2) */
export const closeOnExec = (fd: number): void =>
  void check('fcntl', libc.fcntl(fd, F_SETFD, FD_CLOEXEC));

/** True if the peer has ended its direction, and nothing is left to receive. */
export const isAtEnd = (fd: number): boolean =>
  libc.recv(fd, scrapAddress, 1, MSG_PEEK | MSG_DONTWAIT) === 0;

/** The error of a socket that no call has returned yet: the next `recv` would return it. socket(7) */
export function socketError(fd: number): SystemError {
  const value = Buffer.alloc(4);
  check('getsockopt', libc.getsockopt(fd, SOL_SOCKET, SO_ERROR, value, int(4)));
  return new SystemError('recv', new Int32Array(value.buffer, value.byteOffset, 1)[0]!);
}

/**
 * A listener's accept queue.
 *
 * @example
 * ```ts
 * import { type AcceptQueue, serve } from 'mondo';
 *
 * const isFull = ({ waiting, limit }: AcceptQueue): boolean => waiting >= limit;
 * const server = await serve({ architecture: 'single', port: 0 });
 * const queue = server.queue();
 * console.log(queue !== undefined && isFull(queue));
 * await server.close();
 * ```
 */
export interface AcceptQueue {
  /** Number of clients that wait to be accepted. */
  readonly waiting: number;
  /** The most that it holds: one more than the backlog. */
  readonly limit: number;
}

/** The accept queue of a listener. Undefined if it is unknown, as for a unix socket. tcp(7) */
export function acceptQueueOf(listener: number): AcceptQueue | undefined {
  const info = Buffer.alloc(104);
  if (libc.getsockopt(listener, IPPROTO_TCP, TCP_INFO, info, int(info.length)) < 0) return;
  const waiting = info.readUInt32LE(TCPI_UNACKED);
  return { waiting, limit: info.readUInt32LE(TCPI_SACKED) + 1 };
}

/** Number of clients in a listener's queue. If it is unknown, 1: then there is at least one. */
export const acceptQueueLength = (listener: number): number =>
  Math.max(1, acceptQueueOf(listener)?.waiting ?? 1);

/** The address that this socket is bound to. */
export function localAddress(fd: number): SocketAddress {
  const bytes = Buffer.alloc(ADDRESS_SIZE);
  const length = int(ADDRESS_SIZE);
  check('getsockname', libc.getsockname(fd, bytes, length));
  return decodeAddress(bytes, length.readInt32LE(0));
}

/** Only the peer's address, as 16 bytes; undefined for a unix peer. */
export function peerAddressOf(fd: number): Uint8Array | undefined | 'gone' {
  const bytes = Buffer.alloc(ADDRESS_SIZE);
  const length = int(ADDRESS_SIZE);
  if (libc.getpeername(fd, bytes, length) < 0) return 'gone';
  return addressBytes(bytes, length.readInt32LE(0));
}

/** The peer's address; undefined if it is already gone. An IPv4 peer of an IPv6 listener has its IPv4 address. */
export function remoteAddress(fd: number): SocketAddress | undefined {
  const bytes = Buffer.alloc(ADDRESS_SIZE);
  const length = int(ADDRESS_SIZE);
  if (libc.getpeername(fd, bytes, length) < 0) return undefined;
  return unmapped(decodeAddress(bytes, length.readInt32LE(0)));
}

/** The peer's address as text; `'unknown'` if it is already gone. */
export function peerOf(fd: number): string {
  const bytes = Buffer.alloc(ADDRESS_SIZE);
  const length = int(ADDRESS_SIZE);
  if (libc.getpeername(fd, bytes, length) < 0) return 'unknown';
  return addressText(decodeAddress(bytes, length.readInt32LE(0)));
}
