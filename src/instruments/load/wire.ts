/** Connections by number, over whichever loop: the little that the asker needs of it. */
import type { SocketAddress } from '../../os/address.ts';
import { connectionState, dial, sendAtOnce } from '../../os/dialing.ts';
import { SystemError } from '../../os/libc.ts';

/** What a wire tells, always from inside `turn`, in the order in which it happened. */
export interface WireEvents {
  /** The connection is there; what is sent before that is an error. */
  connected(connection: number): void;
  /** It could not be connected; `errno` says why. The wire has closed it. */
  connectFailed(connection: number, errno: number): void;
  /** Bytes that are good until this returns. */
  received(connection: number, buffer: Buffer, from: number, to: number): void;
  /** The peer has closed (errno 0), or the connection broke. The wire has closed it. */
  ended(connection: number, errno: number): void;
  /** A send that there was no room for has left. */
  drained(connection: number): void;
}

export interface WireOptions {
  readonly to: SocketAddress;
  readonly connections: number;
  /** Whether several questions may be on their way: then Nagle's algorithm has to be off. */
  readonly noDelay: boolean;
  /** Addresses of this machine to connect from, in turn; none: the kernel chooses. */
  readonly from: readonly string[];
}

export interface Wire {
  /** Which loop it is. */
  readonly engine: 'uring' | 'epoll';
  /** Whether sends leave with the next `turn`, all together, or at once. */
  readonly isBatched: boolean;
  /** Inside `received`: when the bytes were there, as `performance.now()`. */
  readonly arrived: number;
  /** Begins to connect. @returns 0, or the errno of what failed at once */
  open(connection: number): number;
  /**
   * Sends all of it in order; the bytes must never change or move. Once for each connection and turn,
   * and not while `isSending`.
   */
  send(connection: number, address: number, length: number): void;
  /** Whether the peer has no room for what was sent: then it goes on by itself. */
  isSending(connection: number): boolean;
  /** Closes it without a word. Whatever was under way for it is told of no more. */
  close(connection: number): void;
  /** Hands over what was asked for, waits for `timeout` ms (fractions count; 0: not at all), and tells what happened. */
  turn(timeout: number): void;
  /** Closes all that is left. */
  end(): void;
}

/** Begins to connect the `number`-th time. @returns the socket, or the errno of what failed at once, negative */
export function dialOf({ to, from, noDelay }: WireOptions, number: number): number {
  const source = from[number % from.length];
  try {
    const fd = dial(to, source === undefined ? {} : { from: source });
    if (noDelay && to.family !== 'unix') sendAtOnce(fd);
    return fd;
  } catch (error) {
    if (error instanceof SystemError) return -error.errno;
    throw error;
  }
}

/** Whether a socket that was dialed is connected already, as it mostly is on this machine. */
export const isThere = ({ to }: WireOptions, fd: number): boolean =>
  to.family === 'unix' || connectionState(fd) === 'open';

/** Room for what is kept by descriptor, up to `fd`. */
export function grown(old: Int32Array, fd: number): Int32Array<ArrayBuffer> {
  const larger = new Int32Array(Math.max(fd + 1, old.length * 2));
  larger.set(old);
  return larger;
}
