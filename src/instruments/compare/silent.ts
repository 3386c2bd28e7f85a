/** Clients that connect and say nothing: to many an architecture the most expensive ones there are. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

/** How long one has to connect, in ms. */
const PATIENCE = 5000;

export class SilentClients implements Disposable {
  readonly #sockets: readonly Socket[];

  /** Resolves once all of them are connected, and so stand in the queue before whoever comes later. */
  static async connect(port: number, count: number): Promise<SilentClients> {
    const sockets: Socket[] = [];
    const clients = new SilentClients(sockets);
    try {
      for (let i = 0; i < count; i++) {
        const socket = connect({ host: '127.0.0.1', port });
        sockets.push(socket);
        await once(socket, 'connect', { signal: AbortSignal.timeout(PATIENCE) });
        // One that is ended is no longer held, and that is all there is to say of it.
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

  /** How many are still connected. */
  get held(): number {
    return this.#sockets.filter((socket) => socket.readyState === 'open').length;
  }

  [Symbol.dispose](): void {
    for (const socket of this.#sockets) socket.on('error', () => {}).destroy();
  }
}
