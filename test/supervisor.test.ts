/** The supervisor where a worker cannot be started, or never comes to serve, and what it does meanwhile. */
import { execFileSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { ask, NetClient } from './support/clients.ts';
import { descendantsOf, descriptorsOf } from './support/kernel.ts';
import { mondo, Process, spawnMondo } from './support/processes.ts';
import { hasProgram } from './support/programs.ts';
import { steady } from './support/until.ts';

const BEAUTIFUL = 'Beautiful is better than?';

/** Where `mondo serve` has said that it listens. */
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

    /** Has it at its limit; returns how it is given room again. */
    async function exhaust(server: Process): Promise<() => void> {
      await steady('its descriptors', () => descriptorsOf(server.pid).size);
      const open = descriptorsOf(server.pid);
      let lowest = 0;
      while (open.has(lowest)) lowest++;
      allow(server.pid, lowest);
      return () => allow(server.pid, 256);
    }

    it('tries again to replace a worker that died, until it can', async () => {
      await using server = spawnMondo('serve', 'epoll', '-p', '0');
      const address = await listeningAt(server);
      const allowMore = await exhaust(server);
      process.kill(descendantsOf(server.pid)[0]!, 'SIGKILL');
      await server.printed(/Cannot start a worker: .*EMFILE.*\(ulimit -n\).*; trying again/);
      allowMore();
      await expectAnswer(address);
      server.child.kill('SIGTERM');
      const { code, stdout, stderr } = await server.ended();
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
      expect(stdout.match(/trying again/g)!.length).toBeLessThan(4);
    });

    it('cannot restart, and its workers serve on', async () => {
      await using server = spawnMondo('serve', 'epoll', '-p', '0');
      const address = await listeningAt(server);
      const allowMore = await exhaust(server);
      server.child.kill('SIGHUP');
      await server.printed(/Cannot restart, the old workers serve on: .*EMFILE.*\(ulimit -n\)/);
      await expectAnswer(address);
      allowMore();
      server.child.kill('SIGHUP');
      await server.printed(/Restarted: /);
      await expectAnswer(address);
      server.child.kill('SIGTERM');
      expect(await server.ended()).toMatchObject({ code: 0 });
    });
  },
);

it('a server for whose workers there are not enough descriptors is not started', async () => {
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
