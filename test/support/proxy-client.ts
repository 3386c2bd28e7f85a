/** What a server does with a connection through a proxy, as the proxy sees it. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { until } from './until.ts';

export class ProxyConnection {
  readonly socket: Socket;
  /** How the server names it. */
  peer = '';
  received = '';
  #error: string | undefined;

  /** @param from its own address */
  static async open(port: number, from = '127.0.0.1'): Promise<ProxyConnection> {
    const connection = new ProxyConnection(port, from);
    const { socket } = connection;
    await Promise.race([once(socket, 'connect'), once(socket, 'close')]);
    connection.peer = `${socket.localAddress}:${socket.localPort}`;
    return connection;
  }

  private constructor(port: number, from: string) {
    this.socket = connect({ port, host: '127.0.0.1', localAddress: from, noDelay: true });
    this.socket.setEncoding('latin1');
    this.socket.on('data', (data) => {
      this.received += data;
    });
    this.socket.on('error', (error: NodeJS.ErrnoException) => {
      this.#error = error.code;
    });
  }

  /** Sends pieces, each in a segment of its own as far as the kernel lets it. */
  async send(...pieces: readonly (string | Uint8Array)[]): Promise<void> {
    for (const piece of pieces) {
      await new Promise<void>((resolve) => void this.socket.write(piece, () => resolve()));
    }
  }

  /** Waits for that text, which may be a part of what comes. */
  async receives(text: string): Promise<void> {
    await until(`${JSON.stringify(text)} in ${JSON.stringify(this.received)}`, () =>
      this.received.includes(text),
    );
  }

  /** Waits for the end. Returns how the server has ended it. */
  async ended(): Promise<'reset' | 'closed'> {
    await until('the server to end it', () => this.socket.closed || this.socket.readableEnded);
    return this.#error === undefined ? 'closed' : 'reset';
  }

  async leave(): Promise<void> {
    if (this.socket.closed) return;
    this.socket.destroy();
    await once(this.socket, 'close');
  }
}
