/** Connections on epoll: each send leaves at once, and each ready socket is read. */
import { connectError } from '../../os/dialing.ts';
import { Epoll } from '../../os/epoll.ts';
import { addressOf, SystemError } from '../../os/libc.ts';
import { READABLE, WRITABLE } from '../../os/readiness.ts';
import { close, recv, send } from '../../os/socket.ts';
import { dialOf, grown, isThere, type Wire, type WireEvents, type WireOptions } from './wire.ts';

const ROOM = 65_536;
const NONE = -1;

export class EpollWire implements Wire {
  readonly engine = 'epoll';
  readonly isBatched = false;
  arrived = 0;
  readonly #options: WireOptions;
  readonly #events: WireEvents;
  readonly #epoll = new Epoll();
  readonly #room = Buffer.allocUnsafeSlow(ROOM);
  readonly #roomAddress = addressOf(this.#room);
  readonly #fds: Int32Array;
  /** Connection of each descriptor. */
  #connections = new Int32Array(1024);
  readonly #isConnecting: Uint8Array;
  /** By connection: address and length of the bytes that the kernel could not take yet. */
  readonly #unsentAt: Float64Array;
  readonly #unsent: Float64Array;
  /** Connections that `open` connected at once. The next turn reports them. */
  #ready: number[] = [];
  #opened = 0;

  constructor(options: WireOptions, events: WireEvents) {
    this.#options = options;
    this.#events = events;
    this.#fds = new Int32Array(options.connections).fill(NONE);
    this.#isConnecting = new Uint8Array(options.connections);
    this.#unsentAt = new Float64Array(options.connections);
    this.#unsent = new Float64Array(options.connections);
  }

  open(connection: number): number {
    const fd = dialOf(this.#options, this.#opened++);
    if (fd < 0) return -fd;
    if (fd >= this.#connections.length) this.#connections = grown(this.#connections, fd);
    this.#fds[connection] = fd;
    this.#connections[fd] = connection;
    this.#unsent[connection] = 0;
    const isConnected = isThere(this.#options, fd);
    this.#isConnecting[connection] = isConnected ? 0 : 1;
    this.#epoll.register(fd, isConnected ? READABLE : READABLE | WRITABLE);
    if (isConnected) this.#ready.push(connection);
    return 0;
  }

  send(connection: number, address: number, length: number): void {
    this.#unsentAt[connection] = address;
    this.#unsent[connection] = length;
    this.#sendOn(connection);
    if (this.#unsent[connection]! > 0) {
      this.#epoll.modify(this.#fds[connection]!, READABLE | WRITABLE);
    }
  }

  isSending(connection: number): boolean {
    return this.#unsent[connection]! > 0;
  }

  close(connection: number): void {
    const fd = this.#fds[connection]!;
    if (fd === NONE) return;
    this.#epoll.unregister(fd);
    close(fd);
    this.#fds[connection] = NONE;
    this.#unsent[connection] = 0;
  }

  turn(timeout: number): void {
    if (this.#ready.length > 0) this.#tellConnected();
    const count = this.#epoll.waitPrecisely(this.#ready.length > 0 ? 0 : timeout);
    if (count <= 0) return;
    for (let fd = this.#epoll.next(); fd >= 0; fd = this.#epoll.next()) {
      const connection = this.#connections[fd]!;
      const { events } = this.#epoll;
      // The connection was closed after the wait, and another connection may have its number by
      // now.
      if (this.#fds[connection] !== fd) continue;
      if (this.#isConnecting[connection] === 1) this.#connectedOrNot(connection, fd);
      else {
        if (events & WRITABLE) this.#goOnSending(connection, fd);
        if (events & READABLE && this.#fds[connection] === fd) this.#receive(connection, fd);
      }
    }
  }

  end(): void {
    for (let connection = 0; connection < this.#fds.length; connection++) this.close(connection);
    this.#epoll.close();
  }

  #tellConnected(): void {
    const ready = this.#ready;
    this.#ready = [];
    for (const connection of ready) {
      if (this.#fds[connection] !== NONE) this.#events.connected(connection);
    }
  }

  #connectedOrNot(connection: number, fd: number): void {
    const errno = connectError(fd);
    if (errno !== 0) {
      this.close(connection);
      this.#events.connectFailed(connection, errno);
      return;
    }
    this.#isConnecting[connection] = 0;
    this.#epoll.modify(fd, READABLE);
    this.#events.connected(connection);
  }

  #sendOn(connection: number): void {
    const fd = this.#fds[connection]!;
    try {
      const sent = send(fd, this.#unsentAt[connection]!, this.#unsent[connection]!);
      if (sent < 0) return;
      this.#unsentAt[connection]! += sent;
      this.#unsent[connection]! -= sent;
    } catch (error) {
      // The next recv reports what happened to the connection.
      if (!(error instanceof SystemError)) throw error;
      this.#unsent[connection] = 0;
    }
  }

  #goOnSending(connection: number, fd: number): void {
    if (this.#unsent[connection]! > 0) this.#sendOn(connection);
    if (this.#unsent[connection]! > 0) return;
    this.#epoll.modify(fd, READABLE);
    this.#events.drained(connection);
  }

  #receive(connection: number, fd: number): void {
    let count: number;
    try {
      count = recv(fd, this.#roomAddress, ROOM);
    } catch (error) {
      if (!(error instanceof SystemError)) throw error;
      this.close(connection);
      this.#events.ended(connection, error.errno);
      return;
    }
    this.arrived = performance.now();
    if (count > 0) this.#events.received(connection, this.#room, 0, count);
    else if (count === 0) {
      this.close(connection);
      this.#events.ended(connection, 0);
    }
  }
}
