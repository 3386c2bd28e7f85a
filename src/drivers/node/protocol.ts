/**
 * A client for callbacks, like asyncio's Protocol: connectionMade (dataReceived | resumed | eofReceived)*. A method
 * never waits; it asks for a callback.
 */
import type { Socket } from 'node:net';
import type { Next } from '../../protocol/conversation.ts';
import type { NodeClients } from './clients.ts';
import { NodeConnection } from './connection.ts';

export abstract class NodeProtocol extends NodeConnection {
  #isWaiting = false;
  #isHalfClosed = false;
  #hasRoom = true;
  #hasAnswered = false;

  constructor(socket: Socket, peer: string, ticket: number, clients: NodeClients) {
    super(socket, peer, ticket, clients);
    socket.on('data', (data: Buffer) => {
      if (this.#isWaiting) this.conversation.hold(data, 0, data.length);
      else this.dataReceived(data);
    });
    socket.on('end', () => this.eofReceived());
  }

  abstract connectionMade(): void;
  abstract dataReceived(data: Buffer): void;
  /** The client sends no more. */
  abstract eofReceived(): void;
  /** The event that `later` waited for has come. */
  abstract resumed(): void;

  override write(): boolean {
    this.#hasAnswered = this.answers.length > 0;
    try {
      this.#hasRoom = super.write();
    } catch (error) {
      // Too many bytes are unsent in the whole server.
      this.endFor(error as Error);
      this.#hasRoom = true;
    }
    return this.#hasRoom;
  }

  /** Calls `dataReceived` with the next bytes, once the client has taken its answers. */
  readOn(): void {
    if (!this.#hasRoom) {
      this.#whenDrained(() => this.readOn());
      return;
    }
    if (this.#isHalfClosed) this.socket.destroySoon();
    else if (this.#hasAnswered) this.#endIfLeaving();
  }

  /**
   * Calls `resumed` once the client has taken its answers and `next` has come. Until then it calls no other method.
   */
  later(next: Exclude<Next, undefined | 'close'>): void {
    if (!this.#hasRoom) this.#whenDrained(() => this.later(next));
    else if (next === 'full') this.#callBack(() => this.resumed());
    else {
      const callBack = this.#pause(() => this.resumed());
      // A timer of 0 ms would take 1 ms.
      if (next === 0) setImmediate(callBack);
      else if (typeof next === 'number') setTimeout(callBack, next);
      else void next.then(callBack);
    }
  }

  /** Closes the connection when all answers are sent, also those that are due later. */
  closeWhenSent(): void {
    if (this.#isWaiting) this.#isHalfClosed = true;
    else this.socket.destroySoon();
  }

  #whenDrained(call: () => void): void {
    this.#hasRoom = true;
    this.socket.once('drain', this.#pause(call));
  }

  /** Takes no more bytes from this client until the returned function is called. */
  #pause(call: () => void): () => void {
    this.#isWaiting = true;
    this.socket.pause();
    return () => this.#callBack(call);
  }

  #callBack(call: () => void): void {
    this.#isWaiting = false;
    if (this.socket.destroyed) return;
    this.socket.resume();
    call();
  }

  /** A leaving worker closes a connection that has its answer, before the client asks again. */
  #endIfLeaving(): void {
    const cause = this.causeToEnd;
    if (cause === undefined) return;
    this.note(cause);
    this.socket.destroySoon();
  }
}
