/** The supervisor if a worker cannot start, or never serves, and what it does while it waits. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { loadArchitecture } from '../../src/architectures/catalogue.ts';
import { serviceUrl } from '../../src/host/load-service.ts';
import { planOf } from '../../src/host/plan.ts';
import type { ServerEvent } from '../../src/host/server-event.ts';
import { Supervisor } from '../../src/host/supervisor/supervisor.ts';
import { ask, NetClient } from '../support/clients.ts';
import { descendantsOf, descriptorsOf, isAlive, isReceived } from '../support/kernel.ts';
import { mondo, Process, spawnMondo } from '../support/processes.ts';
import { hasProgram } from '../support/programs.ts';
import {
  FOREVER,
  mostWarnings,
  PATIENCE,
  staysPending,
  steady,
  until,
  within,
} from '../support/until.ts';

const BEAUTIFUL = 'Beautiful is better than?';

/** The address that `mondo serve` has reported. */
async function listeningAt(server: Process) {
  const [, port] = await server.printed(/Listening at 127\.0\.0\.1:(\d+)/);
  return { family: 'IPv4', host: '127.0.0.1', port: Number(port) } as const;
}

async function expectAnswer(address: Parameters<typeof NetClient.connect>[0]): Promise<void> {
  const client = await NetClient.connect(address);
  expect(await ask(client, BEAUTIFUL, 5)).toBe('Ugly.');
  await client.close();
}

describe.runIf(hasProgram('prlimit', 'util-linux'))(
  'a supervisor without a descriptor left',
  () => {
    const allow = (pid: number, descriptors: number) =>
      execFileSync('prlimit', ['--pid', String(pid), `--nofile=${descriptors}:`]);

    /** Uses up its descriptors; returns a function that gives it room again. */
    async function exhaust(server: Process): Promise<() => void> {
      await steady('its descriptors', () => descriptorsOf(server.pid).size);
      const open = descriptorsOf(server.pid);
      let lowest = 0;
      while (open.has(lowest)) lowest++;
      allow(server.pid, lowest);
      return () => allow(server.pid, 256);
    }

    it('cannot restart, and its workers continue to serve; tries again to replace a worker that died, until it can', async () => {
      const since = performance.now();
      await using server = spawnMondo('serve', 'epoll', '-p', '0');
      const address = await listeningAt(server);
      const allowForRestart = await exhaust(server);
      server.child.kill('SIGHUP');
      await server.printed(
        /Cannot restart, the old workers continue to serve: .*EMFILE.*\(ulimit -n\)/,
      );
      await expectAnswer(address);
      allowForRestart();
      server.child.kill('SIGHUP');
      await server.printed(/Restarted: /);
      await expectAnswer(address);
      const [worker] = await until('the old worker to leave', () => {
        const workers = descendantsOf(server.pid);
        return workers.length === 1 && workers;
      });

      const allowMore = await exhaust(server);
      process.kill(worker!, 'SIGKILL');
      await server.printed(/Cannot start a worker: .*EMFILE.*\(ulimit -n\).*; trying again/);
      allowMore();
      await expectAnswer(address);
      server.child.kill('SIGTERM');
      const { code, stdout, stderr } = await server.ended();
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
      expect(stdout.match(/trying again/g)!.length).toBeLessThanOrEqual(mostWarnings(since));
    });
  },
);

it('a server without enough descriptors for its workers does not start', async () => {
  const command = ['-c', 'ulimit -n 40; exec "$0" "$@"', process.execPath, mondo];
  const options = ['--processes', '30', '--log', 'none'];
  await using server = new Process('/bin/sh', [
    ...command,
    'serve',
    'prefork',
    '-p',
    '0',
    ...options,
  ]);
  const { code, stdout, stderr } = await server.ended();
  expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
  expect(stderr).toMatch(/^mondo: Cannot start a worker: .*EMFILE.*\(ulimit -n\).*\n$/);
});

const folder = mkdtempSync(join(tmpdir(), 'mondo-supervisor-'));
afterAll(() => rmSync(folder, { recursive: true }));

describe('a service that is not loaded', () => {
  const answering = (answer: string) =>
    `export default { delimiter: '?', answer: () => '${answer}' };`;
  /** Is loaded only once that file exists, or never. Another file beside it shows that it waits. */
  const waiting = (file = join(folder, 'never')) => `
    import { existsSync, writeFileSync } from 'node:fs';
    writeFileSync(${JSON.stringify(`${file}.awaited`)}, '');
    while (!existsSync(${JSON.stringify(file)})) await new Promise((go) => setTimeout(go, 10));
    ${answering('two.')}`;

  /**
   * A supervisor, and a service that the test can change.
   *
   * @param startTimes of the first workers, in ms; all others have an hour, however busy the machine is
   */
  async function begin(name: string, code: string, startTimes: number[]) {
    const file = join(folder, `${name}.mjs`);
    const change = (to: string) => writeFileSync(file, to);
    change(code);
    const plan = planOf(await loadArchitecture('epoll'), { port: 0, drain: FOREVER });
    const events: ServerEvent[] = [];
    let whenLate = () => {};
    const supervisor = await Supervisor.start(
      plan,
      serviceUrl(file),
      (event) => {
        events.push(event);
        if (event.type === 'warning' && LATE.test(event.text)) whenLate();
      },
      () => startTimes.shift() ?? FOREVER,
    );
    const answer = async () => {
      const client = await NetClient.connect(supervisor.address);
      const text = await ask(client, 'Which?', 4);
      await client.close();
      return text;
    };
    return {
      supervisor,
      events,
      change,
      answer,
      /** Changes the service at the moment in which a start has failed, before the next one. */
      changeWhenLate: (to: string) => (whenLate = () => change(to)),
    };
  }
  const LATE = /does not serve after .*(slow|never|stuck)\.mjs/;

  it('is waited for only for a limited time at the start', async () => {
    const before = descendantsOf(process.pid);
    await expect(begin('never', waiting(), [500])).rejects.toThrow(LATE);
    const isNew = (pid: number) => !before.includes(pid);
    expect(descendantsOf(process.pid).filter(isNew)).toEqual([]);
  });

  // These tests wait, so they run concurrently.
  describe.concurrent('that does not delay others', () => {
    it('is waited for only for a limited time at a restart, and the old workers continue to serve', async () => {
      const { supervisor, events, change, answer } = await begin('slow', answering('one.'), [
        FOREVER,
        500,
      ]);
      const { pids } = supervisor;
      change(waiting());
      await expect(supervisor.restart()).rejects.toThrow(LATE);
      await until('the new worker to be gone', () => supervisor.pids.length === 1);
      expect(supervisor.pids).toEqual(pids);
      expect(await answer()).toBe('one.');
      change(answering('two.'));
      await supervisor.restart();
      await until('the old worker to leave', () => supervisor.pids.length === 1);
      expect(await answer()).toBe('two.');
      expect(events.map(({ type }) => type)).not.toContain('died');
      await supervisor.close();
    });

    it('is waited for only for a limited time in the place of a worker that died', async () => {
      const begun = await begin('stuck', answering('one.'), [FOREVER, 500]);
      const { supervisor, events, change, changeWhenLate, answer } = begun;
      change(waiting());
      changeWhenLate(answering('two.'));
      process.kill(supervisor.pids[0]!, 'SIGKILL');
      await until('the start to fail', () =>
        events.some((event) => event.type === 'warning' && LATE.test(event.text)),
      );
      expect(await answer()).toBe('two.');
      expect(events.filter(({ type }) => type === 'died')).toHaveLength(2);
      await supervisor.close();
    });

    it('does not prevent the replacement of old workers, and the restart replaces those too', async () => {
      const go = join(folder, 'go');
      const { supervisor, events, change, answer } = await begin('gate', answering('one.'), []);
      const [old] = supervisor.pids;
      change(waiting(go));
      const restarted = supervisor.restart();
      await until('the new worker to start', () => supervisor.pids.length === 2);
      const starting = supervisor.pids.find((pid) => pid !== old);
      await until('it to be loading', () => existsSync(`${go}.awaited`));
      change(answering('six.'));
      process.kill(old!, 'SIGKILL');
      expect(await answer()).toBe('six.');
      expect(events.find(({ type }) => type === 'died')).toMatchObject({ pid: old });
      expect(await staysPending(restarted)).toBe(true);
      writeFileSync(go, '');
      await restarted;
      await until('the others to leave', () => supervisor.pids.length === 1);
      expect(supervisor.pids).toEqual([starting]);
      expect(await answer()).toBe('two.');
      await supervisor.close();
    });

    it('delays no stop: a worker that does not serve needs no time', async () => {
      const { supervisor, change } = await begin('long', answering('one.'), []);
      change(waiting());
      const restarted = supervisor.restart().catch((error: Error) => error.message);
      await until('the new worker to start', () => supervisor.pids.length === 2);
      // The stop has an hour.
      await within(PATIENCE, 'the end', supervisor.close());
      expect(await restarted).toMatch(/the server is stopping/);
    });

    it('does not delay a second stop, which closes at once a client that waits for an answer', async () => {
      const file = join(folder, 'signals.mjs');
      const never = join(folder, 'signals');
      writeFileSync(file, answering('one.'));
      const options = [
        '--service',
        file,
        '--think',
        '3600000',
        '--think-how',
        'defer',
        '--drain',
        '60m',
      ];
      await using server = spawnMondo('serve', 'epoll', '-p', '0', ...options);
      const address = await listeningAt(server);
      const client = await NetClient.connect(address);
      await client.send('Which?');
      await until('the question to be received', () =>
        isReceived(address.port, Number(client.peer.split(':')[1])),
      );
      writeFileSync(file, waiting(never));
      server.child.kill('SIGHUP');
      await until('the new worker to load it', () => existsSync(`${never}.awaited`));
      server.child.kill('SIGTERM');
      // For a short time it would count as the same signal, received twice.
      await until('the second signal to be another', () => {
        if (server.isRunning) server.child.kill('SIGTERM');
        return !server.isRunning;
      });
      const { stdout } = await server.ended();
      expect(stdout).toMatch(/Stopped: .*; drained 0, cut 1/);
      expect(stdout).not.toMatch(/Restarted| died/);
      await client.close();
    });

    it('does not prevent the end after a second order', async () => {
      const file = join(folder, 'first.mjs');
      const never = join(folder, 'first');
      writeFileSync(file, waiting(never));
      await using server = spawnMondo('serve', 'epoll', '-p', '0', '--service', file);
      await until('a worker to load it', () => existsSync(`${never}.awaited`));
      const processes = descendantsOf(server.pid);
      server.child.kill('SIGTERM');
      await until('the second signal to be another', () => {
        if (server.isRunning) server.child.kill('SIGTERM');
        return !server.isRunning;
      });
      await until('its worker to end', () => !processes.some(isAlive));
    });
  });
});
