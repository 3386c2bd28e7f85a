/** Restarts under load, several at a time, and one after the other. */
import { existsSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it, vi } from 'vitest';
import type { ServerEvent } from '../../src/host/server-event.ts';
import { UNBOUNDED } from '../../src/limits/limits.ts';
import { aphorisms } from '../../src/protocol/zen.ts';
import { answeredClient, ask, NetClient } from '../support/clients.ts';
import { crowd, restartUnder } from '../support/crowd.ts';
import { descendantsOf, descriptorsOf, isAlive } from '../support/kernel.ts';
import { spawnMondo } from '../support/processes.ts';
import { distinct, pairs, Serving } from '../support/serving.ts';
import { FOREVER, MS, PATIENCE, staysPending, steady, until, within } from '../support/until.ts';

vi.setConfig({ maxConcurrency: 6 });

const BEAUTIFUL = 'Beautiful is better than?';
const folder = mkdtempSync(join(tmpdir(), 'mondo-restart-'));
afterAll(() => rmSync(folder, { recursive: true }));

describe.concurrent('restarts under load lose no client and no question', () => {
  // test/long/restart.test.ts has all architectures.
  it.each(distinct)('of $title, also if clients wait for room', { timeout: 0 }, async ({
    options,
  }) => {
    const limits = { connections: 1 };
    const serving = await Serving.start({ ...options, limits, drain: 10_000 * MS });
    const first = await NetClient.connect(serving.address);
    // One question in a piece of its own, and two that arrive together.
    expect(await ask(first, BEAUTIFUL, 5)).toBe('Ugly.');
    expect(await ask(first, BEAUTIFUL.repeat(2), 10)).toBe('Ugly.Ugly.');
    const others = await Promise.all(
      Array.from({ length: 4 }, () => NetClient.connect(serving.address)),
    );
    const answers = others.map(async (client) => {
      const answer = await ask(client, BEAUTIFUL, 5).catch(String);
      await client.close();
      return answer;
    });
    // Time for a worker to accept a client by mistake.
    expect(await staysPending(Promise.any(answers))).toBe(true);
    let before = serving.server.pids;
    const gone = () =>
      until('the old workers to leave', () =>
        serving.server.pids.every((pid) => !before.includes(pid)),
      );
    await serving.server.restart();
    await first.close();
    expect(await Promise.all(answers)).toEqual(others.map(() => 'Ugly.'));
    await gone();

    // test/long/restart.test.ts has clients without a pause, and a hundred restarts.
    before = serving.server.pids;
    const clients = crowd(serving.server.port, 3, 10);
    await serving.server.restart({ limits: { connections: UNBOUNDED } });
    const { served } = clients;
    await until('clients to be served', () => clients.served > served);
    await gone();
    await clients.stop();
    expect(clients.faults).toEqual([]);
    const told = serving.events.map(({ type }) => type);
    expect(told.filter((type) => type === 'restarted')).toHaveLength(2);
    expect(told).not.toContain('died');
    await serving.close();

    // The last line counts the work of all generations.
    const last = serving.events.at(-1) as Extract<ServerEvent, { type: 'stopped' }>;
    const connections = 1 + others.length + clients.served;
    const questions = 3 + others.length + clients.served * Object.keys(aphorisms).length;
    expect(last).toMatchObject({ connections, questions });
    const { threads = 1, processes = 1 } = options;
    expect([0, connections]).toContain(last.accepted.reduce((sum, one) => sum + one, 0));
    if (threads * processes > 1) expect(last.accepted.length).toBe(threads * processes);
  });

  it('of uring, although the kernel may wake a worker that cancels its request', async () => {
    const serving = await Serving.start({ architecture: 'uring', drain: 10_000 * MS });
    // After a single client no other comes that would wake the other worker.
    const client = crowd(serving.server.port, 1);
    // test/long/restart.test.ts makes a hundred.
    await restartUnder(client, serving.server, 8);
    await client.stop();
    expect(client.faults).toEqual([]);
    await serving.close();
  });

  it('with other limits, which hold for the clients that come after', async () => {
    const serving = await Serving.start({
      architecture: 'epoll',
      limits: { questions: 9, questionSize: 40 },
    });
    const { server } = serving;
    const before = await NetClient.connect(serving.address);
    await serving.expectAccepted(before.peer);
    let old = server.pids;
    /** A client of a new worker: an old one may take a client just before it knows that it must leave. */
    const newcomer = () =>
      until('a client of a new worker', async () => {
        const client = await NetClient.connect(serving.address);
        await serving.expectAccepted(client.peer);
        const accepted = serving.events.find(
          (event) => event.type === 'accepted' && event.peer === client.peer,
        );
        if (accepted?.type === 'accepted' && !old.includes(accepted.pid)) return client;
        await client.close();
        return undefined;
      });
    const answersTo = async (client: NetClient, text: string) => {
      await client.send(text);
      await client.end();
      return client.rest();
    };
    await server.restart({ limits: { questions: 1 } });
    const after = await newcomer();
    expect(await answersTo(after, BEAUTIFUL.repeat(3))).toBe('Ugly.');
    for (let i = 0; i < 2; i++) expect(await ask(before, BEAUTIFUL, 5)).toBe('Ugly.');
    // A limit that the restart did not name is as it was.
    const long = await newcomer();
    await long.send('x'.repeat(41));
    await serving.expectAccount(long.peer, ['accepted', 'limited']);
    await expect(server.restart({ limits: { idle: -1 } })).rejects.toThrow('as limit idle');
    await expect(server.restart({ idle: 1 } as object)).rejects.toThrow('restart has no option');
    // Restarts that wait together: each changes its own.
    const both = [server.restart(), server.restart({ dryRun: true })];
    await Promise.all([...both, server.restart({ limits: { questions: 2 } })]);
    // The worker that started last is the last of the list.
    old = server.pids.slice(0, -1);
    const spared = await newcomer();
    const { questions } = server.counts();
    expect(await answersTo(spared, BEAUTIFUL.repeat(3))).toBe('Ugly.'.repeat(3));
    expect(server.counts()).toMatchObject({ questions: questions! + 1, 'question-size': 1 });
    await Promise.all([before, after, long, spared].map((client) => client.close()));
    await serving.close();
  });

  it('with one SIGHUP after the other, and the command reports each', async () => {
    await using server = spawnMondo('serve', 'epoll', '-p', '0');
    const [, port] = await server.printed(/Listening at 127\.0\.0\.1:(\d+)/);
    const clients = crowd(Number(port), 2);
    const restarts = () => server.stdout.match(/Restarted: /g)?.length ?? 0;
    let sent = 0;
    while (restarts() < 3) {
      const before = restarts();
      await until('another restart', () => {
        // Signals that come while a restart goes on have one more restart together.
        for (let i = 0; i < 4; i++, sent++) server.child.kill('SIGHUP');
        return restarts() > before;
      });
    }
    expect(await steady('the number of restarts', restarts, 1000)).toBeLessThan(sent);
    await clients.stop();
    expect(clients.faults).toEqual([]);
    await until('the old workers to leave', () => descendantsOf(server.pid).length === 1);
    server.child.kill('SIGTERM');
    const { code, stdout, stderr } = await server.ended();
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).not.toMatch(/ died/);
    const generations = [...stdout.matchAll(/Restarted: workers of generation (\d+) serve/g)];
    expect(generations.map(([, number]) => Number(number))).toEqual(
      Array.from({ length: restarts() }, (_, i) => i + 2),
    );
    expect(stdout).toMatch(/Stopped: .*; drained 0, cut 0.*\n$/);
  });
});

const socketsOf = (pid: number) =>
  [...descriptorsOf(pid).values()].filter((what) => what.startsWith('socket:'));

describe.concurrent('a restart of workers', () => {
  it('leaves a client that stays with its worker', async () => {
    const serving = await Serving.start({ architecture: 'uring', drain: FOREVER });
    const client = await answeredClient(serving.address);
    await serving.server.restart();
    expect(serving.server.pids).toHaveLength(2);
    expect(await ask(client, BEAUTIFUL, 5)).toBe('Ugly.');
    await client.close();
    await until('the old worker to leave', () => serving.server.pids.length === 1);
    await serving.close();
  });

  it('serves the clients in the queue of the old worker, and the one that its acceptor holds', async () => {
    const pool = { architecture: 'queued', threads: 1, queue: 1, drain: FOREVER } as const;
    const serving = await Serving.start(pool);
    const served = await answeredClient(serving.address);
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
    // Long enough for the acceptor to notice that it must leave.
    expect(await staysPending(Promise.any(answers), 300)).toBe(true);
    await served.close();
    for (const [i, client] of waiting.entries()) {
      expect(await answers[i]).toBe('Ugly.');
      await client.close();
    }
    await until('the old worker to leave', () => serving.server.pids.length === 1);
    await serving.close();
  });

  it.each(
    // One for each driver: closing.test.ts has the end of a drain for all architectures.
    pairs.filter(({ options }) =>
      ['threaded', 'epoll', 'uring', 'callback'].includes(options.architecture!),
    ),
  )('of $title closes a client that stays until the end of the drain, and serves one that waits', async ({
    options,
  }) => {
    const limits = { connections: 1 };
    const serving = await Serving.start({ ...options, limits, drain: 300 * MS });
    const first = await answeredClient(serving.address);
    const other = await NetClient.connect(serving.address);
    const answer = ask(other, BEAUTIFUL, 5);
    await serving.server.restart();
    expect(await first.rest()).toBe('');
    expect(await answer).toBe('Ugly.');
    await Promise.all([first.close(), other.close()]);
    await serving.close();
  });

  it('serves the client that Node has accepted before there was room', async () => {
    const serving = await Serving.start({
      ...{ architecture: 'callback', processes: 2, reuseport: true, drain: 300 * MS },
      limits: { connections: 1 },
    });
    // A worker that finds no room before it listens would accept no client.
    await until('both to listen', () =>
      serving.server.workers().every(({ state }) => state === 'waiting'),
    );
    const sockets = () => new Set(serving.server.pids.flatMap(socketsOf)).size;
    const before = sockets();
    const first = await answeredClient(serving.address);
    // Of this number, some are with the worker that has no other client.
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
    await serving.close();
  });

  it('loads a changed service, and keeps the old one if the new one cannot be loaded', async () => {
    const service = join(folder, 'changing.mjs');
    const write = (answer: string) =>
      writeFileSync(service, `export default { delimiter: '?', answer: () => ${answer} };`);
    write(`'one.'`);
    const serving = await Serving.start({ architecture: 'prefork', processes: 1, service });
    const answer = async () => {
      const client = await NetClient.connect(serving.address);
      const text = await ask(client, 'Which?', 4);
      await client.close();
      return text;
    };
    expect(await answer()).toBe('one.');
    write(`'two.'`);
    await serving.server.restart();
    await until('the old workers to leave', () => serving.server.pids.length === 1);
    expect(await answer()).toBe('two.');
    writeFileSync(service, 'export default {');
    await expect(serving.server.restart()).rejects.toThrow(/changing\.mjs/);
    await until('the new workers to be gone', () => serving.server.pids.length === 1);
    expect(await answer()).toBe('two.');
    write(`'six.'`);
    await serving.server.restart();
    await until('the old workers to leave', () => serving.server.pids.length === 1);
    expect(await answer()).toBe('six.');
    await serving.close();
  });

  it('that failed leaves a server whose workers are replaced as usual', async () => {
    const service = join(folder, 'slip.mjs');
    const good = `export default { delimiter: '?', answer: () => 'one.' };`;
    writeFileSync(service, good);
    const serving = await Serving.start({ architecture: 'epoll', service });
    const [worker] = serving.server.pids;
    writeFileSync(service, 'export default {');
    const limits = { questions: 1 };
    await expect(serving.server.restart({ limits })).rejects.toThrow(/slip\.mjs/);
    await until('the new worker to be gone', () => serving.server.pids.length === 1);
    expect(serving.server.pids).toEqual([worker]);
    writeFileSync(service, good);
    const killed = async (victim: number) => {
      process.kill(victim, 'SIGKILL');
      await until('its death to be reported', () =>
        serving.events.some((event) => event.type === 'died' && event.pid === victim),
      );
    };
    const answers = async () => {
      const client = await NetClient.connect(serving.address);
      await client.send('Which?Which?');
      await client.end();
      const text = await client.rest();
      await client.close();
      return text;
    };
    await killed(worker!);
    expect(await answers()).toBe('one.one.');
    await serving.server.restart();
    expect(await answers()).toBe('one.one.');
    // A worker that replaces one after a restart has the limits of that restart.
    await serving.server.restart({ limits });
    await until('the old worker to leave', () => serving.server.pids.length === 1);
    await killed(serving.server.pids[0]!);
    expect(await answers()).toBe('one.');
    await serving.close();
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
    // The stop itself, and the end of starting workers: not the hour that a restart gives to old workers.
    await within(PATIENCE, 'the end of the server', serving.server.close());
    expect(await restarted).toMatch(/the server is stopping/);
    expect(await client.rest()).toBe('');
    await client.close();
    expect(serving.events.map(({ type }) => type)).not.toContain('restarted');
  });
});

describe.concurrent('a restart', () => {
  const answering = (answer: string) =>
    `export default { delimiter: '?', answer: () => '${answer}' };`;

  /** A service that the test can change, or hold so that it is loaded only after `go`. */
  function changing(name: string) {
    const service = join(folder, `${name}.mjs`);
    const [gate, awaited] = [join(folder, `${name}.go`), join(folder, `${name}.awaited`)];
    // Replace it in one step: a worker may be reading it.
    const change = (code: string) => {
      writeFileSync(`${service}.new`, code);
      renameSync(`${service}.new`, service);
    };
    change(answering('one.'));
    return {
      service,
      change,
      /** @param which a condition for the workers to hold; by default all of them */
      hold: (then: string, which = 'true') =>
        change(`
          import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
          if (${which}) {
            writeFileSync(${JSON.stringify(awaited)}, '');
            while (!existsSync(${JSON.stringify(gate)})) await new Promise((go) => setTimeout(go, 10));
          }
          ${then}`),
      go: () => writeFileSync(gate, ''),
      awaited: () => until('the service to be loading', () => existsSync(awaited)),
    };
  }
  const serveCommand = (service: string, ...words: string[]) =>
    spawnMondo('serve', 'epoll', '-p', '0', '--service', service, ...words);

  it('by SIGHUP during the start comes once the server serves; SIGUSR2 does no harm before that', async () => {
    const { service, hold, go, awaited } = changing('early');
    hold(answering('one.'));
    await using server = serveCommand(service);
    await awaited();
    server.child.kill('SIGUSR2');
    server.child.kill('SIGHUP');
    go();
    await server.printed(/Listening at/);
    await server.printed(/Restarted: /);
    server.child.kill('SIGTERM');
    const { code, stdout, stderr } = await server.ended();
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout.match(/Restarted: /g)).toHaveLength(1);
  });

  it.each(['text', 'none'])('that fails is reported once, with --log %s', async (log) => {
    const { service, change } = changing(`told-${log}`);
    await using server = serveCommand(service, '--log', log);
    await server.printed(/Listening at/);
    change(`throw new Error('a slip');`);
    server.child.kill('SIGHUP');
    await until('it to be reported', () => /a slip/.test(server.stdout + server.stderr));
    server.child.kill('SIGTERM');
    const { code, stdout, stderr } = await server.ended();
    expect(code).toBe(0);
    const lines = (text: string) => text.split('\n').filter((line) => line.includes('a slip'));
    expect(lines(stdout)).toHaveLength(log === 'text' ? 1 : 0);
    expect(lines(stderr)).toHaveLength(log === 'text' ? 0 : 1);
  });

  async function answerOf(serving: Serving): Promise<string> {
    const client = await NetClient.connect(serving.address);
    const text = await ask(client, 'Which?', 4);
    await client.close();
    return text;
  }
  /** A client that the newest worker serves: a leaving worker may accept until it notices. */
  const withNewest = (serving: Serving) =>
    until('a client of the newest worker', async () => {
      const client = await answeredClient(serving.address);
      const newest = serving.server.pids.at(-1);
      if (serving.server.workers().find(({ pid }) => pid === newest)?.open === 1) return client;
      await client.close();
      return undefined;
    });
  const count = (serving: Serving, what: string) =>
    serving.events.filter(({ type }) => type === what).length;

  it('that is requested during another one comes after it, once, and loads the changed service', async () => {
    const { service, change, hold, go, awaited } = changing('upon');
    const serving = await Serving.start({ architecture: 'epoll', service });
    hold(answering('two.'));
    const first = serving.server.restart();
    await awaited();
    change(answering('six.'));
    const more = [serving.server.restart(), serving.server.restart(), serving.server.restart()];
    expect(await staysPending(Promise.race([first, ...more]))).toBe(true);
    go();
    await Promise.all([first, ...more]);
    expect(count(serving, 'restarted')).toBe(2);
    await until('the old workers to leave', () => serving.server.pids.length === 1);
    expect(await answerOf(serving)).toBe('six.');
    await serving.close();
  });

  it('whose workers begin to serve during a stop does not undo the stop', async () => {
    const { service, hold, go, awaited } = changing('stopping');
    const thinking = { think: FOREVER, thinkHow: 'defer' } as const;
    const serving = await Serving.start({ architecture: 'epoll', service, ...thinking });
    const client = await NetClient.connect(serving.address);
    await client.send('Which?');
    await serving.expectReceived(client.peer);
    hold(answering('two.'));
    const restarted = serving.server.restart().catch((error: Error) => error.message);
    await awaited();
    const closed = serving.server.close({ deadline: FOREVER });
    go();
    expect(await restarted).toMatch(/the server is stopping/);
    void serving.server.close({ deadline: 0 });
    await within(PATIENCE, 'the end of the server', closed);
    expect(count(serving, 'restarted')).toBe(0);
    expect(serving.events.at(-1)).toMatchObject({ type: 'stopped', drained: 0, cut: 1 });
    await client.close();
  });

  it('that fails does not prevent the next one', async () => {
    const { service, change, hold, go, awaited } = changing('slip');
    const serving = await Serving.start({ architecture: 'epoll', service });
    hold(`throw new Error('a slip');`);
    const first = serving.server.restart().catch((error: Error) => error.message);
    await awaited();
    change(answering('two.'));
    const second = serving.server.restart();
    go();
    expect(await first).toMatch(/a slip/);
    await second;
    await until('the others to leave', () => serving.server.pids.length === 1);
    expect(await answerOf(serving)).toBe('two.');
    await serving.close();
  });

  it('that fails leaves the same number of workers, even if one of them died during it', async () => {
    const { service, change, hold, go, awaited } = changing('missing');
    const serving = await Serving.start({ architecture: 'epoll', processes: 2, service });
    const [one, other] = serving.server.pids;
    hold(`throw new Error('a slip');`);
    const restarted = serving.server.restart().catch((error: Error) => error.message);
    await awaited();
    change(answering('six.'));
    process.kill(one!, 'SIGKILL');
    await until('its death to be reported', () => count(serving, 'died') === 1);
    go();
    expect(await restarted).toMatch(/a slip/);
    await until('two to serve, and no other process to be left', () => {
      const rows = serving.server.workers();
      const isServing = rows.every(({ state }) => state === 'waiting');
      return serving.server.pids.length === 2 && rows.length === 2 && isServing;
    });
    expect(await steady('the number of workers', () => serving.server.pids.length)).toBe(2);
    expect(serving.server.pids).toContain(other);
    await serving.server.restart();
    await until('both to leave', () => serving.server.pids.length === 2);
    expect(serving.server.pids).not.toContain(other);
    await serving.close();
  });

  it('that fails cuts off no client that a new worker already serves', async () => {
    const { service, hold, go, awaited } = changing('half');
    const taken = JSON.stringify(join(folder, 'half.taken'));
    const serving = await Serving.start({ architecture: 'epoll', processes: 2, service });
    const old = serving.server.pids;
    // The first of the two workers makes the folder, and serves; the other one is held, and then fails.
    hold(
      `if (isHeld) throw new Error('a slip'); ${answering('two.')}`,
      `(globalThis.isHeld = mkdirSync(${taken}, { recursive: true }) === undefined)`,
    );
    const restarted = serving.server.restart().catch((error: Error) => error.message);
    await awaited();
    const client = await until('a client of the new worker', async () => {
      const one = await NetClient.connect(serving.address);
      if ((await ask(one, 'Which?', 4)) === 'two.') return one;
      await one.close();
      return undefined;
    });
    go();
    expect(await restarted).toMatch(/a slip/);
    expect(await ask(client, 'Which?', 4)).toBe('two.');
    await client.close();
    await until('the new workers to leave', () => serving.server.pids.length === 2);
    expect(serving.server.pids).toEqual(old);
    expect(count(serving, 'died')).toBe(0);
    await serving.close();
  });

  it('waits while four generations are leaving, and is dropped when the server stops', async () => {
    const serving = await Serving.start({ architecture: 'epoll', drain: FOREVER });
    const clients: NetClient[] = [];
    // The most generations that may leave at once, each with a client.
    for (let i = 0; i < 4; i++) {
      clients.push(await withNewest(serving));
      await serving.server.restart();
    }
    clients.push(await withNewest(serving));
    expect(serving.server.pids).toHaveLength(5);
    const [oldest] = serving.server.pids;
    const restarted = serving.server.restart();
    expect(await staysPending(restarted, 500)).toBe(true);
    expect(serving.server.pids).toHaveLength(5);
    // All of them continue to serve.
    for (const client of clients) expect(await ask(client, BEAUTIFUL, 5)).toBe('Ugly.');
    await clients.shift()!.close();
    await restarted;
    expect(serving.server.pids).not.toContain(oldest);
    expect(serving.server.pids).toHaveLength(5);
    for (const client of clients) expect(await ask(client, BEAUTIFUL, 5)).toBe('Ugly.');

    const dropped = serving.server.restart().catch((error: Error) => error.message);
    await serving.close();
    expect(await dropped).toMatch(/the server is stopping/);
    for (const client of clients) await client.close();
  });

  it('starts no worker in the place of one that dies while it is leaving', async () => {
    const serving = await Serving.start({ architecture: 'epoll', drain: FOREVER });
    const client = await answeredClient(serving.address);
    const [old] = serving.server.pids;
    await serving.server.restart();
    process.kill(old!, 'SIGKILL');
    await until('it to be gone', () => !isAlive(old!));
    expect(await steady('the number of workers', () => serving.server.pids.length)).toBe(1);
    // The new worker is replaced as usual. Its replacement belongs to the new generation, and continues to serve.
    process.kill(serving.server.pids[0]!, 'SIGKILL');
    const other = await answeredClient(serving.address);
    expect(await ask(other, BEAUTIFUL, 5)).toBe('Ugly.');
    await Promise.all([client.close(), other.close()]);
    await serving.close();
  });

  it('also replaces a worker that had died and was waiting for its replacement', async () => {
    const serving = await Serving.start({ architecture: 'epoll' });
    let deaths = 0;
    // A worker that lived for long enough, on a slow machine, is replaced at once.
    const last = await until('one to be replaced after a delay', async () => {
      const [pid] = await until(
        'a worker',
        () => serving.server.pids.length > 0 && serving.server.pids,
      );
      process.kill(pid!, 'SIGKILL');
      deaths++;
      await until('its death to be reported', () => count(serving, 'died') === deaths);
      const died = serving.events.findLast(({ type }) => type === 'died') as { delay: number };
      return died.delay >= 400 && died;
    });
    await serving.server.restart();
    // A worker of the old generation may have been started in between, and leaves.
    const known = serving.server.pids;
    const another = until('another worker', () =>
      serving.server.pids.some((pid) => !known.includes(pid)),
    );
    expect(await staysPending(another, last.delay + 500)).toBe(true);
    await until('one to be left', () => serving.server.pids.length === 1);
    expect(count(serving, 'died')).toBe(deaths);
    await serving.close();
  });
});
