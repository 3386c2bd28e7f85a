/** Collects the lines of a session for a file. */
import { createGzip } from 'node:zlib';
import { lineOf, MOST_BYTES } from '../shared/recording.ts';

/** Room for the last line. */
const END_BYTES = 100;

/** Keeps the packed bytes in memory: no half a file stays if the process dies. */
export class Recorder {
  readonly #gzip = createGzip({ level: 9 });
  readonly #parts: Buffer[] = [];
  readonly #done: Promise<unknown>;
  #bytes = 0;
  #isFull = false;
  #hasEnd = false;

  constructor() {
    this.#gzip.on('data', (part: Buffer) => this.#parts.push(part));
    this.#done = new Promise((resolve) => this.#gzip.once('end', resolve));
  }

  /** True if the recording has as many bytes as a reader takes; it ends there. */
  get isFull(): boolean {
    return this.#isFull;
  }

  lines(lines: readonly string[]): void {
    for (const line of lines) {
      if (this.#isFull) return;
      this.#bytes += Buffer.byteLength(line);
      this.#isFull = this.#bytes > MOST_BYTES - END_BYTES;
      if (this.#isFull) return;
      this.#hasEnd = line.startsWith('{"k":"end"');
      this.#gzip.write(line);
    }
  }

  /** @param t the time of the end, if no line has told it */
  async finish(t: number): Promise<Buffer> {
    if (!this.#hasEnd) this.#gzip.write(lineOf({ k: 'end', t }));
    this.#gzip.end();
    await this.#done;
    return Buffer.concat(this.#parts);
  }
}
