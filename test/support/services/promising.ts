/**
 * A service with only the asynchronous form. A question names what its answer waits for: one of the events below, or
 * a file that a test makes (see gate.ts). The answer repeats the question, so a test sees the order. With a file `at`
 * in its address, the service writes into it after the end of a connection, in a later tick.
 */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { appendFileSync, existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { type AddressInfo, connect, createServer, type Server } from 'node:net';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep, setImmediate as turn } from 'node:timers/promises';
import { promisify } from 'node:util';
import { MessageChannel } from 'node:worker_threads';
import type { Service } from '../../../src/protocol/service.ts';

/** Interval between looks for a file, in ms. */
const INTERVAL = 5;

/** Size of the answer to `big?`, in bytes: more than all buffers of the kernel on the way take. */
export const BIG = 2 ** 25;

let server: Server | undefined;

/** A round trip over a socket of Node's, to a server in this thread. */
async function roundTrip(): Promise<void> {
  if (server === undefined) {
    server = createServer((socket) => socket.pipe(socket)).unref();
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
  }
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
  socket.write('x');
  await once(socket, 'data');
  socket.destroy();
}

async function message(): Promise<void> {
  const { port1, port2 } = new MessageChannel();
  port1.postMessage('x');
  await once(port2, 'message');
  port1.close();
}

/** What Node can wait for. */
export const events: Readonly<Record<string, () => Promise<unknown>>> = {
  microtask: async () => {},
  microtasks: async () => {
    for (let i = 0; i < 100; i++) await undefined;
  },
  tick: () => new Promise<void>((resolve) => process.nextTick(resolve)),
  immediate: () => turn(),
  timer: () => sleep(1),
  timerOnly: () => sleep(1, undefined, { ref: false }),
  file: () => readFile(import.meta.filename),
  pool: () => promisify(randomBytes)(16),
  socket: roundTrip,
  message,
  stream: () => text(Readable.from(['x'])),
};

let outstanding = 0;
const opened = new Map<string, Promise<void>>();

async function exists(file: string): Promise<void> {
  while (!existsSync(file)) await sleep(INTERVAL);
}

async function gate(file: string): Promise<string> {
  outstanding++;
  // One timer for all clients of a gate.
  if (!opened.has(file)) opened.set(file, exists(file));
  await opened.get(file);
  outstanding--;
  return 'Open.';
}

/** Length of the answer to `outstanding?`: how many answers of this thread wait for a file. */
export const DIGITS = 6;

const at = new URL(import.meta.url).searchParams.get('at');

const hooks: Partial<Service> = {
  connected: () => ({}),
  disconnected: () => process.nextTick(() => appendFileSync(at!, 'later\n')),
};

const promising: Service = {
  delimiter: '?',
  ...(at === null ? {} : hooks),
  async answerAsync(question) {
    const name = question.slice(0, -1);
    if (name === 'reject') throw new Error('rejected later');
    if (name === 'big') return Buffer.alloc(BIG, 'b');
    if (name === 'outstanding') return String(outstanding).padStart(DIGITS);
    if (name.startsWith('/')) return gate(name);
    await events[name]!();
    return `${name}.`;
  },
};

export default promising;
