/**
 * Connections on io_uring: one call submits all sends of a turn, and answers are received when it
 * returns.
 */
import { connectError } from '../../os/dialing.ts';
import { errnoName, WOULD_BLOCK } from '../../os/libc.ts';
import { close, setBlocking } from '../../os/socket.ts';
import { CONNECTED, RECEIVED, SENT, SENT_SHORT, Uring } from '../../os/uring.ts';
import { dialOf, grown, isThere, type Wire, type WireEvents, type WireOptions } from './wire.ts';

const NONE = -1;

export class UringWire implements Wire {
  readonly engine = 'uring';
  readonly isBatched = true;
  arrived = 0;
  readonly #options: WireOptions;
  readonly #events: WireEvents;
  readonly #ring: Uring;
  readonly #fds: Int32Array;
  /** Connection of each descriptor. */
  #connections = new Int32Array(1024);
  /**
   * Number of connections that have used each descriptor. It marks completions of an earlier
   * connection.
   */
  #generations = new Int32Array(1024);
  readonly #isConnecting: Uint8Array;
  readonly #sentAt: Float64Array;
  readonly #sentLength: Float64Array;
  /** By connection: bytes of the last send that the kernel could not take yet. */
  readonly #unsent: Float64Array;
  #ready: number[] = [];
  #opened = 0;

  /** @throws UringUnavailable */
  constructor(options: WireOptions, events: WireEvents) {
    this.#options = options;
    this.#events = events;
    this.#ring = new Uring();
    const { connections } = options;
    this.#fds = new Int32Array(connections).fill(NONE);
    this.#isConnecting = new Uint8Array(connections);
    this.#sentAt = new Float64Array(connections);
    this.#sentLength = new Float64Array(connections);
    this.#unsent = new Float64Array(connections);
  }

  open(connection: number): number {
    const fd = dialOf(this.#options, this.#opened++);
    if (fd < 0) return -fd;
    if (fd >= this.#connections.length) {
      this.#connections = grown(this.#connections, fd);
      this.#generations = grown(this.#generations, fd);
    }
    this.#fds[connection] = fd;
    this.#connections[fd] = connection;
    this.#unsent[connection] = 0;
    if (isThere(this.#options, fd)) this.#ready.push(connection);
    else {
      this.#isConnecting[connection] = 1;
      this.#ring.connecting(fd, this.#generations[fd]!);
    }
    return 0;
  }

  send(connection: number, address: number, length: number): void {
    this.#sentAt[connection] = address;
    this.#sentLength[connection] = length;
    const fd = this.#fds[connection]!;
    this.#ring.sendNow(fd, this.#generations[fd]!, address, length);
  }

  isSending(connection: number): boolean {
    return this.#unsent[connection]! > 0;
  }

  close(connection: number): void {
    const fd = this.#fds[connection]!;
    if (fd === NONE) return;
    const generation = this.#generations[fd]!;
    if (this.#isConnecting[connection] === 1) this.#ring.cancel(CONNECTED, fd, generation);
    else this.#ring.cancel(RECEIVED, fd, generation);
    if (this.#unsent[connection]! > 0) this.#ring.cancel(SENT, fd, generation);
    this.#ring.closeSocket(fd);
    this.#forget(connection);
  }

  turn(timeout: number): void {
    if (this.#ready.length > 0) this.#tellConnected();
    const ring = this.#ring;
    ring.enter(this.#ready.length > 0 || ring.overflowed ? 0 : timeout);
    // All completions are here now. Time after this point is our own processing.
    this.arrived = performance.now();
    while (ring.next()) {
      const { fd, generation, purpose } = ring;
      const connection = this.#connections[fd]!;
      const isCurrent = this.#fds[connection] === fd && this.#generations[fd] === generation;
      if (purpose === RECEIVED) this.#received(connection, isCurrent);
      else if (!isCurrent) continue;
      else if (purpose === SENT_SHORT) this.#sentShort(connection);
      else if (purpose === SENT) this.#sent(connection);
      else if (purpose === CONNECTED) this.#connectedOrNot(connection);
    }
  }

  end(): void {
    for (const fd of this.#fds) if (fd !== NONE) close(fd);
    this.#ring.release();
  }

  #forget(connection: number): void {
    this.#generations[this.#fds[connection]!]!++;
    this.#fds[connection] = NONE;
    this.#isConnecting[connection] = 0;
    this.#unsent[connection] = 0;
  }

  #tellConnected(): void {
    const ready = this.#ready;
    this.#ready = [];
    for (const connection of ready) if (this.#fds[connection] !== NONE) this.#begin(connection);
  }

  #begin(connection: number): void {
    const fd = this.#fds[connection]!;
    // The kernel does not wait for a non-blocking socket: its receives would fail at once.
    setBlocking(fd, true);
    this.#ring.recv(fd, this.#generations[fd]!);
    this.#events.connected(connection);
  }

  #connectedOrNot(connection: number): void {
    const fd = this.#fds[connection]!;
    this.#isConnecting[connection] = 0;
    const errno = connectError(fd);
    if (errno === 0) {
      this.#begin(connection);
      return;
    }
    close(fd);
    this.#forget(connection);
    this.#events.connectFailed(connection, errno);
  }

  #received(connection: number, isCurrent: boolean): void {
    const ring = this.#ring;
    const { fd, generation, result, offset, more } = ring;
    if (result > 0) {
      if (isCurrent) this.#events.received(connection, ring.buffers, offset, offset + result);
      ring.recycle();
      if (isCurrent && !more && this.#generations[fd] === generation) ring.recv(fd, generation);
      return;
    }
    if (!isCurrent) return;
    const code = errnoName(-result);
    if (code === 'ENOBUFS') {
      ring.addBuffers();
      ring.recv(fd, generation);
      return;
    }
    if (this.#unsent[connection]! > 0) ring.cancel(SENT, fd, generation);
    ring.closeSocket(fd);
    this.#forget(connection);
    this.#events.ended(connection, -result);
  }

  #sentShort(connection: number): void {
    const { result, fd, generation } = this.#ring;
    // The receive reports what happened to a broken connection.
    if (result < 0 && result !== WOULD_BLOCK) return;
    const sent = Math.max(0, result);
    const unsent = this.#sentLength[connection]! - sent;
    this.#sentAt[connection]! += sent;
    this.#unsent[connection] = unsent;
    this.#ring.send(fd, generation, this.#sentAt[connection]!, unsent);
  }

  #sent(connection: number): void {
    const { result, fd, generation } = this.#ring;
    if (result < 0) return;
    this.#sentAt[connection]! += result;
    this.#unsent[connection]! -= result;
    const unsent = this.#unsent[connection]!;
    if (unsent > 0) this.#ring.send(fd, generation, this.#sentAt[connection]!, unsent);
    else this.#events.drained(connection);
  }
}
