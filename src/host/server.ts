/** What `serve` gives back. */

import type { SocketAddress } from '../os/address.ts';
import type { RowReading } from '../worker/scoreboard.ts';

/** A server that is running. */
export interface Server {
  readonly architecture: string;
  /** Where it listens: `{ family, host, port }` or `{ family: 'unix', path }`. */
  readonly address: SocketAddress;
  /** The same as text: `HOST:PORT`, `[HOST]:PORT` or `unix:PATH`. */
  readonly where: string;
  /** Its port; 0 for a unix socket. */
  readonly port: number;
  /** Process ids of its workers; none where it serves in this process. */
  readonly pids: readonly number[];
  /** What each worker is doing at this moment: state, accepted, open. */
  workers(): RowReading[];
  /** How many connections were ended or refused so far, by reason (`idle`, `question-size`, …). */
  counts(): Readonly<Record<string, number>>;
  /** How many accepted sockets wait for a worker; only `queued` has a queue. */
  readonly queued: number;
  /**
   * Replaces every worker by a new one on the same listener, so that nobody who comes is turned away; a
   * changed service module is loaded anew. The old ones serve on whom they have until those leave, for
   * `drain` at most. Resolves when the new ones serve.
   *
   * @throws ServeError if they cannot be started: then the old ones serve on
   */
  restart(): Promise<void>;
  /**
   * Stops listening, answers what was fully asked, ends whoever is at rest, and then the workers; resolves
   * when nothing of it is left. Whoever is owed an answer has until the deadline; whoever is inside a
   * question has 250 ms of it. Called again, it can only bring the end nearer.
   *
   * @param options.deadline in ms from this call, up to an hour; 0 ends everybody at once. Default: the option `drain`
   * @throws ServeError if the deadline is no such number: then the server is as it was
   */
  close(options?: { readonly deadline?: number }): Promise<void>;
}
