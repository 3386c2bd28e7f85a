import { connect, type Socket } from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { descriptorsOf } from '../../test/support/kernel.ts';
import { until } from '../../test/support/until.ts';
import { ADMISSION_WORDS, Admission } from '../limits/admission.ts';
import { defaultLimits } from '../limits/limits.ts';
import type { SocketAddress } from '../os/address.ts';
import { close, localAddress, openListener } from '../os/socket.ts';
import { ACCEPTED, RECEIVED, SENT, SENT_SHORT, Uring, type UringSizes } from '../os/uring.ts';
import { Conversation } from '../protocol/conversation.ts';
import { speakersOf } from '../protocol/speaker.ts';
import type { WorkerContext, WorkerEvent } from './architecture.ts';
import { Completions } from './completions.ts';
import { neverLeaves } from './departure.ts';
import { unreadRow } from './scoreboard.ts';

/** Answers with the question itself, so that an answer that reaches another client is seen. */
const echo = speakersOf({ delimiter: '?', answer: (question) => `${question}!` }, false);

/** All but the one that is kept back for when there is none left. */
const descriptors = () =>
  [...descriptorsOf('self').values()].filter((what) => what !== '/dev/null');

/** A server on a ring of any size, whose turns are taken between those of the test's own loop. */
class SteppedServer {
  readonly events: WorkerEvent[] = [];
  readonly ring: Uring;
  readonly listener: number;
  readonly port: number;
  readonly #completions: Completions;
  #running = true;
  readonly #served: Promise<void>;
  overflows = 0;
  starved = 0;

  constructor(sizes: UringSizes) {
    const address: SocketAddress = { family: 'IPv4', host: '127.0.0.1', port: 0 };
    this.listener = openListener(address, { backlog: 1024 });
    this.port = (localAddress(this.listener) as { port: number }).port;
    this.ring = new Uring(sizes);
    const worker = {
      stopping: false,
      departure: neverLeaves(),
      listener: this.listener,
      journal: { on: true, record: (event: WorkerEvent) => void this.events.push(event) },
      row: unreadRow(),
      limits: defaultLimits,
      unsentShare: 0,
      exceeded: () => false,
      admission: new Admission(
        {
          limits: defaultLimits,
          whenFull: { policy: 'wait' },
          dryRun: false,
          processes: 1,
          descriptors: 1000,
        },
        {
          memory: new Int32Array(ADMISSION_WORDS),
          pid: process.pid,
          parent: 0,
          clock: () => 0,
          random: () => 0,
          count() {},
        },
      ),
      conversation: () => new Conversation(echo()),
    } as unknown as WorkerContext;
    this.#completions = new Completions(worker, this.ring);
    this.ring.accept(this.listener);
    this.#served = this.#serve();
  }

  async #serve(): Promise<void> {
    const { ring } = this;
    const completions = this.#completions;
    while (this.#running) {
      ring.enter(0);
      if (ring.overflowed) this.overflows++;
      completions.beginTurn();
      while (ring.next()) {
        if (ring.purpose === RECEIVED && ring.result < 0) this.starved++;
        if (ring.purpose === RECEIVED) completions.received();
        else if (ring.purpose === ACCEPTED) completions.accepted();
        else if (ring.purpose === SENT_SHORT) completions.sentShort();
        else if (ring.purpose === SENT) completions.sent();
      }
      completions.endTurn();
      await turn();
    }
  }

  count(type: WorkerEvent['type']): number {
    return this.events.filter((event) => event.type === type).length;
  }

  async stop(): Promise<void> {
    this.#running = false;
    await this.#served;
    this.#completions.closeAll();
    this.ring.close();
    close(this.listener);
  }
}

/** Sends it all at once, ends, and resolves with all that came back. */
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

const questions = (client: number, count: number) =>
  Array.from({ length: count }, (_, i) => `client ${client} asks ${i}?`);
const answersTo = (asked: readonly string[]) => asked.map((question) => `${question}!`).join('');

describe('Completions', () => {
  let before: number;
  let server: SteppedServer;
  const start = (sizes: Partial<UringSizes> = {}) => {
    server = new SteppedServer({
      entries: 8,
      completions: 16,
      buffers: 2,
      bufferSize: 32,
      ...sizes,
    });
    return server;
  };
  beforeEach(() => {
    before = descriptors().length;
  });
  afterEach(async () => {
    await server.stop();
    // The kernel takes a ring apart on its own time.
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

  it('never gives a reused descriptor what was meant for the connection before', async () => {
    start();
    for (let round = 0; round < 100; round++) {
      const clients = Array.from({ length: 8 }, (_, i) => questions(round * 8 + i, 2));
      const asked = clients.map((client) => converse(server.port, client.join('')));
      // One that goes away while its descriptor's operations are under way.
      const gone = connect(server.port, '127.0.0.1', () => gone.resetAndDestroy());
      expect(await Promise.all(asked)).toEqual(clients.map(answersTo));
    }
  });

  it('leaks no socket that was accepted while the accept was being cancelled', async () => {
    start({ entries: 256, completions: 1024 });
    const sockets = Array.from({ length: 100 }, () => {
      const socket = connect(server.port, '127.0.0.1');
      socket.on('error', () => {});
      return socket;
    });
    await Promise.all(sockets.map((s) => new Promise((resolve) => s.once('connect', resolve))));
    // Those that are queued but not accepted by now are the point: afterEach counts descriptors.
    await server.stop();
    await Promise.all(
      sockets.map((s) => {
        s.destroy();
        return new Promise((resolve) => s.once('close', resolve));
      }),
    );
    server.stop = async () => {};
  });
});
