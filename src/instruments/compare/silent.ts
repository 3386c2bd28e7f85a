/**
 * Clients that connect and say nothing. For many architectures they are the most expensive ones.
 */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

/** Timeout for connecting one client, in ms. */
const PATIENCE = 5000;

export class SilentClients implements Disposable {
  readonly #sockets: readonly Socket[];

  /** Resolves when all are connected, and so are in the accept queue before later clients. */
  static async connect(port: number, count: number): Promise<SilentClients> {
    const sockets: Socket[] = [];
    const clients = new SilentClients(sockets);
    try {
      for (let i = 0; i < count; i++) {
        const socket = connect({ host: '127.0.0.1', port });
        sockets.push(socket);
        await once(socket, 'connect', { signal: AbortSignal.timeout(PATIENCE) });
        // A client that the server closes is no longer counted; its error needs no report.
        socket.on('error', () => {}).resume();
      }
      return clients;
    } catch (error) {
      clients[Symbol.dispose]();
      throw new Error(
        `silent client ${sockets.length} of ${count} could not connect: ${(error as Error).message}`,
      );
    }
  }

  private constructor(sockets: readonly Socket[]) {
    this.#sockets = sockets;
  }

  /** Number of clients that are still connected. */
  get held(): number {
    return this.#sockets.filter((socket) => socket.readyState === 'open').length;
  }

  [Symbol.dispose](): void {
    for (const socket of this.#sockets) socket.on('error', () => {}).destroy();
  }
}
