/** In trace mode, a stage shows the line on which each thread of a real server sleeps. */
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { expect, it } from 'vitest';
import { type ArchitectureName, loadArchitecture } from '../../src/architectures/catalogue.ts';
import {
  apply,
  FORMAT,
  type LabRecord,
  nothing,
  type Stage,
  type StageSetup,
  VERSION,
  WIDTH,
} from '../../src/instruments/lab/model.ts';
import { recordOf } from '../../src/instruments/lab/recording.ts';
import { scenes } from '../../src/instruments/lab/scenes.ts';
import { startTracedServer } from '../../src/instruments/lab/traced-server.ts';
import { addressOf } from '../../src/instruments/lab/wire.ts';
import { pipePrefix } from '../../src/instruments/trace/tracer.ts';
import { until } from '../support/until.ts';

const SIMPLE = 'Simple is better than?';
const COMPLEX = 'Complex.';
/** Not 0, so that a test finds a stage that is always 0. */
const S = 1;

const setup: StageSetup = {
  ...{ architecture: '', threads: 1, processes: 1, queue: 0, limit: 1, think: 0 },
  ...{ pid: 0, port: 1, command: '', limits: [] },
  thinking: 'block',
};

class Traced implements AsyncDisposable {
  readonly #began = performance.now();
  readonly records: LabRecord[] = [];
  #traced!: Awaited<ReturnType<typeof startTracedServer>>;
  readonly #clients: Socket[] = [];

  static async start(architecture: ArchitectureName, threads?: number): Promise<Traced> {
    const traced = new Traced();
    const traits = await loadArchitecture(architecture);
    const sizes = threads === undefined ? {} : { threads };
    traced.#traced = await startTracedServer(
      { architecture, host: '127.0.0.1', port: 0, ...sizes },
      {
        s: S,
        traits,
        now: () => traced.now,
        record: (record) => traced.records.push(record),
        event: () => {},
      },
    );
    return traced;
  }

  get now(): number {
    return performance.now() - this.#began;
  }

  restart(): Promise<void> {
    return this.#traced.server.restart();
  }

  async visit(id: number): Promise<Socket> {
    const { port } = this.#traced.server;
    const client = connect({ host: '127.0.0.1', port, localAddress: addressOf(S, id) });
    this.#clients.push(client.on('error', () => {}));
    await once(client, 'connect');
    return client;
  }

  get stage(): Stage {
    const [{ mix }] = scenes as [(typeof scenes)[0]];
    let model = apply(nothing, {
      ...{ k: 'h', format: FORMAT, version: VERSION, mondo: '', at: 0 },
      machine: { kernel: '', cpus: 2, node: '' },
      setup: { scene: '', title: '', seed: 1, mix, stages: [setup, setup] },
    });
    for (const record of this.records) model = apply(model, record);
    return model.stages[S]!;
  }

  /** The lit lines: their text without indentation, and their clients. */
  get lit() {
    const { code, lines } = this.stage;
    return [...lines.values()].map(({ file, line, client, since }) => ({
      code: code.get(file)!.text.split('\n')[line - 1]!.trim(),
      client,
      since,
    }));
  }

  /** Resolves with the lit line once it has this text and this client. */
  standing(text: string, client: number) {
    return until(`"${text}" with client ${client}`, () =>
      this.lit.find((one) => one.code.includes(text) && one.client === client),
    ).catch((error: Error) => {
      throw new Error(`${error.message}; lit: ${JSON.stringify(this.lit)}`);
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const client of this.#clients) client.destroy();
    await this.#traced.close();
    const malformed = this.records.filter((record) => {
      const text = JSON.stringify(record);
      return JSON.stringify(recordOf(JSON.parse(text))) !== text;
    });
    expect(malformed).toEqual([]);
    const left = readdirSync(tmpdir()).filter((name) => name.startsWith(pipePrefix(process.pid)));
    expect(left).toEqual([]);
  }
}

async function asked(client: Socket): Promise<void> {
  client.write(SIMPLE);
  const [answer] = await once(client, 'data');
  expect(String(answer)).toBe(COMPLEX);
}

it('`single` sleeps on the line of accept, and then on that of recv for its one client', async () => {
  await using traced = await Traced.start('single');
  const atAccept = 'const client = acceptClient(worker); // sleeps here';
  const atReceive = 'const count = client.recv(); // sleeps here';
  await traced.standing(atAccept, -1);
  const silent = await traced.visit(3);
  const since = performance.now();
  const { since: began } = await traced.standing(atReceive, 3);
  await traced.visit(4);
  // The clock on the line goes on: it has the same beginning, however long it lasts.
  await until('some time to pass', () => performance.now() - since > 400);
  expect(traced.lit).toEqual([
    { code: expect.stringContaining(atReceive), client: 3, since: began },
  ]);
  expect(traced.now - began).toBeGreaterThan(300);
  silent.destroy();
  await traced.standing(atReceive, 4);
  const files = [...traced.stage.code.values()].map(({ name }) => name);
  expect(files).toEqual(['src/architectures/blocking.ts']);
});

it('each thread of `threaded` has a line of its own', async () => {
  await using traced = await Traced.start('threaded', 2);
  await until('both threads', () => traced.lit.length === 2);
  await traced.visit(1);
  await traced.standing('client.recv()', 1);
  await traced.standing('acceptClient(worker)', -1);
  await traced.visit(2);
  await traced.standing('client.recv()', 2);
  expect(traced.lit).toHaveLength(2);
});

it('`epoll` sleeps on one line for all, and names the client of a line that it serves', async () => {
  await using traced = await Traced.start('epoll');
  const clients = await Promise.all([1, 2].map((id) => traced.visit(id)));
  await asked(clients[1]!);
  const codeOf = ([, , file, line]: readonly number[]) =>
    traced.stage.code.get(file!)!.text.split('\n')[line! - 1]!;
  await until('the line that served it', () =>
    traced.records
      .flatMap((record) => (record.k === 'x' ? rowsOf(record.x) : []))
      .filter(([, , , , client]) => client === 2)
      .some((row) => codeOf(row).includes('sockets.receive(fd, epoll.events)')),
  );
  await traced.standing('while (sockets.wait(epoll)) {', -1);
});

it('the thread of `coroutine` is where its last conversation awaits', async () => {
  await using traced = await Traced.start('coroutine');
  const client = await traced.visit(5);
  await traced.standing('const data = await client.read();', 5);
  await asked(client);
  await traced.standing('const data = await client.read();', 5);
});

it('the thread of `callback` is where the last method ended', async () => {
  await using traced = await Traced.start('callback');
  const clients = await Promise.all([1, 2].map((id) => traced.visit(id)));
  await asked(clients[1]!);
  await traced.standing('this.readOn(); // called back with `dataReceived`', 2);
});

it('names the client of a thread that another thread gave it to', async () => {
  await using traced = await Traced.start('socketserver');
  await traced.visit(1);
  await traced.standing('client.recv()', 1);
});

it('the line of a thread goes with it', async () => {
  await using traced = await Traced.start('single');
  await traced.standing('acceptClient(worker)', -1);
  const [before] = traced.stage.lines.keys();
  await traced.restart();
  await until('its line to go', () => !traced.stage.lines.has(before!));
  await traced.standing('acceptClient(worker)', -1);
});

const rowsOf = (x: readonly number[]) =>
  Array.from({ length: x.length / WIDTH.x }, (_, i) => x.slice(i * WIDTH.x, (i + 1) * WIDTH.x));
