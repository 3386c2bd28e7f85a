/** Each example under each family of architectures, over real sockets. */
import { createHash } from 'node:crypto';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Server, serve } from '../src/index.ts';
import { within } from '../test/support/until.ts';

const architectures = ['single', 'epoll', 'callback', 'prefork'];
const PATIENCE = 5000;

/** Starts the example's server before the tests of a `describe` and closes it after them. */
function serving(architecture: string, example: string): () => Server {
  let server: Server;
  beforeAll(async () => {
    const service = join(import.meta.dirname, example);
    server = await serve({ architecture, port: 0, service });
  });
  afterAll(() => server?.close());
  return () => server;
}

/** A connection that collects all received bytes. */
class Peer {
  readonly #socket: Socket;
  #received = Buffer.alloc(0);
  #ended = false;
  #look: () => void = () => {};

  constructor({ address }: Server) {
    if (address.family === 'unix') throw new Error('unreachable: all listen on TCP here');
    this.#socket = connect({ ...address, family: 4, noDelay: true });
    this.#socket.on('data', (bytes: Buffer) => {
      this.#received = Buffer.concat([this.#received, bytes]);
      this.#look();
    });
    for (const event of ['end', 'error', 'close']) {
      this.#socket.on(event, () => {
        this.#ended = true;
        this.#look();
      });
    }
  }

  send(bytes: string | Uint8Array): void {
    this.#socket.write(bytes);
  }

  /** Sends in two writes, the second once the kernel has the first. */
  async sendInTwo(bytes: Uint8Array, cut: number): Promise<void> {
    await new Promise((resolve) => this.#socket.write(bytes.subarray(0, cut), resolve));
    await new Promise((resolve) => setImmediate(resolve));
    this.send(bytes.subarray(cut));
  }

  receive(count: number): Promise<Buffer> {
    const enough = new Promise<Buffer>((resolve, reject) => {
      this.#look = () => {
        if (this.#received.length >= count) {
          const bytes = this.#received.subarray(0, count);
          this.#received = this.#received.subarray(count);
          resolve(bytes);
        } else if (this.#ended) {
          reject(new Error(`the server closed after "${this.#received.toString('latin1')}"`));
        }
      };
      this.#look();
    });
    return within(PATIENCE, `${count} bytes`, enough);
  }

  /** All bytes until the server closes. */
  rest(): Promise<Buffer> {
    const end = new Promise<Buffer>((resolve) => {
      this.#look = () => {
        if (this.#ended) resolve(this.#received);
      };
      this.#look();
    });
    return within(PATIENCE, 'the server to close', end);
  }

  close(): void {
    this.#socket.destroy();
  }
}

/** Runs a conversation and closes its connection: with `single` the next test waits for that. */
async function conversation(server: Server, talk: (peer: Peer) => Promise<void>): Promise<void> {
  const peer = new Peer(server);
  try {
    await talk(peer);
  } finally {
    peer.close();
  }
}

describe.each(architectures)('lines under %s', (architecture) => {
  const server = serving(architecture, 'lines.ts');
  const asks = (question: string, answer: string) =>
    conversation(server(), async (peer) => {
      peer.send(question);
      expect(String(await peer.receive(answer.length))).toBe(answer);
    });

  test('answers a line that ends in LF with one that does', () => asks('3 4 + 2 *\n', '14\n'));

  test('answers a line that ends in CRLF with one that does', () => asks('7 -2 /\r\n', '-3.5\r\n'));

  test('answers lines sent in one segment in their order', () =>
    asks('1 2 +\n1 2 -\r\n3 3 *\n', '3\n-1\r\n9\n'));

  test.each([
    ['1 +\n', 'error: "+" needs two numbers\n'],
    ['constructor\n', 'error: "constructor" is neither a number nor one of + - * /\n'],
    ['1 2\n', 'error: 2 numbers are left, not one\n'],
    ['\r\n', 'error: 0 numbers are left, not one\r\n'],
  ])('reports the fault in %j', (question, answer) => asks(question, answer));

  test('gives the same answers for any split of the bytes', () =>
    conversation(server(), async (peer) => {
      const question = Buffer.from('12.5 2 *\r\n1 1 +\n');
      for (let cut = 1; cut < question.length; cut++) {
        await peer.sendInTwo(question, cut);
        expect(String(await peer.receive(6))).toBe('25\r\n2\n');
      }
    }));
});

const message = (payload: Uint8Array) => {
  const header = Buffer.alloc(4);
  header.writeUInt32BE(payload.length);
  return Buffer.concat([header, payload]);
};
const digestOf = (payload: Uint8Array) =>
  message(createHash('sha256').update(payload).digest()).toString('hex');
const DIGEST = 4 + 32;

describe.each(architectures)('length-prefixed under %s', (architecture) => {
  const server = serving(architecture, 'length-prefixed.ts');

  test.each([0, 1, 255, 256, 65_536])('answers a payload of %i bytes', (size) =>
    conversation(server(), async (peer) => {
      const payload = Buffer.alloc(size, 0xe9);
      peer.send(message(payload));
      expect((await peer.receive(DIGEST)).toString('hex')).toBe(digestOf(payload));
    }));

  test('gives the same answers for any split of the bytes', () =>
    conversation(server(), async (peer) => {
      const payloads = [Buffer.from([0, 1, 255, 46, 63]), Buffer.alloc(0), Buffer.from('Zen.')];
      const all = Buffer.concat(payloads.map(message));
      const answers = payloads.map(digestOf).join('');
      for (let cut = 1; cut < all.length; cut++) {
        await peer.sendInTwo(all, cut);
        expect((await peer.receive(payloads.length * DIGEST)).toString('hex')).toBe(answers);
      }
    }));

  test('refuses a payload that is too long, and closes', () =>
    conversation(server(), async (peer) => {
      const first = Buffer.from('first');
      const header = Buffer.from([0, 1, 0, 1]);
      peer.send(Buffer.concat([message(first), header]));
      expect((await peer.rest()).toString('hex')).toBe(`${digestOf(first)}00000000`);
    }));
});

describe.each(architectures)('time-of-day under %s', (architecture) => {
  const server = serving(architecture, 'time-of-day.ts');

  test('sends the time without a question, and closes', () =>
    conversation(server(), async (peer) => {
      const text = String(await peer.rest());
      expect(text).toMatch(/^\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT\r\n$/);
      expect(Math.abs(Date.now() - Date.parse(text))).toBeLessThan(60_000);
    }));
});
