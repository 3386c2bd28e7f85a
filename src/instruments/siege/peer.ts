/** One hostile connection, on a non-blocking socket. */
import type { SocketAddress } from '../../os/address.ts';
import { connectionState, dial, endSending } from '../../os/dialing.ts';
import { addressOf, SystemError } from '../../os/libc.ts';
import { close, recv, reset, send } from '../../os/socket.ts';

/**
 * Source address of all hostile peers. Honest clients use others, so that limits per address can
 * tell them apart.
 */
const ATTACKER = '127.0.0.2';

const room = Buffer.allocUnsafeSlow(65_536);
const roomAddress = addressOf(room);

/** A hostile peer. It records what the server does, and throws nothing for it. */
export class Peer {
  readonly #fd: number;
  readonly #expects: Buffer | undefined;
  /** Number of looks since it connected. */
  age = 0;
  /** State of the attack. */
  step = 0;
  received = 0;
  /** Work done so far, in the unit of the attack. For a unit counted at once, 0 or 1. */
  did = 0;
  /** True if the server's kernel completed the handshake. */
  wasConnected = false;
  isOver = false;
  /** True if the server closed it. */
  isClosedByServer = false;
  isWrong = false;

  constructor(to: SocketAddress, { room, expects }: { room?: number; expects?: Buffer }) {
    this.#fd = dial(to, { from: ATTACKER, ...(room === undefined ? {} : { room }) });
    this.#expects = expects;
    this.look();
  }

  /** Updates whether it is connected. The handshake takes a moment. */
  look(): void {
    if (!this.isOver) this.wasConnected ||= connectionState(this.#fd) !== 'none';
  }

  /** Sends as many bytes as fit now. Returns how many. */
  send(bytes: { readonly at: number; readonly length: number }, from = 0): number {
    return this.#try(() => send(this.#fd, bytes.at + from, bytes.length - from));
  }

  /** Receives up to `most` bytes, and compares them with the expected answers. */
  receive(most = room.length): number {
    const count = this.#try(() => {
      const got = recv(this.#fd, roomAddress, Math.min(most, room.length));
      if (got === 0) this.#closedByServer();
      return got;
    });
    const expected = this.#expects;
    for (let i = 0; expected !== undefined && i < count && !this.isWrong; i++) {
      this.isWrong = room[i] !== expected[(this.received + i) % expected.length];
    }
    this.received += count;
    return count;
  }

  /** Shuts down its sending direction only. */
  halfClose(): void {
    endSending(this.#fd);
  }

  leave(): void {
    if (!this.isOver) close(this.#fd);
    this.isOver = true;
  }

  /** Closes with RST. */
  reset(): void {
    if (!this.isOver) reset(this.#fd);
    this.isOver = true;
  }

  /** Checks whether the server closed it, without reading from the socket. */
  sense(): void {
    this.look();
    if (this.wasConnected && !this.isOver && connectionState(this.#fd) !== 'open')
      this.#closedByServer();
  }

  #try(call: () => number): number {
    if (this.isOver) return 0;
    try {
      return Math.max(0, call());
    } catch (error) {
      if (!(error instanceof SystemError)) throw error;
      // After a reset by the server, it had been connected. After a refusal, it had not.
      if (error.code === 'ECONNRESET' || error.code === 'EPIPE') {
        this.wasConnected = true;
        this.#closedByServer();
      } else this.leave();
      return 0;
    }
  }

  #closedByServer(): void {
    this.isClosedByServer = true;
    this.leave();
  }
}

/** Copies bytes to memory with a fixed address. */
export function payload(bytes: string | Uint8Array) {
  const kept = Buffer.allocUnsafeSlow(bytes.length);
  kept.set(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes);
  // The buffer is kept too. If it were collected, its address would become invalid.
  return { at: addressOf(kept), length: kept.length, kept };
}
