/**
 * A listener on Node's own loop that can be left alone while there is no room. Node has no word for that:
 * it accepts whoever comes. But a server that is closed inside the callback of a client accepts nobody
 * after that one, and another server goes on with the same listener, in whose queue clients have waited.
 */
import { createServer, type Server, type Socket } from 'node:net';
import { getDefaultHighWaterMark } from 'node:stream';
import type { Limits } from '../../limits/limits.ts';
import type { NodeHost } from '../../worker/contract.ts';

/** Past so many bytes that the kernel has not taken, Node wants no more; by itself past as many as by default. */
const mostUnsent = ({ unsent }: Limits): number =>
  Math.min(unsent || getDefaultHighWaterMark(false), getDefaultHighWaterMark(false));

export class NodeListener {
  readonly #worker: NodeHost;
  readonly #arrived: (socket: Socket) => void;
  #server: Server | undefined;
  /** Whether its clients have no address. */
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
        // A client that has asked its last question and said so still gets its answer.
        allowHalfOpen: true,
        noDelay: true,
        highWaterMark: mostUnsent(this.#worker.clients.limits),
      },
      this.#arrived,
    );
    this.#server = server;
    server.once('listening', () => {
      // Of a unix socket that was handed down, Node knows no path and says null.
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
      // The listener was shut down, for everybody.
      if (!this.#worker.isLeaving) throw error;
    });
  }

  close(): void {
    this.#server?.close();
    this.#server = undefined;
  }
}
