/**
 * The interface between the asker and its loop (epoll or io_uring). Connections are identified by
 * number.
 */
import type { SocketAddress } from '../../os/address.ts';
import { connectionState, dial, sendAtOnce } from '../../os/dialing.ts';
import { SystemError } from '../../os/libc.ts';

/** Events of a wire. They are called only inside `turn`, in the order in which they happened. */
export interface WireEvents {
  /** The connection is open. Sending before this event is an error. */
  connected(connection: number): void;
  /** The connection attempt failed with `errno`. The wire has closed the connection. */
  connectFailed(connection: number, errno: number): void;
  /** Bytes arrived. They are valid only until this call returns. */
  received(connection: number, buffer: Buffer, from: number, to: number): void;
  /** The peer closed the connection (errno 0), or it broke. The wire has closed it. */
  ended(connection: number, errno: number): void;
  /** A send that had to wait for room has left completely. */
  drained(connection: number): void;
}

export interface WireOptions {
  readonly to: SocketAddress;
  readonly connections: number;
  /** True if several questions may be in flight: then Nagle's algorithm must be off. */
  readonly noDelay: boolean;
  /** Local addresses to connect from, in turn. If empty, the kernel chooses. */
  readonly from: readonly string[];
}

export interface Wire {
  /** The kind of loop. */
  readonly engine: 'uring' | 'epoll';
  /** True if sends leave together in the next `turn`; false if they leave at once. */
  readonly isBatched: boolean;
  /** Inside `received`: when the bytes arrived, as `performance.now()`. */
  readonly arrived: number;
  /**
   * Starts to connect.
   *
   * @returns 0, or the errno of an immediate failure
   */
  open(connection: number): number;
  /**
   * Sends all bytes, in order. They must never change or move. Call it at most once per connection
   * and turn, and not while `isSending`.
   */
  send(connection: number, address: number, length: number): void;
  /**
   * True while a part of the last send waits for room. The wire sends it without a further call.
   */
  isSending(connection: number): boolean;
  /** Closes the connection without an event. Its pending operations report nothing more. */
  close(connection: number): void;
  /**
   * Submits pending operations, waits up to `timeout` ms (fractions count; 0: no wait), and reports
   * events.
   */
  turn(timeout: number): void;
  /** Closes all remaining connections. */
  end(): void;
}

/**
 * Starts to connect, for the `number`-th time.
 *
 * @returns the socket, or the negative errno of an immediate failure
 */
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

/** True if a dialed socket is already connected, as is usual on this machine. */
export const isThere = ({ to }: WireOptions, fd: number): boolean =>
  to.family === 'unix' || connectionState(fd) === 'open';

/** Returns a larger copy of an array indexed by descriptor, with room for `fd`. */
export function grown(old: Int32Array, fd: number): Int32Array<ArrayBuffer> {
  const larger = new Int32Array(Math.max(fd + 1, old.length * 2));
  larger.set(old);
  return larger;
}
