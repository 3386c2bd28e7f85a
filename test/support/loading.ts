/** Servers whose workers load the service when a test says so. */
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { until } from './until.ts';

export class Loading implements AsyncDisposable {
  readonly #folder = mkdtempSync(join(tmpdir(), 'mondo-loading-'));
  /** One connection from each thread or process that loads the service. */
  readonly #waiting: Socket[] = [];
  readonly #server = createServer((socket) => {
    socket.on('error', () => {});
    this.#waiting.push(socket);
  });
  /** The module of the service. */
  readonly service: URL;

  private constructor() {
    const path = join(this.#folder, 'orders');
    this.#server.listen(path);
    this.service = new URL('./services/loads-on-order.ts', import.meta.url);
    this.service.searchParams.set('at', path);
  }

  static async start(): Promise<Loading> {
    const loading = new Loading();
    await once(loading.#server, 'listening');
    return loading;
  }

  /** Number of those that wait. */
  get waiting(): number {
    return this.#waiting.length;
  }

  /** Resolves once that number of threads and processes load the service. */
  async reaches(count: number): Promise<void> {
    await until(`${count} to load the service`, () => this.#waiting.length >= count);
  }

  /** Lets one of them go on. Resolves with its process id once it has read the order. */
  async order(what: 'load' | 'fail'): Promise<number> {
    const socket = this.#waiting.shift()!;
    const [pid] = await once(socket, 'data');
    socket.write(what);
    await once(socket, 'close');
    return Number(pid);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#waiting) socket.destroy();
    this.#server.close();
    rmSync(this.#folder, { recursive: true });
  }
}
