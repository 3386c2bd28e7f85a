/** `mondo serve --proxy-protocol`, as users run it. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { descendantsOf, mondo, runMondo, spawnMondo } from '../support/processes.ts';
import { ProxyConnection } from '../support/proxy-client.ts';
import { lineOf } from '../support/proxy-headers.ts';
import { listeningAt } from '../support/serve-command.ts';
import { mostWarnings, until } from '../support/until.ts';

const announced = join(import.meta.dirname, '../support/services/announced.ts');

describe('options of a balancer', () => {
  it.concurrent.each<[string, string[], RegExp]>([
    [
      'the protocol without trusted balancers',
      ['--proxy-protocol'],
      /Cannot use --proxy-protocol alone: .*--trusted 10\.0\.0\.0\/24/,
    ],
    ['trusted balancers without the protocol', ['--trusted', '10.0.0.0/8'], /--trusted alone/],
    [
      'a network with bits behind its mask',
      ['--proxy-protocol', '--trusted', '10.0.0.1/8'],
      /"10\.0\.0\.1\/8": .*10\.0\.0\.0\/8/,
    ],
    ['an empty list', ['--proxy-protocol', '--trusted', ''], /without an entry/],
    ['an empty entry', ['--proxy-protocol', '--trusted', '10.0.0.0/8,'], /without an entry/],
    [
      'a time for headers without the protocol',
      ['--limit', 'proxy-header=5s'],
      /Cannot limit the time of proxy headers: .*--proxy-protocol/,
    ],
  ])('%s: exit 2, and one line', async (_, words, message) => {
    const { code, stdout, stderr } = await runMondo('serve', 'epoll', '-p', '0', ...words);
    expect(stderr).toMatch(message);
    expect(stderr.trimEnd().split('\n')).toHaveLength(1);
    expect([code, stdout]).toEqual([2, '']);
  });

  it('a unix socket whose peers are not trusted: exit 2', async () => {
    const words = [
      'serve',
      'epoll',
      'unix:/tmp/none',
      '--proxy-protocol',
      '--trusted',
      '10.0.0.0/8',
    ];
    const { code, stderr } = await runMondo(...words);
    expect(stderr).toMatch(/add unix to the trusted proxies/);
    expect(code).toBe(2);
  });
});

const trusting = ['--proxy-protocol', '--trusted', '127.0.0.1,::1'];

it('the log names the client, and the balancer that has announced it', async () => {
  await using server = spawnMondo('serve', 'epoll', '-p', '0', ...trusting);
  const { port } = await listeningAt(server);
  const connection = await ProxyConnection.open(port);
  await connection.send(lineOf({ address: '203.0.113.7', port: 4711 }), 'Simple is better than?');
  await connection.receives('Complex.');
  await server.printed(new RegExp(`from 203\\.0\\.113\\.7:4711 through ${connection.peer}\n`));
  await connection.leave();
  await server.printed(/Client 203\.0\.113\.7:4711 closed normally/);
});

it('a storm of connections without a header is one line, and one more each 5 s', async () => {
  await using server = spawnMondo('serve', 'epoll', '-p', '0', ...trusting);
  const { port } = await listeningAt(server);
  const since = performance.now();
  for (let i = 0; i < 200; i++) {
    const socket = connect(port, '127.0.0.1').on('error', () => {});
    socket.write(i % 2 === 0 ? 'Simple is better than?' : 'PROXY nothing\r\n');
    await until('the end', () => socket.closed);
  }
  server.child.kill('SIGTERM');
  const { stdout } = await server.ended();
  const lines = stdout.split('\n').filter((line) => line.includes('PROXY header'));
  expect(lines.length).toBeGreaterThanOrEqual(2);
  // The stop sums up what is left.
  expect(lines.length).toBeLessThanOrEqual(mostWarnings(since) + 1);
  expect(lines[0]).toMatch(/Refused 127\.0\.0\.1:\d+: it began without a PROXY header/);
  const more = lines.slice(1).map((line) => Number(/and (\d+) more/.exec(line)![1]));
  expect(more.reduce((sum, one) => sum + one, 0)).toBe(199);
});

describe('under a real super-server, with the connection as standard input', () => {
  /** Starts the command for one connection, and returns what it sends to its client. */
  async function served(trusted: string, header: Uint8Array, ...words: string[]): Promise<string> {
    const server = createServer({ pauseOnConnect: true }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const connection = ProxyConnection.open((server.address() as { port: number }).port);
    const [socket] = (await once(server, 'connection')) as [Socket];
    const args = [mondo, 'serve', 'inetd', '--service', announced, ...words];
    const options = [...args, '--proxy-protocol', '--trusted', trusted];
    const child = spawn(process.execPath, options, { stdio: [socket, socket, 'inherit'] });
    socket.destroy();
    server.close();
    const { socket: client } = await connection;
    client.end(Buffer.concat([header, Buffer.from('?')]));
    await once(child, 'exit');
    await (await connection).ended();
    return (await connection).received;
  }

  const header = lineOf({ address: '203.0.113.7', port: 4711 });

  it.concurrent.each<[string, string, string[], RegExp]>([
    ['sees the announced client', '127.0.0.1', [], /"address":"203\.0\.113\.7","port":4711/],
    ['reads nothing of a source that is not trusted', '10.0.0.0/8', [], /^$/],
    ['denies announced clients', '127.0.0.1', ['--limit', 'deny=203.0.113.0/24'], /^$/],
  ])('%s', async (_, trusted, words, expected) => {
    expect(await served(trusted, header, ...words)).toMatch(expected);
  });
});

it('a worker that is killed gives back what its announced clients held', async () => {
  const limits = ['--limit', 'connections-per-address=1', '--when-full', 'reset'];
  await using server = spawnMondo('serve', 'epoll', '-p', '0', ...trusting, ...limits);
  const { port } = await listeningAt(server);
  const come = async () => {
    const connection = await ProxyConnection.open(port);
    await connection.send(lineOf({ address: '203.0.113.7', port: 1 }), 'Simple is better than?');
    await until(
      'an answer or the end',
      () => connection.received !== '' || connection.socket.closed,
    );
    return connection.received !== '';
  };
  expect(await come()).toBe(true);
  expect(await come()).toBe(false);
  for (const worker of descendantsOf(server.pid)) process.kill(worker, 'SIGKILL');
  await until('the address to have room', come);
});
