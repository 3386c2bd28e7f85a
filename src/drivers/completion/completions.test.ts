import { connect, type Socket } from 'node:net';
import { constants } from 'node:os';
import { setImmediate as turn } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { descriptorsOf } from '../../../test/support/kernel.ts';
import { until } from '../../../test/support/until.ts';
import { Clients } from '../../lifecycle/clients.ts';
import { alwaysServe } from '../../lifecycle/drain.ts';
import { ADMISSION_WORDS, Admission } from '../../limits/admission.ts';
import { defaultLimits } from '../../limits/limits.ts';
import type { SocketAddress } from '../../os/address.ts';
import { libc } from '../../os/libc.ts';
import { close, localAddress, openListener } from '../../os/socket.ts';
import { ACCEPTED, RECEIVED, SENT, SENT_SHORT, Uring, type UringSizes } from '../../os/uring.ts';
import { Conversation } from '../../protocol/conversation.ts';
import { speakersOf } from '../../protocol/speaker.ts';
import type { Journal, Worker, WorkerEvent } from '../../worker/contract.ts';
import { unreadRow } from '../../worker/scoreboard.ts';
import { Completions } from './completions.ts';

/** Answers with the question itself: an answer that reaches the wrong client is noticed. */
const echo = speakersOf({ delimiter: '?', answer: (question) => `${question}!` }, false);

const SOL_SOCKET = 1;
const SO_SNDBUF = 7;

/** Largest number of clients that wait at its listener. */
const BACKLOG = 1024;

/** A limit so large that no place must be reserved. */
const FAR = 1_000_000;

/** All descriptors, without the one that is kept in reserve. */
const descriptors = () =>
  [...descriptorsOf('self').values()].filter((what) => what !== '/dev/null');

/** A server on a ring of any size. The test takes the turns of its loop one by one. */
class SteppedServer {
  readonly events: WorkerEvent[] = [];
  readonly ring: Uring;
  readonly listener: number;
  readonly port: number;
  readonly #completions: Completions;
  readonly #stop: () => void;
  #running = true;
  readonly #served: Promise<void>;
  overflows = 0;
  starved = 0;
  short = 0;
  /** The last connection, by generation, of each descriptor that received bytes. */
  readonly generations = new Map<number, number>();

  /**
   * @param sendBuffer size of each connection's send buffer in the kernel, in bytes; 0: the kernel's choice
   * @param connections the most connections at once
   */
  constructor(sizes: UringSizes, sendBuffer: number, connections: number) {
    const address: SocketAddress = { family: 'IPv4', host: '127.0.0.1', port: 0 };
    this.listener = openListener(address, { backlog: BACKLOG });
    if (sendBuffer > 0) {
      const value = new Uint8Array(new Int32Array([sendBuffer]).buffer);
      libc.setsockopt(this.listener, SOL_SOCKET, SO_SNDBUF, value, value.length);
    }
    this.port = (localAddress(this.listener) as { port: number }).port;
    this.ring = new Uring(sizes);
    const limits = { ...defaultLimits, connections };
    const journal: Journal = { on: true, record: (event) => void this.events.push(event) };
    const row = unreadRow();
    const admission = new Admission(
      { limits, whenFull: { policy: 'wait' }, dryRun: false, processes: 1, descriptors: FAR },
      {
        memory: new Int32Array(ADMISSION_WORDS),
        tickets: undefined,
        pid: process.pid,
        parent: 0,
        clock: () => 0,
        random: () => 0,
        count() {},
      },
    );
    const orders = { ...alwaysServe };
    const clients = new Clients({
      limits: defaultLimits,
      orders,
      row,
      journal,
      countEnd() {},
      exceeded: () => false,
      unsentOfAll: () => 0,
      release: (socket) => admission.leave(socket),
    });
    const worker: Worker = {
      listener: this.listener,
      ready() {},
      hasOwnListener: false,
      mostQueued: BACKLOG,
      awaits: false,
      get isLeaving() {
        return clients.isLeaving;
      },
      options: {
        queue: 0,
        maxThreads: 0,
        threadCache: 0,
        processCache: 0,
        mixin: 'threading',
        exclusive: false,
        inetd: 'nowait',
      },
      conversation: () => new Conversation(echo()),
      clients,
      admission,
      journal,
      row,
    };
    this.#stop = () => {
      orders.order = 'stop';
    };
    // Do not wait inside a turn, because that would stop the test's own loop: take only what is there.
    const enter = this.ring.enter.bind(this.ring);
    this.ring.enter = () => enter(0);
    this.#completions = new Completions(worker, this.ring, () => this.ring.accept(this.listener));
    this.#served = this.#serve();
  }

  async #serve(): Promise<void> {
    await turn();
    while (this.#running) {
      this.turn();
      await turn();
    }
  }

  turn(): void {
    const { ring } = this;
    if (!this.#completions.wait()) return;
    if (ring.overflowed) this.overflows++;
    while (ring.next()) {
      if (ring.purpose === RECEIVED) this.generations.set(ring.fd, ring.generation);
      if (ring.purpose === RECEIVED && ring.result < 0) this.starved++;
      if (ring.purpose === SENT_SHORT) this.short++;
      this.#complete();
    }
    this.#completions.endTurn();
  }

  /** As the page does. */
  #complete(): void {
    const { ring } = this;
    const completions = this.#completions;
    if (ring.purpose === RECEIVED) {
      const length = completions.answer();
      if (length > 0) ring.sendNow(ring.fd, ring.generation, completions.answersAt, length);
    } else if (ring.purpose === ACCEPTED) {
      const fd = completions.accepted();
      if (fd >= 0) ring.recv(fd, completions.generationOf(fd));
    } else completions.other();
  }

  count(type: WorkerEvent['type']): number {
    return this.events.filter((event) => event.type === type).length;
  }

  /** Adds a completion as if the kernel had delivered it late. `bytes` is what it received. */
  inject(purpose: number, fd: number, generation: number, result: number, bytes = ''): void {
    const { ring } = this;
    ring.buffers.write(bytes, 0, 'latin1');
    Object.assign(ring, { purpose, fd, generation, result, offset: 0, more: true });
    // The buffer does not belong to the kernel.
    ring.recycle = () => {};
    this.#complete();
    // @ts-expect-error: the method of the class again
    delete ring.recycle;
  }

  /** Takes no more turns. */
  async hold(): Promise<void> {
    this.#running = false;
    await this.#served;
  }

  async stop(): Promise<void> {
    await this.hold();
    this.#stop();
    while (this.#completions.wait());
    this.ring.close();
    close(this.listener);
  }
}

/** Sends everything at once, ends its direction, and resolves with all bytes that came back. */
function converse(port: number, text: string, read: (socket: Socket) => void = () => {}) {
  return new Promise<string>((resolve, reject) => {
    const socket = connect(port, '127.0.0.1');
    let received = '';
    socket.setEncoding('latin1');
    socket.on('data', (data) => {
      received += data;
    });
    socket.on('error', reject);
    socket.on('close', () => resolve(received));
    socket.end(text);
    read(socket);
  });
}

const questions = (client: number, count: number, padding = 0) =>
  Array.from({ length: count }, (_, i) => `client ${client} asks ${i}${' '.repeat(padding)}?`);
const answersTo = (asked: readonly string[]) => asked.map((question) => `${question}!`).join('');

describe('Completions', () => {
  let before: number;
  let server: SteppedServer;
  const start = (sizes: Partial<UringSizes> = {}, sendBuffer = 0, connections = FAR) => {
    const small = { entries: 8, completions: 16, buffers: 2, bufferSize: 32 };
    server = new SteppedServer({ ...small, ...sizes }, sendBuffer, connections);
    return server;
  };
  beforeEach(() => {
    before = descriptors().length;
  });
  afterEach(async () => {
    await server.stop();
    // The kernel takes a ring apart later, in its own time.
    await until('the descriptors to be closed', () => descriptors().length <= before);
  });

  it('recovers when provided buffers run out, and loses nothing when completions overflow', async () => {
    start();
    const clients = Array.from({ length: 60 }, (_, i) => questions(i, 40));
    const answers = await Promise.all(
      clients.map((asked) => converse(server.port, asked.join(''))),
    );
    expect(answers).toEqual(clients.map(answersTo));
    expect(server.starved).toBeGreaterThan(0);
    expect(server.overflows).toBeGreaterThan(0);
    expect(server.count('closed')).toBe(60);
  });

  it('puts more buffers into circulation until there are enough', async () => {
    start({ buffers: 1024, bufferSize: 64, completions: 4096, entries: 1024 });
    const clients = Array.from({ length: 300 }, (_, i) => questions(i, 3));
    const answers = await Promise.all(
      clients.map((asked) => converse(server.port, asked.join(''))),
    );
    expect(answers).toEqual(clients.map(answersTo));
  });

  it('keeps answers in order for clients that read late and little', async () => {
    start({ buffers: 64, bufferSize: 2048, completions: 256, entries: 64 });
    const clients = Array.from({ length: 6 }, (_, i) => questions(i, 40_000));
    const answers = await Promise.all(
      clients.map((asked) =>
        converse(server.port, asked.join(''), (socket) => {
          socket.pause();
          setTimeout(() => socket.resume(), 50);
        }),
      ),
    );
    expect(answers.map((text) => text.length)).toEqual(clients.map((a) => answersTo(a).length));
    expect(answers).toEqual(clients.map(answersTo));
  });

  it.each([
    ['a large ring', 12, { buffers: 64, bufferSize: 2048, completions: 256, entries: 64 }],
    ['a ring that overflows', 60, { buffers: 256, bufferSize: 512, completions: 64, entries: 64 }],
    [
      'a ring that always overflows',
      60,
      { buffers: 128, bufferSize: 512, completions: 32, entries: 32 },
    ],
  ])('keeps answers in order and finishes sends that fall short, on %s', async (_, count, sizes) => {
    start(sizes, 4096);
    const clients = Array.from({ length: count }, (_, i) => questions(i, 2000, 180));
    const answers = await Promise.all(
      clients.map((asked) =>
        converse(server.port, asked.join(''), (socket) => {
          socket.on('data', () => {
            socket.pause();
            setTimeout(() => socket.resume(), 1);
          });
        }),
      ),
    );
    const wrong = answers.findIndex((text, i) => text !== answersTo(clients[i]!));
    expect(wrong).toBe(-1);
    expect(server.short).toBeGreaterThan(0);
  });

  it('never gives a reused descriptor what belongs to the earlier connection', async () => {
    start();
    for (let round = 0; round < 100; round++) {
      const clients = Array.from({ length: 8 }, (_, i) => questions(round * 8 + i, 2));
      const asked = clients.map((client) => converse(server.port, client.join('')));
      // A client that goes away while operations on its descriptor are under way.
      const gone = connect(server.port, '127.0.0.1', () => gone.resetAndDestroy());
      expect(await Promise.all(asked)).toEqual(clients.map(answersTo));
    }
  });

  it.each([
    ['bytes', RECEIVED, 9, 'not mine?'],
    ['the end of the stream', RECEIVED, 0, ''],
    ['a reset', RECEIVED, -constants.errno.ECONNRESET, ''],
    ['a send that failed', SENT_SHORT, -constants.errno.EPIPE, ''],
    ['a send that waited and failed', SENT, -constants.errno.EPIPE, ''],
  ])('does not apply %s of an earlier connection to the one that has its descriptor now', async (_, purpose, result, bytes) => {
    start();
    expect(await converse(server.port, 'first?')).toBe('first?!');
    const before = new Map(server.generations);
    const next = connect(server.port, '127.0.0.1');
    let received = '';
    next.setEncoding('latin1').on('data', (data) => {
      received += data;
    });
    next.write('second?');
    await until('its answer', () => received === 'second?!');
    const [fd] = [...before.keys()].filter((it) => server.generations.get(it) !== before.get(it));
    expect(fd, 'the descriptor is used again').toBeDefined();
    server.inject(purpose, fd!, before.get(fd!)!, result, bytes);
    const ended = new Promise((resolve) => next.once('close', resolve));
    next.end('third?');
    await ended;
    expect(received).toBe('second?!third?!');
    await until('its account', () => server.count('closed') === 2);
  });

  it.each([
    ['large rings', { entries: 256, completions: 1024 }],
    ['small ones', {}],
  ])('accepts as many clients as there is room for and leaves the others in the queue, with %s', async (_, sizes) => {
    start(sizes, 0, 3);
    const held = descriptors().length;
    const clients = Array.from({ length: 20 }, () => {
      const socket = connect(server.port, '127.0.0.1');
      return socket.setEncoding('latin1').on('error', () => {});
    });
    await Promise.all(clients.map((s) => new Promise((resolve) => s.once('connect', resolve))));
    const answered: Socket[] = [];
    for (const socket of clients) {
      socket.once('data', () => answered.push(socket));
      socket.write('is there room?');
    }
    for (let left = clients.length; left > 0; left--) {
      await until('as many to be answered', () => answered.length >= Math.min(3, left));
      expect(descriptors().length).toBeLessThanOrEqual(held + left + 3);
      expect(answered.length).toBeLessThanOrEqual(3);
      const leaving = answered.shift()!;
      leaving.destroy();
      await new Promise((resolve) => leaving.once('close', resolve));
    }
    await until('their accounts', () => server.count('hungUp') + server.count('closed') === 20);
  });

  it('changes from accepting all clients to filling the last places, and back', async () => {
    start({ entries: 256, completions: 1024 }, 0, 2 * BACKLOG + 8);
    for (let round = 0; round < 3; round++) {
      const clients = Array.from({ length: 30 }, (_, i) => questions(i, 2));
      const answers = await Promise.all(
        clients.map((asked) => converse(server.port, asked.join(''))),
      );
      expect(answers).toEqual(clients.map(answersTo));
    }
  });

  it.each([
    ['far from the limit', FAR, 0],
    // Its first turn finds that a client waits.
    ['near to it', 50, 1],
  ])('leaks no socket that the kernel accepted while the accept was being cancelled, %s', async (_, connections, turns) => {
    start({ entries: 256, completions: 1024 }, 0, connections);
    // The loop is held before its first turn: the accept and its cancel are submitted together.
    await server.hold();
    const sockets = Array.from({ length: 100 }, () => {
      const socket = connect(server.port, '127.0.0.1');
      socket.on('error', () => {});
      return socket;
    });
    await Promise.all(sockets.map((s) => new Promise((resolve) => s.once('connect', resolve))));
    for (let i = 0; i < turns; i++) server.turn();
    await server.stop();
    await Promise.all(
      sockets.map((s) => {
        s.destroy();
        return new Promise((resolve) => s.once('close', resolve));
      }),
    );
    // afterEach counts descriptors: none of the accepted ones is left.
    server.stop = async () => {};
  });
});
