/**
 * Clients for tests, in two families with one interface. One family runs on Node's own loop. The other blocks in
 * the same system calls as the servers, in a thread of its own.
 */
import { once } from 'node:events';
import { Socket } from 'node:net';
import { Worker } from 'node:worker_threads';
import { expect } from 'vitest';
import type { SocketAddress } from '../../src/os/address.ts';
import type { Command, Reply } from './blocking-client.ts';
import { MS, PATIENCE, within } from './until.ts';

export interface Client {
  /** How a server names this client. */
  readonly peer: string;
  send(bytes: string | Uint8Array): Promise<void>;
  /** Receives exactly `count` bytes, as latin1. Rejects at the end of the stream. */
  receive(count: number): Promise<string>;
  /** Receives everything until the end of the stream. */
  rest(): Promise<string>;
  /** Ends its own direction, and can still receive. */
  end(): Promise<void>;
  /** Closes with RST. */
  reset(): Promise<void>;
  /** Closes without a last message, like the chapter's client. */
  close(): Promise<void>;
}

export type ClientFamily = 'net' | 'blocking';

export const connectClient = (family: ClientFamily, address: SocketAddress): Promise<Client> =>
  family === 'net' ? NetClient.connect(address) : BlockingClient.connect(address);

/** Asks, and returns as many bytes as the answer should have. */
export async function ask(client: Client, question: string, length: number): Promise<string> {
  await client.send(question);
  return client.receive(length);
}

export class NetClient implements Client {
  readonly #socket: Socket;
  #received: Buffer[] = [];
  #size = 0;
  #over = false;
  #error: Error | undefined;
  #notice: () => void = () => {};
  readonly peer: string;

  /** @param localAddress the client's own; default: the kernel chooses it */
  static async connect(address: SocketAddress, localAddress?: string): Promise<NetClient> {
    const socket = new Socket({ allowHalfOpen: true });
    socket.setNoDelay(true);
    socket.connect(
      address.family === 'unix'
        ? { path: address.path }
        : {
            host: address.host,
            port: address.port,
            ...(localAddress === undefined ? {} : { localAddress }),
          },
    );
    await within(PATIENCE, 'a connection', once(socket, 'connect'));
    return new NetClient(socket);
  }

  private constructor(socket: Socket) {
    this.#socket = socket;
    const { localAddress, localPort } = socket;
    if (localAddress === undefined) this.peer = 'unix';
    else if (localAddress.includes(':')) this.peer = `[${localAddress}]:${localPort}`;
    else this.peer = `${localAddress}:${localPort}`;
    // Nothing is read before `receive` or `rest`: after one buffer, the bytes stay in the kernel.
    socket.on('end', () => this.#finish());
    socket.on('close', () => this.#finish());
    socket.on('error', (error) => this.#finish(error));
  }

  send(bytes: string | Uint8Array): Promise<void> {
    return new Promise((resolve, reject) =>
      this.#socket.write(bytes, (error) => (error ? reject(error) : resolve())),
    );
  }

  async receive(count: number): Promise<string> {
    await this.#fill(count);
    if (this.#size < count) {
      const rest = Buffer.concat(this.#received).toString('latin1').slice(-200);
      throw new Error(
        `The stream ended ${count - this.#size} bytes early${this.#error ? `: ${this.#error.message}` : ''}; last: ${JSON.stringify(rest)}`,
      );
    }
    return this.#take(count);
  }

  async rest(): Promise<string> {
    await this.#fill(Number.POSITIVE_INFINITY);
    return this.#take(this.#size);
  }

  end(): Promise<void> {
    return new Promise((resolve) => this.#socket.end(resolve));
  }

  async reset(): Promise<void> {
    const closed = this.#socket.closed ? undefined : once(this.#socket, 'close');
    this.#socket.resetAndDestroy();
    await closed;
  }

  async close(): Promise<void> {
    const closed = this.#socket.closed ? undefined : once(this.#socket, 'close').catch(() => {});
    this.#socket.destroy();
    await closed;
  }

  async #fill(count: number): Promise<void> {
    const enough = new Promise<void>((resolve) => {
      const look = () => {
        for (let chunk = this.#socket.read(); chunk !== null; chunk = this.#socket.read()) {
          this.#received.push(chunk);
          this.#size += chunk.length;
          if (this.#size >= count) break;
        }
        if (this.#size >= count || this.#over) {
          this.#socket.off('readable', look);
          resolve();
        }
      };
      this.#notice = look;
      this.#socket.on('readable', look);
      look();
    });
    try {
      await within(PATIENCE, `${count} bytes (${this.#size} before)`, enough);
    } finally {
      this.#notice = () => {};
      this.#socket.removeAllListeners('readable');
    }
  }

  #take(count: number): string {
    const all = Buffer.concat(this.#received);
    const rest = all.subarray(count);
    this.#received = rest.length > 0 ? [rest] : [];
    this.#size = rest.length;
    return all.toString('latin1', 0, count);
  }

  #finish(error?: Error): void {
    this.#over = true;
    this.#error ??= error;
    this.#notice();
  }
}

/** A client of the Zen service that has asked once and has the answer. */
export async function answeredClient(address: SocketAddress): Promise<NetClient> {
  const client = await NetClient.connect(address);
  expect(await ask(client, 'Beautiful is better than?', 5)).toBe('Ugly.');
  return client;
}

/** Threads that block for one client at a time. They are reused, because a thread is slow to start. */
class BlockingThread {
  static readonly #idle: BlockingThread[] = [];
  static readonly #all = new Set<BlockingThread>();
  readonly #worker = new Worker(new URL('./blocking-client.ts', import.meta.url));
  readonly #waiting: { resolve: (value: string) => void; reject: (error: Error) => void }[] = [];

  static take(): BlockingThread {
    const thread = BlockingThread.#idle.pop() ?? new BlockingThread();
    BlockingThread.#all.add(thread);
    return thread;
  }

  static async start(count: number): Promise<void> {
    const threads = Array.from({ length: count }, () => BlockingThread.take());
    await Promise.all(threads.map((thread) => thread.run({ call: 'wake' })));
    for (const thread of threads) thread.release();
  }

  static async endAll(): Promise<void> {
    await Promise.all([...BlockingThread.#all].map((thread) => thread.#worker.terminate()));
    BlockingThread.#all.clear();
    BlockingThread.#idle.length = 0;
  }

  private constructor() {
    this.#worker.unref();
    this.#worker.on('message', (reply: Reply) => {
      const { resolve, reject } = this.#waiting.shift()!;
      if (reply.error === undefined) resolve(reply.text ?? '');
      else reject(new Error(reply.error));
    });
    this.#worker.on('error', (error: Error) => {
      for (const { reject } of this.#waiting) reject(error);
    });
  }

  run(command: Command): Promise<string> {
    this.#worker.ref();
    return new Promise<string>((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
      this.#worker.postMessage(command);
    }).finally(() => {
      if (this.#waiting.length === 0) this.#worker.unref();
    });
  }

  release(): void {
    BlockingThread.#idle.push(this);
  }
}

/** Starts this number of threads; without it they start when they are needed. */
export const startBlockingThreads = (count: number): Promise<void> => BlockingThread.start(count);

/** Ends the threads of the blocking clients. */
export const endBlockingThreads = (): Promise<void> => BlockingThread.endAll();

export class BlockingClient implements Client {
  readonly #thread: BlockingThread;
  #isOpen = true;
  readonly peer: string;

  /** @param from the client's own address; default: the kernel chooses it, and none on a unix socket */
  static async connect(address: SocketAddress, from?: SocketAddress): Promise<BlockingClient> {
    const thread = BlockingThread.take();
    try {
      const peer = await thread.run({ call: 'connect', address, from, patience: PATIENCE * MS });
      return new BlockingClient(thread, peer);
    } catch (error) {
      thread.release();
      throw error;
    }
  }

  private constructor(thread: BlockingThread, peer: string) {
    this.#thread = thread;
    this.peer = peer;
  }

  async send(bytes: string | Uint8Array): Promise<void> {
    await this.#thread.run({ call: 'send', bytes: Uint8Array.from(Buffer.from(bytes)) });
  }

  receive(count: number): Promise<string> {
    return this.#thread.run({ call: 'receive', count });
  }

  rest(): Promise<string> {
    return this.#thread.run({ call: 'rest' });
  }

  async end(): Promise<void> {
    await this.#thread.run({ call: 'end' });
  }

  reset(): Promise<void> {
    return this.#leave('reset');
  }

  close(): Promise<void> {
    return this.#leave('close');
  }

  async #leave(call: 'reset' | 'close'): Promise<void> {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    await this.#thread.run({ call });
    this.#thread.release();
  }
}
