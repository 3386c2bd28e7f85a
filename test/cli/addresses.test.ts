/** Addresses of every form mean the same to a server, a client and a load. */

import { chmodSync, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it, test } from 'vitest';
import { serve } from '../../src/host/serve.ts';
import { connect } from '../../src/instruments/client/client.ts';
import { firstThatAnswers } from '../../src/instruments/load/target-address.ts';
import { dial } from '../../src/os/dialing.ts';
import { close, openListener } from '../../src/os/socket.ts';
import { mondo, Process, runMondo, spawnMondo } from '../support/processes.ts';

const folder = mkdtempSync(join(tmpdir(), 'mondo-addresses-'));
afterAll(() => rmSync(folder, { recursive: true }));

const service = { delimiter: '?', answer: () => 'Yes.' };

function staleFile(name: string): string {
  const path = join(folder, name);
  close(openListener({ family: 'unix', path }, { backlog: 1 }));
  return path;
}

async function isAnswered(host: string, port: number): Promise<void> {
  await using client = await connect(host, port);
  expect(await client.ask('Is it?')).toBe('Yes.');
}

describe('a server in this process', () => {
  test.each([
    '[127.0.0.1]',
    '[::1]',
    '',
  ])('listens at %j as one with workers does', async (host) => {
    const server = await serve({ architecture: 'callback', host, port: 0, service });
    await isAnswered(host === '' ? '127.0.0.1' : host, server.port);
    await server.close();
  });

  test('replaces a stale socket file, and removes its own', async () => {
    const path = staleFile('in-process');
    const server = await serve({ architecture: 'callback', host: `unix:${path}`, service });
    expect(server.where).toBe(`unix:${path}`);
    await isAnswered(`unix:${path}`, 0);
    await server.close();
    expect(existsSync(path)).toBe(false);
  });

  test('names the address and the way out where it cannot listen', async () => {
    const first = await serve({ architecture: 'callback', port: 0, service });
    await expect(serve({ architecture: 'callback', port: first.port, service })).rejects.toThrow(
      `Cannot listen at 127.0.0.1:${first.port}: port ${first.port} is in use; stop`,
    );
    await first.close();
  });
});

test('of several starts at the same moment over a stale file, one serves and the others report it', async () => {
  const where = `unix:${staleFile('race')}`;
  await using first = spawnMondo('serve', 'single', where);
  await using second = spawnMondo('serve', 'single', where);
  const [loser, winner] = await Promise.race([
    first.ended().then(() => [first, second] as const),
    second.ended().then(() => [second, first] as const),
  ]);
  expect(await loser.ended()).toMatchObject({
    code: 1,
    stderr: `mondo: Cannot listen at ${where}: a server is listening there; stop it or choose another path\n`,
  });
  await winner.printed(/Listening at unix:/);
  winner.child.kill('SIGTERM');
  expect((await winner.ended()).code).toBe(0);
});

test('a server that shares its port is not joined by another one', async () => {
  await using first = spawnMondo('serve', 'epoll', '-p', '0', '--reuseport');
  const [, port] = await first.printed(/Listening at 127\.0\.0\.1:(\d+)/);
  const { code, stderr } = await runMondo('serve', 'epoll', '-p', port!, '--reuseport');
  expect(code).toBe(1);
  expect(stderr).toContain(`port ${port} is in use`);
});

it.each([
  ['serve', 'single'],
  ['serve', 'callback'],
  ['client'],
  ['load'],
])('refuses the empty and the abstract unix address in one line: %s %s', async (...words) => {
  for (const where of ['unix:', 'unix:@name', 'fe80::1']) {
    const { code, stderr } = await runMondo(...words, where);
    expect(code).toBe(2);
    expect(stderr).toMatch(new RegExp(`^mondo: Cannot use "${where}" as an address: .*\\n$`));
  }
});

test('a client reports that the queue is full', async () => {
  const path = join(folder, 'full');
  const listener = openListener({ family: 'unix', path }, { backlog: 0 });
  const waiting = dial({ family: 'unix', path });
  await expect(connect(`unix:${path}`)).rejects.toThrow('the queue of the server is full');
  close(waiting);
  close(listener);
});

describe('the target of a load', () => {
  test('is the first of several addresses at which a server listens, or the first of all', async () => {
    const server = await serve({ architecture: 'callback', host: '::1', port: 0, service });
    const { port } = server;
    const both = [
      { family: 'IPv4', host: '127.0.0.1', port },
      { family: 'IPv6', host: '::1', port },
    ] as const;
    expect(await firstThatAnswers(both)).toBe(both[1]);
    await server.close();
    expect(await firstThatAnswers(both)).toBe(both[0]);
  });

  test('is refused in one line without the right to write to the socket file', async (context) => {
    if (process.geteuid!() !== 0) context.skip('needs a second user: run as root');
    const path = join(folder, 'private');
    const listener = openListener({ family: 'unix', path }, { backlog: 1 });
    chmodSync(path, 0o600);
    chmodSync(folder, 0o755);
    await using load = new Process('setpriv', [
      ...['--reuid=65534', '--regid=65534', '--clear-groups'],
      ...[process.execPath, mondo, 'load', `unix:${path}`, '--duration', '100ms'],
    ]);
    const { code, stderr } = await load.ended();
    close(listener);
    expect(code).toBe(1);
    expect(stderr).toBe(
      `mondo: Cannot connect to "unix:${path}": permission denied; ask for the right to write to the socket file\n`,
    );
  });
});
