/** One viewer's connection: what it gets, and how much of it. */
import type { WebSocket } from 'ws';
import { CLOSED, type NoteRecord, type WelcomeRecord } from '../shared/wire.ts';
import { MOST_COMMANDS } from './commands.ts';

/** Bytes that may wait for a viewer; with more, it gets no lines until fewer than the second number wait. */
const MOST_WAITING = 2 ** 20;
const FEW_WAITING = 2 ** 18;

export class Viewer {
  readonly #socket: WebSocket;
  /** It came in with a code, and does not know the token. */
  readonly #token: string | undefined;
  #lost = 0;
  /** Bytes of the history, which waits for the viewer at its start. */
  #allowance = 0;
  #commands = 0;
  #second = 0;
  #isAlive = true;

  /** @param token what a viewer needs to come in again, if it does not know it */
  constructor(socket: WebSocket, token: string | undefined) {
    this.#socket = socket;
    this.#token = token;
    socket.on('pong', () => {
      this.#isAlive = true;
    });
    // Its `close` follows, and that is enough.
    socket.on('error', () => {});
  }

  begin(history: readonly string[]): void {
    const text = history.join('');
    this.#allowance = text.length;
    if (text !== '') this.#socket.send(text);
  }

  /** @param resumption makes the lines that stand for lost ones, with these lines in it */
  lines(text: string, count: number, resumption: (lost: number) => readonly string[]): void {
    const waiting = this.#socket.bufferedAmount;
    if (waiting < FEW_WAITING) this.#allowance = 0;
    if (this.#lost > 0 && waiting < FEW_WAITING) {
      this.#socket.send(resumption(this.#lost).join(''));
      this.#lost = 0;
      return;
    }
    if (this.#lost > 0 || waiting > MOST_WAITING + this.#allowance) this.#lost += count;
    else this.#socket.send(text);
  }

  welcome(record: WelcomeRecord): void {
    const token = this.#token === undefined ? {} : { token: this.#token };
    this.#tell({ ...record, ...token });
  }

  note(text: string, isFault = false): void {
    this.#tell({ k: 'n', isFault, text });
  }

  /** Counts a command. @returns false if it is one too many; then the connection closes */
  mayCommand(): boolean {
    const second = Math.floor(performance.now() / 1000);
    if (second !== this.#second) this.#commands = 0;
    this.#second = second;
    this.#commands++;
    if (this.#commands <= MOST_COMMANDS) return true;
    this.#socket.close(CLOSED.tooQuick, `more than ${MOST_COMMANDS} commands in a second`);
    return false;
  }

  /** Ends the connection if it did not answer the last ping. */
  ping(): void {
    if (!this.#isAlive) {
      this.#socket.terminate();
      return;
    }
    this.#isAlive = false;
    this.#socket.ping();
  }

  close(code: number, why: string): void {
    this.#socket.close(code, why);
  }

  end(): void {
    this.#socket.terminate();
  }

  #tell(record: WelcomeRecord | NoteRecord): void {
    // A viewer that takes nothing needs no words either.
    if (this.#socket.bufferedAmount > MOST_WAITING + this.#allowance) return;
    this.#socket.send(`${JSON.stringify(record)}\n`);
  }
}
