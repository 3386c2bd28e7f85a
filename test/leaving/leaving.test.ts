/** How servers stop, and how their workers are replaced: what was asked is answered, and nobody is turned away. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterAll, describe, expect, it } from 'vitest';
import type { ServeOptions } from '../../src/host/plan.ts';
import type { ServerEvent } from '../../src/host/server-event.ts';
import { serve } from '../../src/index.ts';
import { isRunning, look } from '../../src/os/processes.ts';
import { aphorisms } from '../../src/protocol/zen.ts';
import { ask, NetClient } from '../support/clients.ts';
import { crowd } from '../support/crowd.ts';
import { descendantsOf, descriptorsOf, isReceived } from '../support/kernel.ts';
import { Process, spawnMondo } from '../support/processes.ts';
import { architectures, Serving, variants } from '../support/serving.ts';
import { FOREVER, MS, PATIENCE, staysPending, steady, until, within } from '../support/until.ts';

const BEAUTIFUL = 'Beautiful is better than?';
const questions = Object.entries(aphorisms);

const folder = mkdtempSync(join(tmpdir(), 'mondo-leaving-'));
afterAll(() => rmSync(folder, { recursive: true }));

const stoppedOf = (serving: Serving) => {
  const last = serving.events.at(-1);
  return last?.type === 'stopped' ? { answered: last.answered, cut: last.cut } : undefined;
};

/** The command's words for such options. */
const flagsOf = (options: ServeOptions): string[] =>
  Object.entries(options).flatMap(([name, value]) => {
    if (name === 'architecture') return [String(value)];
    return value === true ? [`--${name}`] : [`--${name}`, String(value)];
  });

/** Where `mondo serve` has said that it listens. */
async function listeningAt(server: Process) {
  const [, port] = await server.printed(/Listening at 127\.0\.0\.1:(\d+)/);
  return { family: 'IPv4', host: '127.0.0.1', port: Number(port) } as const;
}

describe.each(architectures)('$title stops', ({ options, traits }) => {
  it('and answers first what was asked', async () => {
    const serving = await Serving.start({ ...options, think: 300 * MS, thinkHow: 'defer' });
    const client = await NetClient.connect(serving.address);
    await client.send(BEAUTIFUL);
    await serving.expectReceived(client.peer);
    const closed = serving.server.close();
    expect(await client.rest()).toBe('Ugly.');
    await client.close();
    await closed;
    expect(stoppedOf(serving)).toMatchObject({ cut: 0 });
    await serving.expectNothingLeft();
  });

  it('and answers all of many questions, some of which it has not received', async () => {
    const serving = await Serving.start(options);
    const client = await NetClient.connect(serving.address);
    await client.send(BEAUTIFUL.repeat(2000));
    expect(await client.receive(5)).toBe('Ugly.');
    const closed = serving.server.close();
    const rest = await client.rest();
    // What had come by then was asked; more cannot be promised to a client that goes on.
    expect(rest).toBe('Ugly.'.repeat(rest.length / 5));
    await client.close();
    await closed;
    expect(stoppedOf(serving)).toMatchObject({ cut: 0 });
  });

  it.skipIf(traits.capacity === 'one')(
    'and answers what was asked while it computed another answer',
    async () => {
      const serving = await Serving.start({ ...options, think: 200 * MS, thinkHow: 'block' });
      const one = await NetClient.connect(serving.address);
      const other = await NetClient.connect(serving.address);
      // Both have been answered, and are at rest as far as the server knows.
      await Promise.all([ask(one, BEAUTIFUL, 5), ask(other, BEAUTIFUL, 5)]);
      await one.send(BEAUTIFUL);
      await serving.expectReceived(one.peer);
      await other.send(BEAUTIFUL);
      const closed = serving.server.close();
      expect(await other.rest()).toBe('Ugly.');
      expect(await one.rest()).toBe('Ugly.');
      await Promise.all([one.close(), other.close(), closed]);
      expect(stoppedOf(serving)).toMatchObject({ cut: 0 });
    },
  );

  it('and waits for nobody who is at rest', async () => {
    const serving = await Serving.start(options);
    const client = await NetClient.connect(serving.address);
    expect(await ask(client, BEAUTIFUL, 5)).toBe('Ugly.');
    await serving.close();
    expect(await client.rest()).toBe('');
    expect(serving.accountOf(client.peer)).toEqual(['accepted', 'cut']);
    // The answer that it had a moment ago may count: a thread is told to leave while it still sends.
    expect(stoppedOf(serving)).toMatchObject({ cut: 0 });
    await client.close();
    await serving.expectNothingLeft();
  });

  it('and cuts off who is owed an answer when the time is over', async () => {
    const serving = await Serving.start({ ...options, think: FOREVER, thinkHow: 'defer' });
    const client = await NetClient.connect(serving.address);
    await serving.expectAccepted(client.peer);
    await client.send(BEAUTIFUL);
    await serving.expectReceived(client.peer);
    await within(PATIENCE, 'the end of the server', serving.server.close({ deadline: 100 }));
    expect(stoppedOf(serving)).toEqual({ answered: 0, cut: 1 });
    expect(await client.rest()).toBe('');
    await client.close();
  });

  it('and ends at once when it is told a second time', async () => {
    const serving = await Serving.start({ ...options, think: FOREVER, thinkHow: 'defer' });
    const client = await NetClient.connect(serving.address);
    await serving.expectAccepted(client.peer);
    await client.send(BEAUTIFUL);
    await serving.expectReceived(client.peer);
    const closed = serving.server.close({ deadline: FOREVER });
    await nextTurn();
    void serving.server.close({ deadline: 0 });
    await within(PATIENCE, 'the end of the server', closed);
    expect(stoppedOf(serving)).toEqual({ answered: 0, cut: 1 });
    await client.close();
  });
});

it.concurrent.each([
  'single',
  'threaded',
  'queued',
  'prefork',
  'socketserver',
  'select',
  'poll',
  'epoll',
  'uring',
  'generator',
  'asyncore',
  'callback',
  'coroutine',
])('%s tells how many were answered to the end', async (architecture) => {
  // Long enough to be told to stop before the answer is due, on the slowest machine.
  const serving = await Serving.start({ architecture, think: 4000 * MS, thinkHow: 'defer' });
  const client = await NetClient.connect(serving.address);
  await client.send(BEAUTIFUL);
  await serving.expectReceived(client.peer);
  const closed = serving.server.close();
  expect(await client.rest()).toBe('Ugly.');
  await closed;
  expect(stoppedOf(serving)).toEqual({ answered: 1, cut: 0 });
  await client.close();
});

describe('a restart', () => {
  it.each(architectures)('of $title loses no client and no question', async ({ options }) => {
    const serving = await Serving.start({ ...options, drain: 2000 * MS });
    const clients = crowd(serving.server.port, 3);
    for (let i = 0; i < 3; i++) {
      const before = serving.server.pids;
      const { served } = clients;
      await serving.server.restart();
      await until('clients to be served', () => clients.served > served + 3);
      await until('the old workers to leave', () =>
        serving.server.pids.every((pid) => !before.includes(pid)),
      );
    }
    await clients.stop();
    expect(clients.faults).toEqual([]);
    await serving.stop();
    await serving.expectNothingLeft();
  });

  it('leaves a client that stays with its worker', async () => {
    const serving = await Serving.start({ architecture: 'uring', drain: FOREVER });
    const client = await NetClient.connect(serving.address);
    expect(await ask(client, BEAUTIFUL, 5)).toBe('Ugly.');
    await serving.server.restart();
    expect(serving.server.pids).toHaveLength(2);
    expect(await ask(client, BEAUTIFUL, 5)).toBe('Ugly.');
    await client.close();
    await until('the old worker to leave', () => serving.server.pids.length === 1);
    await serving.stop();
  });

  it("serves those in the queue of the old worker, and the one in its acceptor's hand", async () => {
    const pool = { architecture: 'queued', threads: 1, queue: 1, drain: FOREVER } as const;
    const serving = await Serving.start(pool);
    const served = await NetClient.connect(serving.address);
    expect(await ask(served, BEAUTIFUL, 5)).toBe('Ugly.');
    const waiting = [
      await NetClient.connect(serving.address),
      await NetClient.connect(serving.address),
    ];
    for (const client of waiting) {
      await serving.expectAccepted(client.peer);
      await client.send(BEAUTIFUL);
    }
    await serving.server.restart();
    expect(serving.server.pids).toHaveLength(2);
    const answers = waiting.map((client) => client.receive(5));
    // Long enough for the acceptor to have noticed that it is to leave.
    expect(await staysPending(Promise.any(answers), 300)).toBe(true);
    await served.close();
    for (const [i, client] of waiting.entries()) {
      expect(await answers[i]).toBe('Ugly.');
      await client.close();
    }
    await until('the old worker to leave', () => serving.server.pids.length === 1);
    await serving.stop();
  });

  it.each(architectures)('of $title loses nobody who waits for room', async ({ options }) => {
    const limits = { connections: 1 };
    const serving = await Serving.start({ ...options, limits, drain: 300 * MS });
    const first = await NetClient.connect(serving.address);
    expect(await ask(first, BEAUTIFUL, 5)).toBe('Ugly.');
    const others = await Promise.all(
      Array.from({ length: 4 }, () => NetClient.connect(serving.address)),
    );
    const answers = others.map(async (client) => {
      const answer = await ask(client, BEAUTIFUL, 5).catch(String);
      await client.close();
      return answer;
    });
    // Time for a worker to accept whom it should not.
    expect(await staysPending(Promise.any(answers))).toBe(true);
    await serving.server.restart();
    // The old worker ends the one that it has.
    expect(await first.rest()).toBe('');
    expect(await Promise.all(answers)).toEqual(others.map(() => 'Ugly.'));
    await first.close();
    await serving.stop();
    await serving.expectNothingLeft();
  });

  it('serves the one whom Node has accepted before there was room', async () => {
    const serving = await Serving.start({
      ...{ architecture: 'callback', processes: 2, reuseport: true, drain: 300 * MS },
      limits: { connections: 1 },
    });
    // One that finds no room before it listens would accept nobody.
    await until('both to listen', () =>
      serving.server.workers().every(({ state }) => state === 'waiting'),
    );
    const sockets = () => new Set(serving.server.pids.flatMap(socketsOf)).size;
    const before = sockets();
    const first = await NetClient.connect(serving.address);
    expect(await ask(first, BEAUTIFUL, 5)).toBe('Ugly.');
    // Of so many some are with the worker that has nobody else.
    const others = await Promise.all(
      Array.from({ length: 12 }, () => NetClient.connect(serving.address)),
    );
    const answers = others.map(async (client) => {
      const answer = await ask(client, BEAUTIFUL, 5).catch(String);
      await client.close();
      return answer;
    });
    await until('the first and another to be accepted', () => sockets() >= before + 2);
    await serving.server.restart();
    expect(await Promise.all(answers)).toEqual(others.map(() => 'Ugly.'));
    await first.close();
    await until('the old workers to leave', () => serving.server.pids.length === 2);
    await serving.stop();
  });

  it('picks up a changed service, and none that cannot be loaded', async () => {
    const service = join(folder, 'changing.mjs');
    const write = (answer: string) =>
      writeFileSync(service, `export default { delimiter: '?', answer: () => ${answer} };`);
    write(`'one.'`);
    const serving = await Serving.start({ architecture: 'prefork', service });
    const answer = async () => {
      const client = await NetClient.connect(serving.address);
      const text = await ask(client, 'Which?', 4);
      await client.close();
      return text;
    };
    expect(await answer()).toBe('one.');
    write(`'two.'`);
    await serving.server.restart();
    await until('the old workers to leave', () => serving.server.pids.length === 4);
    expect(await answer()).toBe('two.');
    writeFileSync(service, 'export default {');
    await expect(serving.server.restart()).rejects.toThrow(/changing\.mjs/);
    await until('the new workers to be gone', () => serving.server.pids.length === 4);
    expect(await answer()).toBe('two.');
    write(`'six.'`);
    await serving.server.restart();
    await until('the old workers to leave', () => serving.server.pids.length === 4);
    expect(await answer()).toBe('six.');
    await serving.stop();
    await serving.expectNothingLeft();
  });

  it('that failed leaves a server whose workers are replaced as ever', async () => {
    const service = join(folder, 'slip.mjs');
    const good = `export default { delimiter: '?', answer: () => 'one.' };`;
    writeFileSync(service, good);
    const serving = await Serving.start({ architecture: 'epoll', service });
    const [worker] = serving.server.pids;
    writeFileSync(service, 'export default {');
    await expect(serving.server.restart()).rejects.toThrow(/slip\.mjs/);
    await until('the new worker to be gone', () => serving.server.pids.length === 1);
    expect(serving.server.pids).toEqual([worker]);
    writeFileSync(service, good);
    process.kill(worker!, 'SIGKILL');
    await until('its death to be told', () => serving.events.some(({ type }) => type === 'died'));
    const client = await NetClient.connect(serving.address);
    expect(await ask(client, 'Which?', 4)).toBe('one.');
    await client.close();
    await serving.stop();
  });

  it('that is starting does not undo a stop', async () => {
    const service = join(folder, 'slow.mjs');
    const good = `export default { delimiter: '?', answer: () => 'one.' };`;
    writeFileSync(service, good);
    const serving = await Serving.start({ architecture: 'epoll', service });
    const client = await NetClient.connect(serving.address);
    expect(await ask(client, 'Which?', 4)).toBe('one.');
    writeFileSync(service, `await new Promise((load) => setTimeout(load, ${400 * MS})); ${good}`);
    const restarted = serving.server.restart().catch((error: Error) => error.message);
    await until('the new worker to start', () => serving.server.pids.length === 2);
    const before = performance.now();
    await serving.server.close();
    // The stop itself, and whoever starts: not the ten seconds that a restart leaves to old workers.
    expect(performance.now() - before).toBeLessThan(3000 * MS);
    expect(await restarted).toMatch(/the server is stopping/);
    expect(await client.rest()).toBe('');
    await client.close();
    expect(serving.events.map(({ type }) => type)).not.toContain('restarted');
    await serving.expectNothingLeft();
  });

  it('is asked for with SIGHUP, and the command says so', async () => {
    await using server = spawnMondo('serve', 'threaded', '-p', '0', '--drain', '1s');
    await server.printed(/Listening/);
    for (let generation = 2; generation < 5; generation++) {
      server.child.kill('SIGHUP');
      await server.printed(new RegExp(`Restarted: workers of generation ${generation} serve`));
    }
    server.child.kill('SIGTERM');
    expect((await server.ended()).stdout).toMatch(/Stopped: 0 answered to the end, 0 cut off.*\n$/);
  });
});

const socketsOf = (pid: number) =>
  [...descriptorsOf(pid).values()].filter((what) => what.startsWith('socket:'));

describe('mondo serve', () => {
  it.each(
    variants.filter(({ options }) => options.reuseport !== true),
  )('$title drains where SIGTERM goes to every process of it, as systemd sends it', async ({
    options,
  }) => {
    // Long enough for the signals to come before the answer, on a busy machine too.
    const think = ['--think', `${1000 * MS}`, '--think-how', 'defer'];
    await using server = spawnMondo('serve', ...flagsOf(options), '-p', '0', ...think);
    const address = await listeningAt(server);
    const client = await NetClient.connect(address);
    await client.send(BEAUTIFUL);
    await until('the question to be received', () =>
      isReceived(address.port, Number(client.peer.split(':')[1])),
    );
    for (const pid of [...descendantsOf(server.pid).reverse(), server.pid]) {
      process.kill(pid, 'SIGTERM');
    }
    expect(await client.rest()).toBe('Ugly.');
    await client.close();
    expect((await server.ended()).stdout).toMatch(/Stopped: 1 answered to the end, 0 cut off/);
  });

  it('ends at once after a second signal, and says who was cut off', async () => {
    const options = ['--think', String(FOREVER), '--think-how', 'defer', '--drain', '60m'];
    await using server = spawnMondo('serve', 'epoll', '-p', '0', ...options);
    const [, port] = await server.printed(/Listening at 127\.0\.0\.1:(\d+)/);
    const socket = connect(Number(port), '127.0.0.1').on('error', () => {});
    socket.write(BEAUTIFUL);
    await server.printed(/Accepted/);
    server.child.kill('SIGTERM');
    // The same signal once more in the same moment is what npm makes of one Ctrl-C.
    server.child.kill('SIGTERM');
    await until('the listener to be closed', () => isRefused(Number(port)));
    await until('the second signal to be another', () => {
      if (server.isRunning) server.child.kill('SIGTERM');
      return !server.isRunning;
    });
    expect((await server.ended()).stdout).toMatch(/Stopped: 0 answered to the end, 1 cut off\n$/);
    socket.destroy();
  });

  it.skipIf(process.getuid?.() !== 0)('--user serves as somebody else than root', async () => {
    const port = 1023;
    await using server = spawnMondo('serve', 'prefork', '-p', String(port), '--user', 'nobody');
    await server.printed(/Listening at 127\.0\.0\.1:1023/);
    expect(server.stdout).not.toMatch(/Serving as root/);
    const client = await NetClient.connect({ family: 'IPv4', host: '127.0.0.1', port });
    expect(await ask(client, BEAUTIFUL, 5)).toBe('Ugly.');
    const workers = readFileSync(`/proc/${server.pid}/task/${server.pid}/children`, 'utf8')
      .trim()
      .split(' ');
    expect(workers).toHaveLength(4);
    for (const pid of workers) {
      expect(readFileSync(`/proc/${pid}/status`, 'utf8')).toMatch(/^Uid:\t65534\t65534\t65534/m);
    }
    await client.close();
    server.child.kill('SIGTERM');
    expect(await server.ended()).toMatchObject({ code: 0, stderr: '' });
  });

  describe.skipIf(process.getuid?.() !== 0)('warns root, who did not say as whom to serve', () => {
    it('in the log', async () => {
      await using server = spawnMondo('serve', 'epoll', '-p', '0');
      await server.printed(/Serving as root/);
    });

    it('without a log on standard error', async () => {
      await using server = spawnMondo('serve', 'epoll', '-p', '0', '--log', 'none');
      await server.printed(/Listening/);
      server.child.kill('SIGTERM');
      expect((await server.ended()).stderr).toMatch(/^mondo: Serving as root: [^\n]+\n$/);
    });

    it.each([
      ['its workers', {}],
      ['its own process', { service: { delimiter: '?', answer: () => 'Yes.' } }],
    ])('as an event of the library, serving in %s', async (_, options) => {
      const events: ServerEvent[] = [];
      const server = await serve({ architecture: 'callback', port: 0, ...options }, (event) =>
        events.push(event),
      );
      await server.close();
      expect(events.map(({ type }) => type)).toEqual(['listening', 'warning', 'stopped']);
      expect(events[1]).toMatchObject({ text: expect.stringContaining('Serving as root') });
    });

    it('as a warning of Node, once, where nobody listens to events', async () => {
      const warnings: Error[] = [];
      const hear = (warning: Error) => void warnings.push(warning);
      process.on('warning', hear);
      try {
        for (let i = 0; i < 2; i++) {
          await (await serve({ architecture: 'callback', port: 0 })).close();
        }
        await until('a warning', () => warnings.length > 0);
      } finally {
        process.off('warning', hear);
      }
      expect(warnings).toEqual([expect.objectContaining({ code: 'MONDO_ROOT' })]);
    });

    it('but not one who said so', async () => {
      const events: ServerEvent[] = [];
      const options = { architecture: 'callback', port: 0, user: 'root' };
      const server = await serve(options, (event) => events.push(event));
      await server.close();
      expect(events.map(({ type }) => type)).toEqual(['listening', 'stopped']);
    });
  });

  it('has nobody be somebody else in the process of a service that is an object', async () => {
    const service = { delimiter: '?', answer: () => 'Yes.' };
    await expect(serve({ port: 0, user: 'nobody', service })).rejects.toThrow(
      /^Cannot serve in this process as user "nobody": /,
    );
  });

  it.each([
    [['--user', 'no such user'], 2, 'no user "no such user"'],
    [['--group', 'no such group'], 2, 'no group "no such group"'],
    [['--drain', 'soon'], 2, 'give a time such as'],
  ])('%j fails in one line', async (words, code, text) => {
    await using server = spawnMondo('serve', 'epoll', '-p', '0', ...words);
    const ended = await server.ended();
    expect(ended.code).toBe(code);
    expect(ended.stderr).toContain(text);
    expect(ended.stderr.trimEnd().split('\n')).toHaveLength(1);
  });
});

const isRefused = (port: number) =>
  new Promise<boolean>((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.on('connect', () => resolve(false)).on('error', () => resolve(true));
    socket.on('connect', () => socket.destroy());
  });

describe('a worker', () => {
  it('that is killed is told of with what it held, and replaced', async () => {
    const serving = await Serving.start({ architecture: 'epoll', processes: 2 });
    const clients = await Promise.all(
      Array.from({ length: 4 }, () => NetClient.connect(serving.address)),
    );
    for (const client of clients) await serving.expectAccepted(client.peer);
    const open = serving.server.workers().map(({ pid, open }) => ({ pid, open }));
    const [victim] = open;
    process.kill(victim!.pid, 'SIGKILL');
    const died = await until('its death to be told', () =>
      serving.events.find(({ type }) => type === 'died'),
    );
    expect(died).toMatchObject({ pid: victim!.pid, lost: victim!.open });
    await until('another to serve', () => serving.server.workers().length === 2);
    for (const client of clients) await client.close();
    await serving.close();
  });

  describe.each([
    { title: 'socketserver mixin forking', architecture: 'socketserver', mixin: 'forking' },
    { title: 'inetd', architecture: 'inetd' },
    { title: 'inetd wait', architecture: 'inetd', inetd: 'wait' },
  ] as const)('that starts processes, $title,', ({ title, ...options }) => {
    /** A client whose process is there, and the worker that had started it. */
    const engaged = async (more: ServeOptions = {}) => {
      const serving = await Serving.start({ ...options, ...more });
      const client = await NetClient.connect(serving.address);
      expect(await ask(client, BEAUTIFUL, 5)).toBe('Ugly.');
      const [worker] = serving.server.pids;
      const [assistant] = descendantsOf(worker!);
      return { serving, client, worker: worker!, assistant: assistant! };
    };
    const killed = async (serving: Serving, worker: number) => {
      process.kill(worker, 'SIGKILL');
      const died = await until('its death to be told', () =>
        serving.events.find(({ type }) => type === 'died'),
      );
      expect(died).toMatchObject({ pid: worker, lost: 0 });
    };

    /** The same, with the worker killed and its client owed an answer. */
    const owing = async (think: number) => {
      const all = await engaged({ think });
      await killed(all.serving, all.worker);
      await all.client.send(BEAUTIFUL);
      await all.serving.expectReceived(all.client.peer);
      return all;
    };

    it('may be killed, and they serve on', async () => {
      const { serving, client, worker, assistant } = await engaged();
      await killed(serving, worker);
      await until('another in its place', () => serving.server.pids.length === 1);
      expect(serving.server.pids).not.toContain(worker);
      for (const [question, answer] of questions) {
        expect(await ask(client, question, answer.length)).toBe(answer);
      }
      const other = await NetClient.connect(serving.address);
      expect(await ask(other, BEAUTIFUL, 5)).toBe('Ugly.');
      await Promise.all([client.close(), other.close()]);
      await serving.expectAccount(client.peer, ['accepted', 'closed']);
      if (title !== 'inetd wait') {
        await until('its process to end', () => !isRunning(assistant));
        await until('its row to be free', () => serving.server.workers().length === 1);
      }
      await serving.stop();
    });

    it.runIf(title === 'inetd')(
      'may be killed among a crowd, and loses hardly anybody',
      async () => {
        const serving = await Serving.start(options);
        const clients = await Promise.all(
          Array.from({ length: 20 }, () => NetClient.connect(serving.address)),
        );
        const answers = clients.map((client) =>
          ask(client, BEAUTIFUL, 5).catch((error: Error) => error.message),
        );
        const [worker] = serving.server.pids;
        await until('some processes to start', () => descendantsOf(worker!).length > 2);
        await killed(serving, worker!);
        const lost = (await Promise.all(answers)).filter((answer) => answer !== 'Ugly.');
        // Whoever was accepted in that very moment; before, one that starts could be another.
        expect(lost.length).toBeLessThanOrEqual(1);
        await Promise.all(clients.map((client) => client.close()));
        await serving.server.close();
      },
    );

    it('may be killed while one of them starts', async () => {
      const serving = await Serving.start(options);
      const client = await NetClient.connect(serving.address);
      await client.send(BEAUTIFUL);
      const [worker] = serving.server.pids;
      await until('its process to start', () => descendantsOf(worker!).length > 0);
      await killed(serving, worker!);
      expect(await client.receive(5)).toBe('Ugly.');
      await client.close();
      await serving.stop();
    });

    it('may be killed, and a stop waits for their answers', async () => {
      const { serving, client, assistant } = await owing(300 * MS);
      const closed = serving.server.close();
      expect(await client.rest()).toBe('Ugly.');
      await client.close();
      await closed;
      await until('its process to end', () => !isRunning(assistant));
      expect(stoppedOf(serving)).toEqual({ answered: 1, cut: 0 });
      await serving.expectNothingLeft();
    });

    it('may be killed, and whoever is left at the deadline is cut', async () => {
      const { serving, client, assistant } = await owing(2000 * MS);
      await serving.server.close({ deadline: 100 * MS });
      await until('its process to end', () => !isRunning(assistant));
      expect(stoppedOf(serving)).toEqual({ answered: 0, cut: 1 });
      await client.close();
    });

    it('may be killed, and then one of them: it is no longer there for anybody who asks', async () => {
      const { serving, client, worker, assistant } = await engaged();
      await killed(serving, worker);
      process.kill(assistant, 'SIGKILL');
      expect(await client.rest()).toBe('');
      await client.close();
      await until('its process to end', () => !isRunning(assistant));
      await serving.server.close();
      expect(stoppedOf(serving)).toEqual({ answered: 0, cut: 0 });
    });

    it('may be killed, and a restart leaves them their time', async () => {
      const { serving, client, worker, assistant } = await engaged({ drain: 1000 * MS });
      await killed(serving, worker);
      await serving.server.restart();
      expect(await ask(client, BEAUTIFUL, 5)).toBe('Ugly.');
      expect(await client.rest()).toBe('');
      await until('its process to end', () => !isRunning(assistant));
      await client.close();
      await serving.stop();
    });

    it('takes them along when its supervisor is killed', async () => {
      await using server = spawnMondo('serve', ...flagsOf(options), '--port', '0');
      const client = await NetClient.connect(await listeningAt(server));
      expect(await ask(client, BEAUTIFUL, 5)).toBe('Ugly.');
      const processes = descendantsOf(server.pid);
      expect(processes.length).toBeGreaterThanOrEqual(2);
      process.kill(server.pid, 'SIGKILL');
      expect(await client.rest()).toBe('');
      await client.close();
      await until('all of it to end', () => !processes.some(isRunning));
    });
  });

  it('that dies may be told of to one who closes the server at once', async () => {
    const events: string[] = [];
    const server = await serve({ architecture: 'epoll', port: 0 }, (event) => {
      events.push(event.type);
      if (event.type === 'died') void server.close();
    });
    process.kill(server.pids[0]!, 'SIGKILL');
    await until('the server to stop', () => events.includes('stopped'));
    await server.close();
    expect(await steady('the number of workers', () => server.pids.length)).toBe(0);
    expect(events.at(-1)).toBe('stopped');
  });

  it('that dies again and again is replaced after longer and longer', async () => {
    const serving = await Serving.start({ architecture: 'epoll' });
    const deaths = () => serving.events.filter(({ type }) => type === 'died');
    for (let i = 1; i <= 4; i++) {
      const [pid] = await until(
        'a worker',
        () => serving.server.pids.length > 0 && serving.server.pids,
      );
      process.kill(pid!, 'SIGKILL');
      await until('its death to be told', () => deaths().length === i);
    }
    const delays = deaths().map((event) => (event as { delay: number }).delay);
    // The first may have lived for long enough to be replaced at once.
    expect(delays.slice(1)).toEqual(delays[0] === 0 ? [100, 200, 400] : [200, 400, 800]);
    await until('another to serve', () => serving.server.workers().length === 1);
    const client = await NetClient.connect(serving.address);
    expect(await ask(client, BEAUTIFUL, 5)).toBe('Ugly.');
    await client.close();
    await serving.stop();
  });

  it.each([
    'epoll',
    'callback',
    'single',
  ])('of %s that is stuck is told of', async (architecture) => {
    const service = join(folder, `burning-${architecture}.mjs`);
    writeFileSync(service, `export default { delimiter: '?', answer() { for (;;); }, };`);
    const serving = await Serving.start({ architecture, service, stuck: 300 * MS });
    const client = await NetClient.connect(serving.address);
    await client.send('How long?');
    const stuck = await until('it to be told', () =>
      serving.events.find((event) => event.type === 'stuck'),
    );
    expect(stuck).toMatchObject({ pid: serving.server.pids[0] });
    expect((stuck as ServerEvent & { doing: string }).doing).toMatch(/the kernel says: /);
    await serving.server.close({ deadline: 0 });
    await client.close();
  });

  it.each([
    'epoll',
    'callback',
    'threaded',
  ])('of %s that was stopped by a signal is told of', async (architecture) => {
    const serving = await Serving.start({ architecture, stuck: 400 * MS });
    const client = await NetClient.connect(serving.address);
    expect(await ask(client, BEAUTIFUL, 5)).toBe('Ugly.');
    const [worker] = serving.server.pids;
    process.kill(worker!, 'SIGSTOP');
    const stuck = await until('it to be told', () =>
      serving.events.find((event) => event.type === 'stuck'),
    );
    expect(stuck).toMatchObject({
      pid: worker,
      doing: expect.stringMatching(/stopped by a signal/),
    });
    process.kill(worker!, 'SIGCONT');
    expect(await ask(client, BEAUTIFUL, 5)).toBe('Ugly.');
    await client.close();
    await serving.close();
  });

  it.each([
    'epoll',
    'callback',
    'coroutine',
    'threaded',
  ])('of %s that has a client at rest is not stuck, however short the time', async (architecture) => {
    const serving = await Serving.start({ architecture, stuck: 400 * MS });
    const client = await NetClient.connect(serving.address);
    expect(await ask(client, BEAUTIFUL, 5)).toBe('Ugly.');
    const told = until('it to be told', () =>
      serving.events.some((event) => event.type === 'stuck'),
    );
    expect(await staysPending(told, 1500)).toBe(true);
    await client.close();
    await serving.close();
  });
});

describe('out of descriptors', () => {
  // Each connection of the server takes one descriptor, and of those there are few.
  const limited = (architecture: string, descriptors = 48, ...options: string[]) =>
    new Process('/bin/sh', [
      '-c',
      `ulimit -n ${descriptors}; exec "$0" "$@"`,
      process.execPath,
      join(import.meta.dirname, '../..', 'bin', 'mondo'),
      ...['serve', architecture, '-p', '0', '--limit', 'idle=1m', ...options],
    ]);
  const UNBOUNDED = ['--limit', 'connections=off'];

  /** It takes less than half of a processor while a client that is in has nothing to say: no loop spins. */
  async function expectCalm(server: Process, client: NetClient): Promise<void> {
    const nothing = client.receive(1);
    nothing.catch(() => {});
    const before = look(server.pid).cpu;
    expect(await staysPending(nothing, 1000)).toBe(true);
    expect(look(server.pid).cpu - before).toBeLessThan(500 * MS);
    await client.send(BEAUTIFUL);
    expect((await nothing) + (await client.receive(4))).toBe('Ugly.');
  }

  it.each([
    ['epoll', 64, 64],
    ['uring', 64, 64],
    ['generator', 64, 64],
    ['callback', 64, 64],
    ['coroutine', 64, 64],
    // Each thread takes descriptors of its own.
    ['socketserver', 128, 20],
  ])('%s never is with the limit that is the default: who comes then waits', async (architecture, descriptors, crowd) => {
    await using server = limited(architecture, descriptors);
    const [, port] = await server.printed(/Listening at 127\.0\.0\.1:(\d+)/);
    const address = { family: 'IPv4', host: '127.0.0.1', port: Number(port) } as const;
    const clients: NetClient[] = [];
    const answered: NetClient[] = [];
    for (let i = 0; i < crowd; i++) {
      const client = await NetClient.connect(address);
      clients.push(client);
      await client.send(BEAUTIFUL);
      const answer = client.receive(5).then((text) => text === 'Ugly.' && answered.push(client));
      answer.catch(() => {});
    }
    await until('some to be served', () => answered.length >= 3);
    expect(
      await staysPending(
        until('all', () => answered.length === clients.length),
        300,
      ),
    ).toBe(true);
    const [first] = answered;
    expect(await ask(first!, BEAUTIFUL, 5)).toBe('Ugly.');
    // Those who wait come in as others leave.
    const waiting = () => clients.filter((client) => !answered.includes(client));
    while (waiting().length > 0) {
      const { length } = answered;
      const [leaving] = answered.splice(0, 1);
      clients.splice(clients.indexOf(leaving!), 1);
      await leaving!.close();
      await until('another to be served', () => answered.length >= length);
    }
    for (const client of clients) await client.close();
    server.child.kill('SIGTERM');
    const { code, stdout } = await server.ended();
    expect(code).toBe(0);
    expect(stdout).not.toMatch(/EMFILE|Refused| died/);
  });

  it.each([
    ['epoll', 48],
    ['uring', 48],
    ['poll', 48],
    ['select', 48],
    ['generator', 48],
    ['asyncore', 48],
    // Of the others on system calls none accepts more clients than it serves.
    ['queued', 64, '--threads', '1'],
  ] as [
    string,
    number,
    ...string[],
  ][])('%s serves those it has, turns the next away, and recovers', async (architecture, descriptors, ...options) => {
    await using server = limited(architecture, descriptors, ...UNBOUNDED, ...options);
    const [, port] = await server.printed(/Listening at 127\.0\.0\.1:(\d+)/);
    const address = { family: 'IPv4', host: '127.0.0.1', port: Number(port) } as const;
    const first = await NetClient.connect(address);
    expect(await ask(first, BEAUTIFUL, 5)).toBe('Ugly.');
    const more = await Promise.all(Array.from({ length: 60 }, () => NetClient.connect(address)));
    await server.printed(/Cannot accept for now: .*EMFILE/);
    await server.printed(/Refused .*as many connections/);
    // Whoever is in is served all the while.
    await expectCalm(server, first);
    expect(await ask(first, BEAUTIFUL, 5)).toBe('Ugly.');
    for (const client of [first, ...more]) await client.close();
    await until('room for another', async () => {
      const client = await NetClient.connect(address);
      const answer = await ask(client, BEAUTIFUL, 5).catch(() => '');
      await client.close();
      return answer === 'Ugly.';
    });
    expect(server.stdout.match(/Cannot accept for now/g)!.length).toBeLessThan(5);
    server.child.kill('SIGTERM');
    expect(await server.ended()).toMatchObject({ code: 0 });
  });

  it('socketserver sees off those for whom no thread can be started, and recovers', async () => {
    await using server = limited('socketserver', 96, ...UNBOUNDED);
    const [, port] = await server.printed(/Listening at 127\.0\.0\.1:(\d+)/);
    const address = { family: 'IPv4', host: '127.0.0.1', port: Number(port) } as const;
    const first = await NetClient.connect(address);
    expect(await ask(first, BEAUTIFUL, 5)).toBe('Ugly.');
    const more = await Promise.all(Array.from({ length: 80 }, () => NetClient.connect(address)));
    await server.printed(/Cannot start a thread for a client: EMFILE/);
    await server.printed(/Refused .*as many connections/);
    expect(await ask(first, BEAUTIFUL, 5)).toBe('Ugly.');
    for (const client of more) await client.close();
    await until('room for another', async () => {
      const client = await NetClient.connect(address);
      const answer = await ask(client, BEAUTIFUL, 5).catch(() => '');
      await client.close();
      return answer === 'Ugly.';
    });
    await first.close();
    server.child.kill('SIGTERM');
    const { code, stdout } = await server.ended();
    expect(code).toBe(0);
    expect(stdout.match(/Cannot start a thread/g)!.length).toBeLessThan(5);
    expect(stdout).not.toMatch(/ died| failed/);
  });

  it.each([
    'callback',
    'coroutine',
  ])('%s says so, and serves those it has while Node turns the next away', async (architecture) => {
    await using server = limited(architecture, 48, ...UNBOUNDED);
    const [, port] = await server.printed(/Listening at 127\.0\.0\.1:(\d+)/);
    const address = { family: 'IPv4', host: '127.0.0.1', port: Number(port) } as const;
    const first = await NetClient.connect(address);
    expect(await ask(first, BEAUTIFUL, 5)).toBe('Ugly.');
    const more = await Promise.all(Array.from({ length: 60 }, () => NetClient.connect(address)));
    await server.printed(/All 48 descriptors are in use \(EMFILE\)/);
    await expectCalm(server, first);
    expect(await ask(first, BEAUTIFUL, 5)).toBe('Ugly.');
    for (const client of more) await client.close();
    await until('room for another', async () => {
      const client = await NetClient.connect(address);
      const answer = await ask(client, BEAUTIFUL, 5).catch(() => '');
      await client.close();
      return answer === 'Ugly.';
    });
    expect(server.stdout.match(/descriptors are in use/g)!.length).toBeLessThan(3);
    await first.close();
    server.child.kill('SIGTERM');
    expect(await server.ended()).toMatchObject({ code: 0 });
  });
});

it('a server in this process drains as well', async () => {
  const events: ServerEvent[] = [];
  const service = { delimiter: '?', answerAsync: async () => answer };
  const { promise: answer, resolve } = Promise.withResolvers<string>();
  const server = await serve({ architecture: 'coroutine', port: 0, service }, (event) =>
    events.push(event),
  );
  const client = await NetClient.connect(server.address);
  await client.send('Now?');
  await until('the client to be there', () => events.some(({ type }) => type === 'accepted'));
  const closed = server.close();
  await until('the listener to be closed', () => isRefused(server.port));
  resolve('Then.');
  expect(await client.rest()).toBe('Then.');
  await closed;
  expect(events.at(-1)).toMatchObject({ type: 'stopped', answered: 1, cut: 0 });
  await expect(server.restart()).rejects.toThrow(/Cannot restart/);
  await client.close();
});
