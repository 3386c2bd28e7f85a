/**
 * A client for an async function: `read` gives the thread back to Node's loop until bytes have come. The socket is
 * paused while the function does not read. So the bytes of a client that sends faster than it gets answers wait in
 * the kernel.
 */
import type { Socket } from 'node:net';
import { setImmediate as othersTurn, setTimeout as sleep } from 'node:timers/promises';
import { causeOf, Ended, endOfStream } from '../ended.ts';
import type { NodeClients } from './clients.ts';
import { NodeConnection } from './connection.ts';

export class NodeClient extends NodeConnection {
  #reading: { resolve: (data: Buffer) => void; reject: (reason: Error) => void } | undefined;
  readonly #chunks: Buffer[] = [];
  #hasEnded = false;
  #error: Error | undefined;
  #hasRoom = true;
  #hasAnswered = false;

  constructor(socket: Socket, peer: string, ticket: number, clients: NodeClients) {
    super(socket, peer, ticket, clients);
    socket.on('data', (data: Buffer) => {
      const reading = this.#reading;
      this.#reading = undefined;
      if (reading === undefined) this.#chunks.push(data);
      else reading.resolve(data);
      socket.pause();
    });
    socket.on('end', () => {
      this.#hasEnded = true;
      this.#reading?.reject(endOfStream);
    });
    socket.on('error', (error) => this.#fail(error));
    socket.on('close', () => this.#fail(new Error('the socket was closed')));
    socket.pause();
  }

  /** Resolves with the next bytes, in the order they came. @throws Ended, or the socket's error */
  read(): Promise<Buffer> {
    const chunk = this.#chunks.shift();
    if (chunk !== undefined) return Promise.resolve(chunk);
    if (this.#hasEnded) return Promise.reject(endOfStream);
    if (this.#error !== undefined) return Promise.reject(this.#error);
    // A leaving worker closes a connection that has its answer, before the client asks again.
    const cause = this.#hasAnswered ? this.causeToEnd : undefined;
    if (cause !== undefined) return Promise.reject(new Ended(cause));
    this.#hasAnswered = false;
    return new Promise((resolve, reject) => {
      this.#reading = { resolve, reject };
      this.socket.resume();
    });
  }

  override write(): boolean {
    this.#hasAnswered ||= this.answers.length > 0;
    this.#hasRoom = super.write();
    return this.#hasRoom;
  }

  /** Resolves once the client has taken enough that more may be written. */
  async answersTaken(): Promise<void> {
    if (this.#hasRoom) return;
    const { socket } = this;
    // If the socket closed before the bytes were written, neither event comes any more.
    if (socket.destroyed) throw this.#lost();
    await new Promise<void>((resolve, reject) => {
      const done = (error?: Error) => {
        socket.off('drain', done).off('close', lost);
        if (error === undefined) resolve();
        else reject(error);
      };
      const lost = () => done(this.#lost());
      socket.once('drain', done).once('close', lost);
    });
  }

  /** Resolves after this number of ms, or when the promise settles. */
  async until(next: number | Promise<void>): Promise<void> {
    // A timer of 0 ms would take 1 ms.
    if (next === 0) await othersTurn();
    else if (typeof next === 'number') await sleep(next);
    else await next;
  }

  /** Sends the remaining bytes and closes. @param reason what `read` or `answersTaken` has thrown */
  async end(reason: unknown): Promise<void> {
    const { socket } = this;
    const cause = causeOf(reason);
    this.note(cause);
    if (!(cause instanceof Error)) {
      await new Promise<void>((resolve) => void socket.end(() => resolve()));
    }
    socket.destroy();
  }

  #fail(error: Error): void {
    this.#error ??= error;
    this.#reading?.reject(this.#error);
  }

  #lost(): Error {
    return this.socket.errored ?? new Error('closed before the bytes were sent');
  }
}
