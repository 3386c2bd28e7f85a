/** What `serve` returns. */

import type { SocketAddress } from '../os/address.ts';
import type { RowReading } from '../worker/scoreboard.ts';

/** A server that is running. */
export interface Server {
  readonly architecture: string;
  /** Its address: `{ family, host, port }` or `{ family: 'unix', path }`. */
  readonly address: SocketAddress;
  /** Its address as text: `HOST:PORT`, `[HOST]:PORT` or `unix:PATH`. */
  readonly where: string;
  /** Its port; 0 for a unix socket. */
  readonly port: number;
  /** Process ids of its workers; empty if it serves in this process. */
  readonly pids: readonly number[];
  /** What each worker is doing at this moment: state, accepted, open. */
  workers(): RowReading[];
  /** Number of connections closed or refused so far, by reason (`idle`, `question-size`, …). */
  counts(): Readonly<Record<string, number>>;
  /** Number of accepted sockets that wait for a worker thread; only `queued` has a queue. */
  readonly queued: number;
  /**
   * Replaces every worker by a new one on the same listener, so that no client is refused. The new workers load a
   * changed service module. The old ones serve their clients until these leave, for at most `drain`. Resolves when
   * the new ones serve.
   *
   * @throws ServeError if the new workers cannot start: then the old ones continue to serve
   */
  restart(): Promise<void>;
  /**
   * Stops listening, answers complete questions, closes idle connections, and then ends the workers. Resolves when
   * nothing of the server is left. Connections that wait for an answer have until the deadline. Unfinished
   * questions have 250 ms of it. A second call can only bring the end nearer.
   *
   * @param options.deadline in ms from this call, up to an hour; 0 closes all connections at once. Default: the
   *   option `drain`
   * @throws ServeError if the deadline is not such a number: then nothing changes
   */
  close(options?: { readonly deadline?: number }): Promise<void>;
}
