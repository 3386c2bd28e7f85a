/**
 * A reader and a writer over a socket of Node's own loop, as coroutines want them: `read` resolves
 * with the next bytes, `drain` once the kernel has taken enough. The socket is paused whenever nobody
 * reads, so that a client that sends faster than it is answered waits in the kernel.
 */
import type { Socket } from 'node:net';
import { ANSWER, IDLE, QUESTION, THINKING } from '../../lifecycle/phase.ts';
import type { Conversation } from '../../protocol/conversation.ts';
import type { Outbox } from '../../protocol/outbox.ts';
import type { Backlog } from '../backlog.ts';

/** Written behind other bytes to be told when those have left: a callback for each write costs every question. */
const NOTHING = Buffer.alloc(0);

/** Whether the kernel has all that was written: not if some is buffered, and not if a write failed. */
const isSent = (socket: Socket): boolean =>
  socket.writableLength === 0 && !socket.destroyed && socket.errored === null;

export class StreamReader {
  readonly #socket: Socket;
  #waiting: { resolve: (data: Buffer | undefined) => void; reject: (e: Error) => void } | undefined;
  #chunks: Buffer[] = [];
  #ended = false;
  #error: Error | undefined;

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('data', (data: Buffer) => {
      if (this.#waiting === undefined) this.#chunks.push(data);
      else this.#settle(data);
      socket.pause();
    });
    socket.on('end', () => {
      this.#ended = true;
      this.#settle(undefined);
    });
    socket.on('error', (error) => {
      this.#error = error;
      this.#waiting?.reject(error);
    });
    socket.on('close', () => {
      this.#error ??= new Error('the socket was closed');
      this.#waiting?.reject(this.#error);
    });
    socket.pause();
  }

  /** The next bytes in the order they came; nothing at the end of the stream. Rejects with a socket error. */
  read(): Promise<Buffer | undefined> {
    const chunk = this.#chunks.shift();
    if (chunk !== undefined) return Promise.resolve(chunk);
    if (this.#ended) return Promise.resolve(undefined);
    if (this.#error !== undefined) return Promise.reject(this.#error);
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject };
      this.#socket.resume();
    });
  }

  /** Whether nothing has come that was not read. */
  get isEmpty(): boolean {
    return this.#chunks.length === 0;
  }

  #settle(data: Buffer | undefined): void {
    const { resolve } = this.#waiting ?? {};
    this.#waiting = undefined;
    resolve?.(data);
  }
}

export class StreamWriter {
  readonly #socket: Socket;
  #hasRoom = true;
  /** What was last handed over, if the kernel did not take it at once, until it has. */
  unsent: Uint8Array | undefined;
  readonly #backlog: Backlog;
  #counted = 0;
  readonly #sent = (error?: Error | null): void => {
    if (error || this.#socket.destroyed) return;
    this.#count(this.#socket.writableLength);
    if (this.#socket.writableLength === 0) this.unsent = undefined;
  };

  /** @param backlog where bytes count that the kernel has not taken */
  constructor(socket: Socket, backlog: Backlog) {
    this.#socket = socket;
    this.#backlog = backlog;
  }

  /**
   * Hands over what is in the outbox and leaves it empty; `drain` before the next.
   *
   * @returns whether there is room for more
   * @throws LimitReached if too much is unsent in all
   */
  write(out: Outbox): boolean {
    const bytes = out.buffer.subarray(0, out.length);
    this.#hasRoom = this.#socket.write(bytes);
    if (isSent(this.#socket)) out.clear();
    else {
      // They will be sent from this very buffer; what is written behind them tells when they have left.
      this.unsent = bytes;
      out.renew();
      this.#socket.write(NOTHING, this.#sent);
      this.#count(this.#socket.writableLength);
    }
    return this.#hasRoom;
  }

  /** Nothing of it will be sent any more. */
  forget(): void {
    this.#count(0);
  }

  #count(length: number): void {
    this.#backlog.note(this.#counted, length);
    this.#counted = length;
  }

  /** Waits while more is unsent than the socket's high-water mark. */
  async drain(): Promise<void> {
    if (this.#hasRoom) return;
    // Neither event comes any more if it was lost before the bytes were written.
    if (this.#socket.destroyed) throw this.#lost();
    await new Promise<void>((resolve, reject) => {
      const done = (error?: Error) => {
        this.#socket.off('drain', done).off('close', lost);
        if (error === undefined) resolve();
        else reject(error);
      };
      const lost = () => done(this.#lost());
      this.#socket.once('drain', done).once('close', lost);
    });
  }

  #lost(): Error {
    return this.#socket.errored ?? new Error('closed before the bytes were sent');
  }

  /** Sends what is left, then the end of the stream. */
  close(): Promise<void> {
    return new Promise((resolve) => this.#socket.end(() => resolve()));
  }
}

/** What a connection is doing whose answers go through a writer. */
export function phaseOf(conversation: Conversation, writer: StreamWriter): number {
  if (writer.unsent !== undefined) return ANSWER;
  if (conversation.isThinking) return THINKING;
  return conversation.heldLength > 0 ? QUESTION : IDLE;
}
