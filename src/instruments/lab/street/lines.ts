/** The connections of the street: sockets that do not block, on one epoll, for one thread. */
import { constants } from 'node:os';
import { connectError, connectionState, dial, sendAtOnce } from '../../../os/dialing.ts';
import { Epoll } from '../../../os/epoll.ts';
import { addressOf, SystemError } from '../../../os/libc.ts';
import { READABLE, WRITABLE } from '../../../os/readiness.ts';
import { close, localAddress, recv, send } from '../../../os/socket.ts';

const ROOM = 16_384;
const { ECONNRESET } = constants.errno;

/** The owner of a connection. */
export interface Caller {
  connected(): void;
  /** The bytes are valid only until this call returns. */
  received(bytes: Buffer, count: number): void;
  /** The server ended the connection, or a connect failed: `failed`. The descriptor is closed. */
  ended(failed: boolean): void;
}

interface Line {
  readonly caller: Caller;
  isConnected: boolean;
}

export class Lines {
  readonly #epoll = new Epoll();
  readonly #room = Buffer.allocUnsafeSlow(ROOM);
  readonly #roomAddress = addressOf(this.#room);
  /** By descriptor. */
  readonly #lines = new Map<number, Line>();

  /**
   * Starts to connect to 127.0.0.1.
   *
   * @returns the descriptor; undefined: the machine has no port or no descriptor left, or nothing listens
   */
  dial(port: number, from: string, caller: Caller): number | undefined {
    try {
      const fd = dial({ family: 'IPv4', host: '127.0.0.1', port }, { from });
      // Without it, the second piece of a slow question waits until the first is acknowledged.
      sendAtOnce(fd);
      this.#lines.set(fd, { caller, isConnected: false });
      this.#epoll.register(fd, READABLE | WRITABLE);
      return fd;
    } catch (error) {
      if (error instanceof SystemError) return undefined;
      throw error;
    }
  }

  /** Tells at once what has become of a connect: on one machine, it mostly is over when it returns. */
  look(fd: number): void {
    const line = this.#lines.get(fd);
    if (line !== undefined && !line.isConnected && connectionState(fd) === 'open') {
      this.#connected(fd, line);
    }
  }

  /** The local port; 0 if the server has reset the connection. */
  portOf(fd: number): number {
    const address = localAddress(fd);
    return address.family === 'unix' ? 0 : address.port;
  }

  /** Sends a few bytes. A client waits for its answers, so the kernel has room for them. */
  send(fd: number, address: number, length: number): void {
    try {
      send(fd, address, length);
    } catch (error) {
      // The next recv says what has become of the connection.
      if (!(error instanceof SystemError)) throw error;
    }
  }

  close(fd: number): void {
    if (!this.#lines.delete(fd)) return;
    this.#epoll.unregister(fd);
    close(fd);
  }

  /** Waits at most `timeout` ms for what the server does, and tells the callers. */
  turn(timeout: number): void {
    if (this.#epoll.waitPrecisely(timeout) <= 0) return;
    for (let fd = this.#epoll.next(); fd >= 0; fd = this.#epoll.next()) {
      // An earlier event of this turn may have closed it.
      const line = this.#lines.get(fd);
      if (line === undefined) continue;
      if (!line.isConnected) this.#connectedOrNot(fd, line);
      else if (this.#epoll.events & READABLE) this.#receive(fd, line);
    }
  }

  #connectedOrNot(fd: number, line: Line): void {
    const error = connectError(fd);
    // A reset comes after the handshake; a server that refuses the handshake causes ECONNREFUSED.
    if (error === 0 || error === ECONNRESET) this.#connected(fd, line);
    if (error === 0) return;
    this.close(fd);
    line.caller.ended(true);
  }

  #connected(fd: number, line: Line): void {
    line.isConnected = true;
    this.#epoll.modify(fd, READABLE);
    line.caller.connected();
  }

  #receive(fd: number, { caller }: Line): void {
    let count: number;
    try {
      count = recv(fd, this.#roomAddress, ROOM);
    } catch (error) {
      if (!(error instanceof SystemError)) throw error;
      this.close(fd);
      caller.ended(true);
      return;
    }
    if (count > 0) caller.received(this.#room, count);
    else if (count === 0) {
      this.close(fd);
      caller.ended(false);
    }
  }
}
