/** One hostile connection, on a socket that never blocks. */
import type { SocketAddress } from '../../os/address.ts';
import { connectionState, dial, endSending } from '../../os/dialing.ts';
import { addressOf, SystemError } from '../../os/libc.ts';
import { close, recv, reset, send } from '../../os/socket.ts';

/** Attackers share one address, and it is not that of honest clients: limits for each address tell them apart. */
const ATTACKER = '127.0.0.2';

const room = Buffer.allocUnsafeSlow(65_536);
const roomAddress = addressOf(room);

/** Nothing here throws for what the server does: it is only noted. */
export class Peer {
  readonly #fd: number;
  readonly #expects: Buffer | undefined;
  /** How many looks it has been there for. */
  age = 0;
  /** For the attack's own use. */
  step = 0;
  received = 0;
  /** How much it has done of what its attack is about; of what is counted at once, 0 or 1. */
  did = 0;
  /** Whether the server's kernel has ever answered it. */
  wasConnected = false;
  isOver = false;
  /** Whether it is over because the server has ended it. */
  isSentAway = false;
  isWrong = false;

  constructor(to: SocketAddress, { room, expects }: { room?: number; expects?: Buffer }) {
    this.#fd = dial(to, { from: ATTACKER, ...(room === undefined ? {} : { room }) });
    this.#expects = expects;
    this.look();
  }

  /** Notes whether it is connected, which takes a moment. */
  look(): void {
    if (!this.isOver) this.wasConnected ||= connectionState(this.#fd) !== 'none';
  }

  /** Sends what there is room for now; how many bytes that was. */
  send(bytes: { readonly at: number; readonly length: number }, from = 0): number {
    return this.#try(() => send(this.#fd, bytes.at + from, bytes.length - from));
  }

  /** Takes up to `most` bytes of what has come, and compares them with what was to come. */
  receive(most = room.length): number {
    const count = this.#try(() => {
      const got = recv(this.#fd, roomAddress, Math.min(most, room.length));
      if (got === 0) this.#sentAway();
      return got;
    });
    const expected = this.#expects;
    for (let i = 0; expected !== undefined && i < count && !this.isWrong; i++) {
      this.isWrong = room[i] !== expected[(this.received + i) % expected.length];
    }
    this.received += count;
    return count;
  }

  /** Ends its own direction only. */
  halfClose(): void {
    endSending(this.#fd);
  }

  leave(): void {
    if (!this.isOver) close(this.#fd);
    this.isOver = true;
  }

  /** Leaves with RST. */
  reset(): void {
    if (!this.isOver) reset(this.#fd);
    this.isOver = true;
  }

  /** Whether the server has ended it, where nothing is to be read: a look that takes nothing. */
  sense(): void {
    this.look();
    if (this.wasConnected && !this.isOver && connectionState(this.#fd) !== 'open') this.#sentAway();
  }

  #try(call: () => number): number {
    if (this.isOver) return 0;
    try {
      return Math.max(0, call());
    } catch (error) {
      if (!(error instanceof SystemError)) throw error;
      // Reset by the server: it had been connected. Refused: it had not.
      if (error.code === 'ECONNRESET' || error.code === 'EPIPE') {
        this.wasConnected = true;
        this.#sentAway();
      } else this.leave();
      return 0;
    }
  }

  #sentAway(): void {
    this.isSentAway = true;
    this.leave();
  }
}

/** Bytes to send, at an address of their own. */
export function payload(bytes: string | Uint8Array) {
  const kept = Buffer.allocUnsafeSlow(bytes.length);
  kept.set(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes);
  // The buffer is named too: collected, it would move out from under its address.
  return { at: addressOf(kept), length: kept.length, kept };
}
