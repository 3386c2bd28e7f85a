/** In trace mode, a stage shows the line on which each thread of a real server sleeps. */
import { readdirSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { StagePlan } from '../../src/instruments/lab/shared/plan.ts';
import { type LabRecord, WIDTH } from '../../src/instruments/lab/shared/records.ts';
import { pipePrefix } from '../../src/instruments/trace/tracer.ts';
import { ask } from '../support/clients.ts';
import { Process } from '../support/processes.ts';
import { until } from '../support/until.ts';
import { Watched } from './watched.ts';

const root = join(import.meta.dirname, '..', '..');
const SIMPLE = 'Simple is better than?';
const COMPLEX = 'Complex.';
const AT_ACCEPT = 'const client = acceptClient(worker); // sleeps here';
const AT_RECEIVE = 'const count = client.recv(); // sleeps here';

class Traced implements AsyncDisposable {
  readonly watched: Watched;

  static async start(plan: StagePlan): Promise<Traced> {
    return new Traced(await Watched.start(plan, { trace: true }));
  }

  private constructor(watched: Watched) {
    this.watched = watched;
  }

  /** The lit lines: their text without indentation, and their clients. */
  get lit() {
    const { code, lines } = this.watched.model;
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
    await this.watched.stage.close();
    expect(this.watched.malformed).toEqual([]);
    expect(pipesOf(this.watched.stage.pid)).toEqual([]);
  }
}

describe.concurrent('trace mode', () => {
  it('`single` sleeps on the line of accept, and then on that of recv for its one client', async () => {
    await using traced = await Traced.start({ architecture: 'single' });
    const { watched } = traced;
    await traced.standing(AT_ACCEPT, -1);
    const silent = await watched.visit(3);
    const { since } = await traced.standing(AT_RECEIVE, 3);
    // The thread is shown where the server's own scoreboard and the kernel see it.
    await until('its lane', () => watched.laneOf(3));
    expect([...watched.model.lines.keys()]).toEqual([watched.laneOf(3)!.tid]);
    const other = await watched.visit(4);
    await until('time to pass', () => watched.model.t - since > 500);
    // The clock on the line goes on: it has the same beginning, however long it lasts.
    expect(traced.lit).toEqual([{ code: expect.stringContaining(AT_RECEIVE), client: 3, since }]);
    await silent.close();
    await traced.standing(AT_RECEIVE, 4);
    expect([...watched.model.code.values()]).toEqual([
      {
        name: 'src/architectures/blocking.ts',
        text: readFileSync(join(root, 'src/architectures/blocking.ts'), 'utf8'),
      },
    ]);
    expect(watched.stage.setup.command).toMatch(/^mondo trace single /);
    await other.close();
  });

  it('each thread of `threaded` has a line of its own', async () => {
    await using traced = await Traced.start({ architecture: 'threaded', threads: 2 });
    await until('both threads', () => traced.lit.length === 2);
    const clients = [await traced.watched.visit(1)];
    await traced.standing(AT_RECEIVE, 1);
    await traced.standing(AT_ACCEPT, -1);
    clients.push(await traced.watched.visit(2));
    await traced.standing(AT_RECEIVE, 2);
    await traced.standing(AT_RECEIVE, 1);
    expect(traced.lit).toHaveLength(2);
    for (const client of clients) await client.close();
  });

  it('`epoll` sleeps on one line for all, and names the client of a line that serves it', async () => {
    await using traced = await Traced.start({ architecture: 'epoll' });
    const { watched } = traced;
    const clients = [await watched.visit(1), await watched.visit(2)];
    expect(await ask(clients[1]!, SIMPLE, COMPLEX.length)).toBe(COMPLEX);
    await until('the line that served it', () =>
      watched.records
        .flatMap(rowsOf)
        .filter(([, , , , client]) => client === 2)
        .map(([, , file, line]) => watched.model.code.get(file!)!.text.split('\n')[line! - 1]!)
        .some((code) => code.includes('sockets.receive(fd, epoll.events)')),
    );
    await traced.standing('while (sockets.wait(epoll)) {', -1);
    for (const client of clients) await client.close();
  });

  it.each([
    ['generator', 'yield client.readable;'],
    ['coroutine', 'const data = await client.read();'],
  ])('each silent client of `%s` has a function that waits, and keeps no thread', async (architecture, text) => {
    await using traced = await Traced.start({ architecture });
    const { watched } = traced;
    const clients = [await watched.visit(1), await watched.visit(2), await watched.visit(3)];
    const waiting = () => {
      const { code, asides } = watched.model;
      return [...asides.values()]
        .filter(({ file, line }) => code.get(file)!.text.split('\n')[line - 1]!.includes(text))
        .map(({ client }) => client)
        .sort();
    };
    await until('three functions that wait', () => waiting().join() === '1,2,3');
    expect(await ask(clients[1]!, SIMPLE, COMPLEX.length)).toBe(COMPLEX);
    await until('the second to wait again', () => waiting().join() === '1,2,3');
    await clients[0]!.close();
    await until('the first to go', () => waiting().join() === '2,3');
    for (const client of clients.slice(1)) await client.close();
    await until('all to go', () => waiting().length === 0);
  });

  it('the thread of `coroutine` is where its last conversation awaits', async () => {
    await using traced = await Traced.start({ architecture: 'coroutine' });
    const client = await traced.watched.visit(5);
    await traced.standing('const data = await client.read();', 5);
    expect(await ask(client, SIMPLE, COMPLEX.length)).toBe(COMPLEX);
    await traced.standing('const data = await client.read();', 5);
    await client.close();
  });

  it('the thread of `callback` is where the last method ended', async () => {
    await using traced = await Traced.start({ architecture: 'callback' });
    const clients = [await traced.watched.visit(1), await traced.watched.visit(2)];
    expect(await ask(clients[1]!, SIMPLE, COMPLEX.length)).toBe(COMPLEX);
    await traced.standing('this.readOn(); // called back with `dataReceived`', 2);
    for (const client of clients) await client.close();
  });

  it('names the client of a thread that another thread gave it to', async () => {
    await using traced = await Traced.start({ architecture: 'socketserver' });
    const client = await traced.watched.visit(1);
    await traced.standing('client.recv()', 1);
    await client.close();
  });

  it('the line of a thread goes with it, and its server stops in order', async () => {
    await using traced = await Traced.start({ architecture: 'single' });
    const { watched } = traced;
    await traced.standing(AT_ACCEPT, -1);
    const [before] = watched.model.lines.keys();
    await watched.stage.restart({ limits: { idle: 5 }, dryRun: false });
    await until('its line to go', () => !watched.model.lines.has(before!));
    await traced.standing(AT_ACCEPT, -1);
    await watched.stage.stop();
    expect(await watched.stage.exited).toBe('exit code 0');
    expect(pipesOf(watched.stage.pid)).toEqual([]);
  });

  it('leaves no pipe when its lab is killed', async () => {
    const module = join(root, 'src/instruments/lab/stage/stage.ts');
    const order = { s: 0, plan: { architecture: 'single' }, think: 0, thinking: 'block' };
    const more = { limits: {}, dryRun: false, epoch: '0', trace: true };
    const code = `
      import { StageProcess } from ${JSON.stringify(module)};
      const stage = await StageProcess.start(${JSON.stringify({ ...order, ...more })}, () => {});
      console.log('pid', stage.pid);`;
    await using lab = new Process(process.execPath, ['--input-type=module', '-e', code]);
    const [, pid] = await lab.printed(/pid (\d+)\n/);
    expect(pipesOf(Number(pid))).toHaveLength(1);
    lab.child.kill('SIGKILL');
    await until('the pipe to go', () => pipesOf(Number(pid)).length === 0);
  });
});

const pipesOf = (pid: number) =>
  readdirSync(tmpdir()).filter((name) => name.startsWith(pipePrefix(pid)));

const rowsOf = (record: LabRecord) =>
  record.k === 'x'
    ? Array.from({ length: record.x.length / WIDTH.x }, (_, i) =>
        record.x.slice(i * WIDTH.x, (i + 1) * WIDTH.x),
      )
    : [];
