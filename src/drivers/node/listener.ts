/**
 * A listener on Node's own loop that can pause while there is no room. Node has no call for that: it accepts every
 * client. But a server that is closed inside the callback of a client accepts no client after that one. Another
 * server can then continue with the same listener, in whose queue the clients have waited.
 */
import { createServer, type Server, type Socket } from 'node:net';
import { getDefaultHighWaterMark } from 'node:stream';
import type { Limits } from '../../limits/limits.ts';
import type { NodeHost } from '../../worker/contract.ts';

/** Number of unsent bytes after which Node wants no more writes: the limit, but at most Node's default. */
const mostUnsent = ({ unsent }: Limits): number =>
  Math.min(unsent || getDefaultHighWaterMark(false), getDefaultHighWaterMark(false));

export class NodeListener {
  readonly #worker: NodeHost;
  readonly #arrived: (socket: Socket) => void;
  #server: Server | undefined;
  /** True if its clients have no address. */
  isUnix = false;

  constructor(worker: NodeHost, arrived: (socket: Socket) => void) {
    this.#worker = worker;
    this.#arrived = arrived;
  }

  get isOpen(): boolean {
    return this.#server !== undefined;
  }

  async open(): Promise<void> {
    const server = createServer(
      {
        // A client that closes its own direction after its last question still gets its answer.
        allowHalfOpen: true,
        noDelay: true,
        highWaterMark: mostUnsent(this.#worker.clients.limits),
      },
      this.#arrived,
    );
    this.#server = server;
    server.once('listening', () => {
      // For an inherited unix socket Node knows no path, and returns null.
      const address = server.address();
      this.isUnix = address === null || typeof address === 'string';
    });
    try {
      await this.#worker.listen(server);
    } catch (error) {
      this.#server = undefined;
      throw error;
    }
    server.on('error', (error) => {
      // The listener was shut down, for all workers.
      if (!this.#worker.isLeaving) throw error;
    });
  }

  close(): void {
    this.#server?.close();
    this.#server = undefined;
  }
}
