/**
 * Standard output of a command that serves: whoever reads it may be slow, or have stopped, or have no room, and the
 * server goes on. A thread of Node's pool sleeps in write(2) for as long as it takes. O_NONBLOCK would not do: the
 * terminal and the shell share it, and with each worker that is started Node takes it back.
 */
import { fstatSync, write } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { exitAtOnce } from '../os/exit.ts';
import { pause } from '../os/pause.ts';

/** So many bytes wait for the reader; what does not fit is dropped. */
const MOST_WAITING = 1_048_576;
/** In one write, in characters: of a reader that is slow it is seen only between two of them that it reads. */
const AT_ONCE = 16_384;
/** How long until the next try where somebody else has made it non-blocking, in ms. */
const BACK_OFF = 100;
/** At the end: how long to wait for a reader that takes nothing, and for one that is slow, in ms. */
const PATIENCE = 1000;
const LONGEST = 10_000;
/** Before an end that does not wait: a line that was just written has reached the kernel by then, in ms. */
const LAST_MOMENT = 100;

/** The reader has left, or the terminal was closed: nothing can be written any more. */
const GONE = new Set(['EPIPE', 'EIO']);

const NEWLINE = 10;

const writeTo = promisify(write);

export class StandardOutput {
  readonly #fd;
  /** Each to be written at once. */
  readonly #pieces: string[] = [];
  /** In bytes. */
  #waiting = 0;
  #dropped = 0;
  /** How many of the dropped were told of in what is being written. */
  #telling = 0;
  #why = '';
  /** A line of which only the beginning was written is not to run into the next one. */
  #isTorn = false;
  #isWriting = false;
  #isEnding = false;
  #isBroken = false;
  #onProgress = () => {};
  /** Told how many lines were dropped, and why the last, as soon as what comes after them can be written. */
  onDropped: (count: number, why: string) => void = () => {};

  constructor(fd = 1) {
    this.#fd = fd;
  }

  /** Never waits. */
  write(text: string): void {
    const length = Buffer.byteLength(text);
    if (this.#isBroken) return;
    if (this.#waiting + length > MOST_WAITING && !this.#isEnding) {
      this.#dropped++;
      this.#why = 'whoever reads them is too slow';
      return;
    }
    this.#waiting += length;
    const last = this.#pieces.length - 1;
    const piece = this.#pieces[last];
    if (piece !== undefined && piece.length + text.length <= AT_ONCE) this.#pieces[last] += text;
    else this.#pieces.push(text);
    if (!this.#isWriting) void this.#writePieces();
  }

  /** Nothing is dropped from now on, if there is room: what comes is the end of the account, and little. */
  beginEnd(): void {
    this.#isEnding = true;
  }

  /**
   * Resolves once nothing waits: to true, or to false if whoever should read it does not.
   *
   * @param hurried resolves when somebody does not want to wait any more
   */
  written(hurried?: Promise<void>): Promise<boolean> {
    if (this.#waiting === 0) return Promise.resolve(true);
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const giveUp = setTimeout(resolve, PATIENCE, false);
    const end = setTimeout(resolve, LONGEST, false);
    // Whoever does read has the last line by then.
    void hurried?.then(() => setTimeout(resolve, LAST_MOMENT, false).unref());
    this.#onProgress = () => {
      giveUp.refresh();
      if (this.#waiting === 0) resolve(true);
    };
    return promise.finally(() => {
      clearTimeout(giveUp);
      clearTimeout(end);
    });
  }

  /** From now on the end of the process does not wait for the thread that sleeps in write(2). */
  leaveAtExit(): void {
    let fault: unknown;
    process.on('uncaughtExceptionMonitor', (error) => {
      fault = error;
    });
    process.on('exit', (exitCode) => {
      if (!this.#isWriting) return;
      pause(LAST_MOMENT);
      // Node would print it later. Where the same reader is to read it, that would wait for ever.
      if (fault !== undefined && !isSame(this.#fd, 2)) console.error(fault);
      exitAtOnce(exitCode);
    });
  }

  async #writePieces(): Promise<void> {
    this.#isWriting = true;
    for (let piece = this.#pieces.shift(); piece !== undefined; piece = this.#pieces.shift()) {
      const length = Buffer.byteLength(piece);
      const bytes = Buffer.from(this.#isTorn ? `\n${piece}` : piece);
      let sent = 0;
      try {
        while (sent < bytes.length) sent += await this.#writeSome(bytes.subarray(sent));
        this.#telling = 0;
      } catch (error) {
        const lost = bytes.subarray(Math.max(sent, bytes.length - length));
        this.#lose(lost, error as NodeJS.ErrnoException);
      }
      if (sent > 0) this.#isTorn = bytes[sent - 1] !== NEWLINE;
      // What is gone is not waited for any more.
      this.#waiting = this.#isBroken ? 0 : this.#waiting - length;
      if (sent === bytes.length && this.#waiting === 0) this.#tellDropped();
      this.#onProgress();
    }
    this.#isWriting = false;
  }

  /** Resolves to the number of bytes written. */
  async #writeSome(bytes: Uint8Array): Promise<number> {
    for (;;) {
      try {
        const { bytesWritten } = await writeTo(this.#fd, bytes);
        this.#onProgress();
        return bytesWritten;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error;
        await sleep(BACK_OFF);
      }
    }
  }

  #lose(lost: Uint8Array, error: NodeJS.ErrnoException): void {
    if (GONE.has(error.code ?? '')) {
      this.#isBroken = true;
      this.#pieces.length = 0;
      // Whoever listens for what befalls standard output hears it there.
      process.stdout.emit('error', error);
      return;
    }
    // A full disk, say: there may be room for the next.
    this.#dropped += this.#telling || lost.filter((byte) => byte === NEWLINE).length;
    this.#telling = 0;
    this.#why = error.message.replace(/, write$/, '');
  }

  #tellDropped(): void {
    if (this.#dropped === 0) return;
    this.#telling = this.#dropped;
    this.#dropped = 0;
    this.onDropped(this.#telling, this.#why);
  }
}

/** Whether both lead to the same file, pipe or terminal. */
function isSame(one: number, other: number): boolean {
  const [first, second] = [fstatSync(one), fstatSync(other)];
  return first.dev === second.dev && first.ino === second.ino;
}
