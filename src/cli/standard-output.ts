/**
 * Standard output of a command that serves: whoever reads it may be slow, or have stopped, and the server goes on. A
 * thread of Node's pool sleeps in write(2) for as long as it takes. O_NONBLOCK would not do: the terminal and the shell
 * share it, and with each worker that is started Node takes it back.
 */
import { pino } from 'pino';

/** So many bytes wait for the reader; what does not fit is dropped. */
const MOST_WAITING = 1_048_576;
/** At the end: how long to wait for a reader that takes nothing, and for one that is slow, in ms. */
const PATIENCE = 1000;
const LONGEST = 10_000;

export class StandardOutput {
  readonly #pipe;
  /** In bytes. */
  #waiting = 0;
  #dropped = 0;
  #isEnding = false;
  #isBroken = false;
  /** Told how many writes were dropped, as soon as all before them are written. */
  onDropped: (count: number) => void = () => {};

  constructor(fd = 1) {
    this.#pipe = pino.destination({ dest: fd, sync: false });
    this.#pipe.on('write', (count) => {
      this.#waiting -= count;
      if (this.#waiting > 0 || this.#dropped === 0) return;
      const dropped = this.#dropped;
      this.#dropped = 0;
      this.onDropped(dropped);
    });
    this.#pipe.on('error', (error) => {
      this.#isBroken = true;
      // Whoever listens for what befalls standard output hears it there.
      process.stdout.emit('error', error);
    });
  }

  /** Never waits. */
  write(text: string): void {
    const length = Buffer.byteLength(text);
    if (this.#isBroken) return;
    if (this.#waiting + length > MOST_WAITING && !this.#isEnding) {
      this.#dropped++;
      return;
    }
    this.#waiting += length;
    this.#pipe.write(text);
  }

  /** Nothing is dropped from now on: what comes is the end of the account, and little. */
  beginEnd(): void {
    this.#isEnding = true;
  }

  /** Resolves once all is written: to true, or to false if whoever should read it does not. */
  written(): Promise<boolean> {
    if (this.#waiting === 0 || this.#isBroken) return Promise.resolve(true);
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const giveUp = setTimeout(resolve, PATIENCE, false);
    const end = setTimeout(resolve, LONGEST, false);
    this.#pipe.on('write', () => {
      giveUp.refresh();
      if (this.#waiting === 0) resolve(true);
    });
    this.#pipe.on('error', () => resolve(true));
    return promise.finally(() => {
      clearTimeout(giveUp);
      clearTimeout(end);
    });
  }
}
