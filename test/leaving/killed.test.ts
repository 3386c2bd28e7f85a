/** Workers that are killed, that die again and again, and that are stuck: what is reported, and what still serves. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { ServeOptions } from '../../src/host/plan.ts';
import type { ServerEvent } from '../../src/host/server-event.ts';
import { serve } from '../../src/index.ts';
import { isRunning } from '../../src/os/processes.ts';
import { aphorisms } from '../../src/protocol/zen.ts';
import { answeredClient, ask, NetClient } from '../support/clients.ts';
import { descendantsOf } from '../support/kernel.ts';
import { spawnMondo } from '../support/processes.ts';
import { flagsOf, listeningAt } from '../support/serve-command.ts';
import { Serving } from '../support/serving.ts';
import { MS, staysPending, steady, until } from '../support/until.ts';

const BEAUTIFUL = 'Beautiful is better than?';
const questions = Object.entries(aphorisms);

const folder = mkdtempSync(join(tmpdir(), 'mondo-killed-'));
afterAll(() => rmSync(folder, { recursive: true }));

const stoppedOf = (serving: Serving) => {
  const last = serving.events.at(-1);
  return last?.type === 'stopped' ? { answered: last.drained, cut: last.cut } : undefined;
};

/** An answer that never comes, and costs no processor time. */
const SLEEP = 'Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);';

/** The result of an answer that has not come: undefined if it is late, the reason if it is lost. */
const lateOrLost = (error: Error) =>
  error.message.startsWith('Waited') ? undefined : error.message;

describe.concurrent('a worker', () => {
  it('that is killed is reported with its connections, and replaced', async () => {
    const serving = await Serving.start({ architecture: 'epoll', processes: 2 });
    const clients = await Promise.all(
      Array.from({ length: 4 }, () => NetClient.connect(serving.address)),
    );
    for (const client of clients) await serving.expectAccepted(client.peer);
    const open = serving.server.workers().map(({ pid, open }) => ({ pid, open }));
    const [victim] = open;
    process.kill(victim!.pid, 'SIGKILL');
    const died = await until('its death to be reported', () =>
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
    const isWait = title === 'inetd wait';
    // The supervisor does the rest in one way for all processes without a worker.
    const isForking = title === 'socketserver mixin forking';
    /** A client with its process, and the worker that started the process. */
    const engaged = async (more: ServeOptions = {}) => {
      const serving = await Serving.start({ ...options, ...more });
      const client = await answeredClient(serving.address);
      const [worker] = serving.server.pids;
      const [assistant] = descendantsOf(worker!);
      return { serving, client, worker: worker!, assistant: assistant! };
    };
    const killed = async (serving: Serving, worker: number) => {
      process.kill(worker, 'SIGKILL');
      const died = await until('its death to be reported', () =>
        serving.events.find((event) => event.type === 'died' && event.pid === worker),
      );
      expect(died).toMatchObject({ lost: 0 });
    };

    /** The same, with the worker killed while its client waits for an answer. */
    const owing = async (think: number) => {
      const all = await engaged({ think });
      await killed(all.serving, all.worker);
      await all.client.send(BEAUTIFUL);
      await all.serving.expectReceived(all.client.peer);
      return all;
    };

    it('may be killed, and they continue to serve', async () => {
      const { serving, client, worker, assistant } = await engaged();
      await killed(serving, worker);
      await until('another in its place', () => serving.server.pids.length === 1);
      expect(serving.server.pids).not.toContain(worker);
      for (const [question, answer] of questions) {
        expect(await ask(client, question, answer.length)).toBe(answer);
      }
      const other = await answeredClient(serving.address);
      await Promise.all([client.close(), other.close()]);
      await serving.expectAccount(client.peer, ['accepted', 'closed']);
      if (!isWait) {
        await until('its process to end', () => !isRunning(assistant));
        await until('its row to be free', () =>
          serving.server.workers().every(({ pid }) => pid !== assistant),
        );
      }
      await serving.close();
    });

    it.skipIf(isWait)('may be killed during a crowd, and loses no client', async () => {
      const serving = await Serving.start(options);
      const clients = await Promise.all(
        Array.from({ length: 8 }, () => NetClient.connect(serving.address)),
      );
      // A process for each may take long to start on this machine: only the end of a stream is a loss.
      const answers = clients.map(async (client) => {
        await client.send(BEAUTIFUL);
        return until('an answer', () => client.receive(5).catch(lateOrLost));
      });
      for (let i = 0; i < 2; i++) {
        const [worker] = serving.server.pids;
        await until('some processes to start', () => descendantsOf(worker!).length > 1);
        await killed(serving, worker!);
        await until('another in its place', () =>
          serving.server.pids.some((pid) => pid !== worker),
        );
      }
      expect(await Promise.all(answers)).toEqual(clients.map(() => 'Ugly.'));
      await Promise.all(clients.map((client) => client.close()));
      await serving.server.close();
    });

    it('may be killed while one of them starts', async () => {
      const serving = await Serving.start(options);
      const client = await NetClient.connect(serving.address);
      await client.send(BEAUTIFUL);
      const [worker] = serving.server.pids;
      await until('its process to start', () => descendantsOf(worker!).length > 0);
      await killed(serving, worker!);
      expect(await client.receive(5)).toBe('Ugly.');
      await client.close();
      await serving.close();
    });

    it.runIf(title === 'inetd')('may be killed, and a stop waits for their answers', async () => {
      const { serving, client, assistant } = await owing(1500 * MS);
      const closed = serving.server.close();
      expect(await client.rest()).toBe('Ugly.');
      await client.close();
      await closed;
      await until('its process to end', () => !isRunning(assistant));
      expect(stoppedOf(serving)).toEqual({ answered: 1, cut: 0 });
    });

    it.runIf(isForking)(
      'may be killed, and clients that are left at the deadline are cut off',
      async () => {
        const { serving, client, assistant } = await owing(4000 * MS);
        await serving.server.close({ deadline: 100 * MS });
        await until('its process to end', () => !isRunning(assistant));
        expect(stoppedOf(serving)).toEqual({ answered: 0, cut: 1 });
        await client.close();
      },
    );

    it.skipIf(isWait)(
      'may be killed, and then one of them: the scoreboard does not show it any more',
      async () => {
        const { serving, client, worker, assistant } = await engaged();
        await killed(serving, worker);
        process.kill(assistant, 'SIGKILL');
        expect(await client.rest()).toBe('');
        await client.close();
        await until('its process to end', () => !isRunning(assistant));
        await serving.server.close();
        expect(stoppedOf(serving)).toEqual({ answered: 0, cut: 0 });
      },
    );

    it.runIf(isForking)('may be killed, and a restart leaves them their time', async () => {
      const { serving, client, worker, assistant } = await engaged({ drain: 1000 * MS });
      await killed(serving, worker);
      await serving.server.restart();
      expect(await ask(client, BEAUTIFUL, 5)).toBe('Ugly.');
      expect(await client.rest()).toBe('');
      await until('its process to end', () => !isRunning(assistant));
      await client.close();
      await serving.close();
    });

    it('ends them when its supervisor is killed', async () => {
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

  it('that dies may be reported to a listener that closes the server at once', async () => {
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

  it('that dies again and again is replaced after longer and longer delays', async () => {
    let last = performance.now();
    const serving = await Serving.start({ architecture: 'epoll' });
    const deaths = () =>
      serving.events.flatMap((event) => (event.type === 'died' ? [event.delay!] : []));
    let before = 0;
    for (let i = 0; before < 400; i++) {
      const [pid] = await until(
        'a worker',
        () => serving.server.pids.length > 0 && serving.server.pids,
      );
      process.kill(pid!, 'SIGKILL');
      const delay = await until(
        'its death to be reported',
        () => deaths()[i] !== undefined && deaths(),
      );
      // A worker that has lived for a second, on a slow machine, is replaced at once.
      if (delay[i] === 0) expect(performance.now() - last).toBeGreaterThanOrEqual(1000);
      else expect(delay[i]).toBe(before === 0 ? 100 : 2 * before);
      before = delay[i]!;
      last = performance.now();
    }
    await until('another to serve', () => serving.server.workers().length === 1);
    const client = await answeredClient(serving.address);
    await client.close();
    await serving.close();
  });

  it.each([
    ['epoll', 'for (;;);'],
    ['callback', SLEEP],
    ['single', SLEEP],
  ])('of %s that is stuck is reported: %s', async (architecture, answer) => {
    const service = join(folder, `stuck-${architecture}.mjs`);
    writeFileSync(service, `export default { delimiter: '?', answer() { ${answer} }, };`);
    const serving = await Serving.start({ architecture, service, stuck: 300 * MS });
    const client = await NetClient.connect(serving.address);
    await client.send('How long?');
    const stuck = await until('it to be reported', () =>
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
  ])('of %s is not stuck while its client is idle, and is reported once a signal has stopped it', async (architecture) => {
    const stuck = 1000 * MS;
    const serving = await Serving.start({ architecture, stuck });
    const client = await answeredClient(serving.address);
    const reported = () => serving.events.find((event) => event.type === 'stuck');
    expect(await staysPending(until('it to be reported', reported), 2500)).toBe(true);
    const [worker] = serving.server.pids;
    process.kill(worker!, 'SIGSTOP');
    expect(await until('it to be reported', reported)).toMatchObject({
      pid: worker,
      doing: expect.stringMatching(/stopped by a signal/),
    });
    process.kill(worker!, 'SIGCONT');
    expect(await ask(client, BEAUTIFUL, 5)).toBe('Ugly.');
    await client.close();
    await serving.close();
  });
});
