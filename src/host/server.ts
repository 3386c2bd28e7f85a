/** What `serve` returns. */

import type { SocketAddress } from '../os/address.ts';
import type { AcceptQueue } from '../os/socket.ts';
import type { RowReading } from '../worker/scoreboard.ts';
import type { ServerState } from './admin/view.ts';
import type { RestartOptions } from './plan.ts';

/**
 * A server that is running.
 *
 * @example
 * ```ts
 * import { type Server, serve } from 'mondo';
 *
 * const state = (server: Server): string => {
 *   const { questions, connections } = server.served();
 *   const open = server.workers().reduce((sum, worker) => sum + worker.open, 0);
 *   return `${server.where}: ${questions} answers, ${connections} connections, ${open} open`;
 * };
 * const server = await serve({ architecture: 'threaded', port: 0 });
 * console.log(state(server));
 * await server.close({ deadline: 1000 });
 * ```
 */
export interface Server {
  readonly architecture: string;
  /** Its address: `{ family, host, port }` or `{ family: 'unix', path }`. */
  readonly address: SocketAddress;
  /** Its address as text: `HOST:PORT`, `[HOST]:PORT` or `unix:PATH`. */
  readonly where: string;
  /** Its port; 0 for a unix socket. */
  readonly port: number;
  /** What it is doing: `ready`, `lame` in the time before a stop, `draining`, or `stopped`. */
  readonly state: ServerState;
  /** Where its admin listener is, as text; undefined if it has none. */
  readonly admin: string | undefined;
  /** Where its agent check is, as text; undefined if it has none. */
  readonly agentCheck: string | undefined;
  /** Process ids of its workers; empty if it serves in this process. */
  readonly pids: readonly number[];
  /** What each worker is doing at this moment: state, accepted, open. */
  workers(): RowReading[];
  /** Number of connections closed or refused so far, by reason (`idle`, `question-size`, …). */
  counts(): Readonly<Record<string, number>>;
  /**
   * Number of headers of the PROXY protocol that were used so far: of version 1 and 2, of proxies that spoke for
   * themselves (`local`), and without an address (`unspecified`). `counts` has those that were wrong.
   */
  proxyHeaders(): Readonly<Record<'v1' | 'v2' | 'local' | 'unspecified', number>>;
  /** Questions answered and connections accepted so far, by all workers, also those that have ended. */
  served(): { readonly questions: number; readonly connections: number };
  /** Number of accepted sockets that wait for a worker thread; only `queued` has a queue. */
  readonly queued: number;
  /**
   * The accept queues of all its listeners together, by the kernel: the clients that are connected and not accepted,
   * and the most that fit. Undefined for a unix socket, without system calls, and once the server stops.
   */
  queue(): AcceptQueue | undefined;
  /**
   * Replaces every worker by a new one on the same listener, so that no client is refused. The new workers load a
   * changed service module. The old ones serve their clients until these leave, for at most `drain`. Resolves when
   * the new ones serve. Clients of the old workers keep the limits with which they came.
   *
   * @param options what changes, as for `serve`; what is left out stays as it is, also a single limit. A function that
   *   reads the options is possible too. If it throws, nothing changes
   * @throws ServeError if an option makes no sense, or if the new workers cannot start: then the old ones continue to
   *   serve, with the old options
   */
  restart(options?: RestartOptions | (() => Promise<RestartOptions>)): Promise<void>;
  /**
   * Stops listening, answers complete questions, closes idle connections, and then ends the workers. Resolves when
   * nothing of the server is left. Connections that wait for an answer have until the deadline. Unfinished
   * questions have 250 ms of it. A second call can only bring the end nearer.
   *
   * With the option `lameDuck`, a call without a deadline first makes the server unready, and lets it accept clients
   * for that time. A second call ends that time.
   *
   * @param options.deadline in ms from this call, up to an hour; 0 closes all connections at once. Default: the
   *   option `drain`, after the lame duck
   * @throws ServeError if the deadline is not such a number: then nothing changes
   */
  close(options?: { readonly deadline?: number }): Promise<void>;
}
