/**
 * Standard output of a command that serves. Its reader may be slow, or have stopped, or a disk may be full, and the
 * server continues. A thread of Node's pool sleeps in write(2) as long as necessary. O_NONBLOCK would not help: the
 * terminal and the shell share it, and Node resets it each time that a worker starts.
 */
import { fstatSync, write } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { exitAtOnce } from '../os/exit.ts';
import { pause } from '../os/pause.ts';

/** The most bytes that wait for the reader; further text is dropped. */
const MOST_WAITING = 1_048_576;
/** The most characters in one write. Between two writes the server sees that a slow reader still reads. */
const AT_ONCE = 16_384;
/** Pause before the next try if another process has made standard output non-blocking, in ms. */
const RETRY_INTERVAL_MS = 100;
/** At the end: time limits for a reader that takes nothing, and for one that is slow, in ms. */
const STOPPED_READER_MS = 1000;
const SLOW_READER_MS = 10_000;
/** At an end that does not wait: time for the last line to reach the kernel, in ms. */
const LAST_LINE_MS = 100;

/** The reader has left, or the terminal was closed: writing will always fail. */
const GONE = new Set(['EPIPE', 'EIO']);

const NEWLINE = 10;

const writeTo = promisify(write);

export class StandardOutput {
  readonly #fd;
  /** Each piece is one write. */
  readonly #pieces: string[] = [];
  /** Bytes that wait. */
  #waiting = 0;
  #dropped = 0;
  /** Number of dropped lines that the text being written reports. */
  #reporting = 0;
  #why = '';
  /** True if only the beginning of a line was written: the next line must not continue it. */
  #isTorn = false;
  #isWriting = false;
  #isEnding = false;
  #isBroken = false;
  #onProgress = () => {};
  /** Called with the number of dropped lines and the reason for the last, as soon as later text can be written. */
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
      this.#why = 'their reader is too slow';
      return;
    }
    this.#waiting += length;
    const last = this.#pieces.length - 1;
    const piece = this.#pieces[last];
    if (piece !== undefined && piece.length + text.length <= AT_ONCE) this.#pieces[last] += text;
    else this.#pieces.push(text);
    if (!this.#isWriting) void this.#writePieces();
  }

  /** After this call nothing is dropped, if there is room: the end of the log is short. */
  beginEnd(): void {
    this.#isEnding = true;
  }

  /**
   * Resolves once nothing waits: to true, or to false if the reader does not read.
   *
   * @param hurried resolves when the command must not wait any longer
   */
  written(hurried?: Promise<void>): Promise<boolean> {
    if (this.#waiting === 0) return Promise.resolve(true);
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const giveUp = setTimeout(resolve, STOPPED_READER_MS, false);
    const end = setTimeout(resolve, SLOW_READER_MS, false);
    // A reader that reads has the last line after this time.
    void hurried?.then(() => setTimeout(resolve, LAST_LINE_MS, false).unref());
    this.#onProgress = () => {
      giveUp.refresh();
      if (this.#waiting === 0) resolve(true);
    };
    return promise.finally(() => {
      clearTimeout(giveUp);
      clearTimeout(end);
    });
  }

  /** After this call, the end of the process does not wait for the thread that sleeps in write(2). */
  leaveAtExit(): void {
    let fault: unknown;
    process.on('uncaughtExceptionMonitor', (error) => {
      fault = error;
    });
    process.on('exit', (exitCode) => {
      if (!this.#isWriting) return;
      pause(LAST_LINE_MS);
      // Node would print it later. If standard error has the same reader, that would wait for ever.
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
        this.#reporting = 0;
      } catch (error) {
        const lost = bytes.subarray(Math.max(sent, bytes.length - length));
        this.#lose(lost, error as NodeJS.ErrnoException);
      }
      if (sent > 0) this.#isTorn = bytes[sent - 1] !== NEWLINE;
      // Do not wait for lost text.
      this.#waiting = this.#isBroken ? 0 : this.#waiting - length;
      if (sent === bytes.length && this.#waiting === 0) this.#reportDropped();
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
        await sleep(RETRY_INTERVAL_MS);
      }
    }
  }

  #lose(lost: Uint8Array, error: NodeJS.ErrnoException): void {
    if (GONE.has(error.code ?? '')) {
      this.#isBroken = true;
      this.#pieces.length = 0;
      // The command handles errors of standard output there.
      process.stdout.emit('error', error);
      return;
    }
    // For example a full disk: there may be room for the next text.
    this.#dropped += this.#reporting || lost.filter((byte) => byte === NEWLINE).length;
    this.#reporting = 0;
    this.#why = error.message.replace(/, write$/, '');
  }

  #reportDropped(): void {
    if (this.#dropped === 0) return;
    this.#reporting = this.#dropped;
    this.#dropped = 0;
    this.onDropped(this.#reporting, this.#why);
  }
}

/** True if both descriptors lead to the same file, pipe or terminal. */
function isSame(one: number, other: number): boolean {
  const [first, second] = [fstatSync(one), fstatSync(other)];
  return first.dev === second.dev && first.ino === second.ino;
}
