/** Restarts that come under load, while others go on, and one upon the other. */
import { existsSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { ask, NetClient } from '../support/clients.ts';
import { crowd } from '../support/crowd.ts';
import { descendantsOf, isAlive } from '../support/kernel.ts';
import { spawnMondo } from '../support/processes.ts';
import { architectures, Serving } from '../support/serving.ts';
import { FOREVER, MS, staysPending, steady, until } from '../support/until.ts';

const BEAUTIFUL = 'Beautiful is better than?';
/** How many restarts each architecture has to stand: MONDO_TEST_RESTARTS=100 for as many as are promised. */
const RESTARTS = Number(process.env.MONDO_TEST_RESTARTS ?? 8);

const folder = mkdtempSync(join(tmpdir(), 'mondo-restart-'));
afterAll(() => rmSync(folder, { recursive: true }));

describe('restarts under load lose no client and no question', () => {
  it.each(
    architectures.map(({ title, options }) => ({
      ...{ title, options, count: title === 'epoll' ? Math.max(100, RESTARTS) : RESTARTS },
    })),
  )('of $title, $count of them', { timeout: 600_000 }, async ({ options, count }) => {
    const serving = await Serving.start({ ...options, drain: 5000 * MS });
    const clients = crowd(serving.server.port, 3);
    for (let i = 0; i < count; i++) {
      await serving.server.restart();
      const { served } = clients;
      await until('clients to be served', () => clients.served > served);
    }
    await clients.stop();
    expect(clients.faults).toEqual([]);
    const told = serving.events.map(({ type }) => type);
    expect(told.filter((type) => type === 'restarted')).toHaveLength(count);
    expect(told).not.toContain('died');
    await serving.server.close();
    await serving.expectNothingLeft();
  });

  it('with SIGHUP upon SIGHUP', async () => {
    await using server = spawnMondo('serve', 'epoll', '-p', '0');
    const [, port] = await server.printed(/Listening at 127\.0\.0\.1:(\d+)/);
    const clients = crowd(Number(port), 2);
    const restarts = () => server.stdout.match(/Restarted: /g)?.length ?? 0;
    let sent = 0;
    while (restarts() < 5) {
      const before = restarts();
      await until('another restart', () => {
        server.child.kill('SIGHUP');
        sent++;
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
  });
});

describe('a restart', () => {
  const answering = (answer: string) =>
    `export default { delimiter: '?', answer: () => '${answer}' };`;

  /** A service that may be changed, and one that is loaded no sooner than `go` is called. */
  function changing(name: string) {
    const service = join(folder, `${name}.mjs`);
    const [gate, awaited] = [join(folder, `${name}.go`), join(folder, `${name}.awaited`)];
    // In one step: some worker may be reading it.
    const change = (code: string) => {
      writeFileSync(`${service}.new`, code);
      renameSync(`${service}.new`, service);
    };
    change(answering('one.'));
    return {
      service,
      change,
      /** @param whom a condition for those that are held; all of them without one */
      hold: (then: string, whom = 'true') =>
        change(`
          import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
          if (${whom}) {
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

  it('by SIGHUP as the server starts comes once it serves; SIGUSR2 does no harm meanwhile', async () => {
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

  it.each(['text', 'none'])('that fails is told of once, with --log %s', async (log) => {
    const { service, change } = changing(`told-${log}`);
    await using server = serveCommand(service, '--log', log);
    await server.printed(/Listening at/);
    change(`throw new Error('a slip');`);
    server.child.kill('SIGHUP');
    await until('it to be told', () => /a slip/.test(server.stdout + server.stderr));
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
  /** A client that the newest worker serves: one that is leaving may accept until it notices. */
  const withNewest = (serving: Serving) =>
    until('a client of the newest worker', async () => {
      const client = await NetClient.connect(serving.address);
      expect(await ask(client, BEAUTIFUL, 5)).toBe('Ugly.');
      const newest = serving.server.pids.at(-1);
      if (serving.server.workers().find(({ pid }) => pid === newest)?.open === 1) return client;
      await client.close();
      return undefined;
    });
  /** As many generations as may leave, each with a client. */
  async function withFourLeaving() {
    const serving = await Serving.start({ architecture: 'epoll', drain: FOREVER });
    const clients: NetClient[] = [];
    for (let i = 0; i < 4; i++) {
      clients.push(await withNewest(serving));
      await serving.server.restart();
    }
    return { serving, clients };
  }
  const count = (serving: Serving, what: string) =>
    serving.events.filter(({ type }) => type === what).length;

  it('that is asked for while another goes on comes after it, once, and picks up what has changed', async () => {
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
    await serving.stop();
  });

  it('that fails leaves the next one its turn', async () => {
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
    await serving.stop();
  });

  it('that fails leaves as many workers as there were, though one of them died meanwhile', async () => {
    const { service, change, hold, go, awaited } = changing('missing');
    const serving = await Serving.start({ architecture: 'epoll', processes: 2, service });
    const [one, other] = serving.server.pids;
    hold(`throw new Error('a slip');`);
    const restarted = serving.server.restart().catch((error: Error) => error.message);
    await awaited();
    change(answering('six.'));
    process.kill(one!, 'SIGKILL');
    await until('its death to be told', () => count(serving, 'died') === 1);
    go();
    expect(await restarted).toMatch(/a slip/);
    await until('two to be there', () => serving.server.workers().length === 2);
    expect(await steady('the number of workers', () => serving.server.pids.length)).toBe(2);
    expect(serving.server.pids).toContain(other);
    await serving.server.restart();
    await until('both to leave', () => serving.server.pids.length === 2);
    expect(serving.server.pids).not.toContain(other);
    await serving.stop();
  });

  it('that fails cuts off nobody whom one of the new workers serves by then', async () => {
    const { service, hold, go, awaited } = changing('half');
    const taken = JSON.stringify(join(folder, 'half.taken'));
    const serving = await Serving.start({ architecture: 'epoll', processes: 2, service });
    const old = serving.server.pids;
    // Of the two the first may make the folder, and serves; the other is held, and then fails.
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
    await serving.stop();
  });

  it('waits while four generations are leaving', async () => {
    const { serving, clients } = await withFourLeaving();
    clients.push(await withNewest(serving));
    expect(serving.server.pids).toHaveLength(5);
    const [oldest] = serving.server.pids;
    const restarted = serving.server.restart();
    expect(await staysPending(restarted, 500)).toBe(true);
    expect(serving.server.pids).toHaveLength(5);
    // All of them serve on.
    for (const client of clients) expect(await ask(client, BEAUTIFUL, 5)).toBe('Ugly.');
    await clients.shift()!.close();
    await restarted;
    expect(serving.server.pids).not.toContain(oldest);
    expect(serving.server.pids).toHaveLength(5);
    for (const client of clients) expect(await ask(client, BEAUTIFUL, 5)).toBe('Ugly.');
    for (const client of clients) await client.close();
    await until('the old workers to leave', () => serving.server.pids.length === 1);
    await serving.stop();
  });

  it('that waits for its turn is none any more as the server stops', async () => {
    const { serving, clients } = await withFourLeaving();
    const restarted = serving.server.restart().catch((error: Error) => error.message);
    await serving.close();
    expect(await restarted).toMatch(/the server is stopping/);
    for (const client of clients) await client.close();
  });

  it('has no worker started in the place of one that dies as it leaves', async () => {
    const serving = await Serving.start({ architecture: 'epoll', drain: FOREVER });
    const client = await NetClient.connect(serving.address);
    expect(await ask(client, BEAUTIFUL, 5)).toBe('Ugly.');
    const [old] = serving.server.pids;
    await serving.server.restart();
    process.kill(old!, 'SIGKILL');
    await until('it to be gone', () => !isAlive(old!));
    expect(await steady('the number of workers', () => serving.server.pids.length)).toBe(1);
    // The new one is replaced as ever, and what takes its place is of its generation: it serves on.
    process.kill(serving.server.pids[0]!, 'SIGKILL');
    const other = await NetClient.connect(serving.address);
    expect(await ask(other, BEAUTIFUL, 5)).toBe('Ugly.');
    expect(await ask(other, BEAUTIFUL, 5)).toBe('Ugly.');
    await Promise.all([client.close(), other.close()]);
    await serving.stop();
  });

  it('takes the place of a worker too that was to be replaced in a while', async () => {
    const serving = await Serving.start({ architecture: 'epoll' });
    for (let i = 1; i <= 4; i++) {
      const [pid] = await until(
        'a worker',
        () => serving.server.pids.length > 0 && serving.server.pids,
      );
      process.kill(pid!, 'SIGKILL');
      await until('its death to be told', () => count(serving, 'died') === i);
    }
    const last = serving.events.findLast(({ type }) => type === 'died') as { delay: number };
    expect(last.delay).toBeGreaterThanOrEqual(400);
    await serving.server.restart();
    const another = until('another worker', () => serving.server.pids.length > 1);
    expect(await staysPending(another, last.delay + 500)).toBe(true);
    expect(serving.server.pids).toHaveLength(1);
    expect(count(serving, 'died')).toBe(4);
    await serving.stop();
  });
});
