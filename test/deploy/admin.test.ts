/** The admin listener, the agent check, and the lame duck before a stop. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';

import { mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, describe, expect, it } from 'vitest';
import { openAdmin } from '../../src/host/admin/http.ts';
import { type ServeError, serve } from '../../src/index.ts';
import { agentSays, ask as askAdmin, portOf } from '../support/admin.ts';
import { ask, NetClient } from '../support/clients.ts';
import { mondo, Process, runMondo, spawnMondo, untilAnotherSignal } from '../support/processes.ts';
import { isRefused, listeningAt } from '../support/serve-command.ts';
import echo from '../support/services/echo.ts';
import { Serving } from '../support/serving.ts';
import { FOREVER, staysPending, until } from '../support/until.ts';

const folder = mkdtempSync(join(tmpdir(), 'mondo-admin-'));
afterAll(() => rmSync(folder, { recursive: true }));

const module = new URL('../support/services/echo.ts', import.meta.url);

/** An admin listener without a server. */
async function alone(patience?: number, anywhere = false) {
  const subject = { state: 'starting', view: undefined } as const;
  const metrics = { contentType: 'text/plain', write: async () => 'x 1\n' };
  const opened = await openAdmin('0', anywhere, subject, metrics, patience);
  return { ...opened, [Symbol.asyncDispose]: opened.close };
}

/** Sends the bytes, and resolves with all that comes until the end. */
function send(where: string, bytes: string): Promise<string> {
  const socket = connect(portOf(where), '127.0.0.1').setEncoding('latin1');
  socket.on('error', () => {}).write(bytes);
  return text(socket).catch(() => '');
}

describe('the admin listener', () => {
  it('takes GET and HEAD only', async () => {
    await using admin = await alone();
    for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS']) {
      const { status, headers } = await askAdmin(admin.where, '/metrics', { method });
      expect([status, headers.allow, headers.connection]).toEqual([405, 'GET, HEAD', 'close']);
    }
    const head = await askAdmin(admin.where, '/metrics', { method: 'HEAD' });
    expect([head.status, head.body, head.headers['content-length']]).toEqual([200, '', '4']);
    expect((await askAdmin(admin.where, '/metrics?name=x')).body).toBe('x 1\n');
    expect((await askAdmin(admin.where, '/etc/passwd')).status).toBe(404);
    expect(await send(admin.where, 'CONNECT x:1 HTTP/1.1\r\nHost: localhost\r\n\r\n')).toBe('');
  });

  it('shows nothing to a web page whose name points to this machine', async () => {
    await using admin = await alone();
    const statusFor = async (where: string, host: string) =>
      (await askAdmin(where, '/metrics', { headers: { host } })).status;
    const { port } = new URL(`http://${admin.where}`);
    for (const host of ['127.0.0.1', `127.0.0.1:${port}`, `[::1]:${port}`, 'localhost']) {
      expect([host, await statusFor(admin.where, host)]).toEqual([host, 200]);
    }
    for (const host of ['page.example', `page.example:${port}`, 'localhost.page.example']) {
      expect([host, await statusFor(admin.where, host)]).toEqual([host, 421]);
    }
    await using open = await alone(undefined, true);
    expect(await statusFor(open.where, 'mondo-0.mondo')).toBe(200);
  });

  it('answers a long request with 431, and what is not HTTP with 400', async () => {
    await using admin = await alone();
    const long = { 'x-long': 'x'.repeat(5000) };
    expect((await askAdmin(admin.where, '/livez', { headers: long })).status).toBe(431);
    expect(await send(admin.where, 'Simple is better than?\r\n\r\n')).toMatch(/^HTTP\/1.1 400 /);
  });

  it('reads no body: the connection ends with the answer', async () => {
    await using admin = await alone();
    const body = 'GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n';
    const first = `GET /livez HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${body.length}\r\n\r\n`;
    const answer = await send(admin.where, first + body);
    expect(answer.match(/HTTP\/1.1 200/g)).toHaveLength(1);
    expect(answer).toMatch(/^Connection: close/im);
  });

  it.each([
    ['silent', ''],
    ['slow', 'GET /livez HTTP/1.1\r\nHost:'],
    ['keeping its connection', 'GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n'],
  ])('closes a client that is %s', async (_, bytes) => {
    await using admin = await alone(100);
    // It resolves: the listener has closed the connection.
    expect(await send(admin.where, bytes)).toMatch(bytes.endsWith('\r\n\r\n') ? /200/ : /^$|408/);
  });

  it('has at most 32 connections at the same time', async () => {
    await using admin = await alone();
    const open = await Promise.all(
      Array.from({ length: 32 }, async () => {
        const socket = connect(portOf(admin.where), '127.0.0.1');
        await until('a connection', () => socket.readyState === 'open');
        return socket;
      }),
    );
    expect(await send(admin.where, 'GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n')).toBe('');
    open[0]!.destroy();
    await until('room for one', async () =>
      (await send(admin.where, 'GET /livez HTTP/1.0\r\n\r\n')).startsWith('HTTP/1.1 200'),
    );
    for (const socket of open) socket.destroy();
  });

  it('shows the state and the workers as JSON', async () => {
    const admin = `unix:${join(folder, 'admin.sock')}`;
    const serving = await Serving.start({ architecture: 'threaded', admin });
    expect(serving.server.admin).toBe(admin);
    expect(serving.events[1]).toMatchObject({ type: 'opened', what: 'admin', address: admin });
    const { headers, body } = await askAdmin(admin, '/status');
    expect(headers['content-type']).toBe('application/json');
    expect(JSON.parse(body)).toMatchObject({
      ...{ state: 'ready', architecture: 'threaded', address: serving.server.where },
      ...{ generation: 1, serving: 1, stuck: 0, exits: { left: 0 } },
      workers: serving.server.workers().map(({ tid, pid }) => ({ tid, pid })),
    });
    await serving.stop();
    // Its socket file is gone, too.
    await expect(askAdmin(admin, '/livez')).rejects.toThrow('ENOENT');
  });

  it('replaces a stale socket file', async () => {
    const path = join(folder, 'stale.sock');
    await using server = spawnMondo(
      'serve',
      'epoll',
      '127.0.0.1',
      '-p',
      '0',
      '--admin',
      `unix:${path}`,
    );
    await listeningAt(server);
    server.child.kill('SIGKILL');
    await server.ended();
    const serving = await Serving.start({ architecture: 'epoll', admin: `unix:${path}` });
    expect((await askAdmin(`unix:${path}`, '/readyz')).status).toBe(200);
    await serving.stop();
  });

  it('is ready although the server is full, and says in a header that it is', async () => {
    const serving = await Serving.start({
      ...{ architecture: 'epoll', admin: '0', limits: { connections: 1 } },
    });
    const full = async () => {
      const { status, headers } = await askAdmin(serving.server.admin!, '/readyz');
      return [status, headers['mondo-full']];
    };
    expect(await full()).toEqual([200, 'no']);
    const client = await NetClient.connect(serving.address);
    // The worker reports a client, and counts it a moment later.
    await until('the server to be full', async () => (await full())[1] === 'yes');
    expect(await full()).toEqual([200, 'yes']);
    await client.close();
    await serving.stop();
  });
});

/** Serves with the options, and prints what this has loaded. */
const LOADS = `
import { createRequire } from 'node:module';
const [, index, options] = process.argv;
const { serve } = await import(index);
const server = await serve(JSON.parse(options));
const packages = Object.keys(createRequire(index).cache).filter((file) => file.includes('/prom-client/'));
const own = process.moduleLoadList.filter((name) => name === 'NativeModule _http_server');
console.log(JSON.stringify({ http: own.length > 0, metrics: packages.length > 0 }));
await server.close();
`;

it.each([
  [{}, false],
  [{ agentCheck: '0', lameDuck: 1 }, false],
  [{ admin: '0' }, true],
])('a server with %o loads HTTP and prom-client: %s', async (options, isLoaded) => {
  const index = join(process.env.MONDO_TEST_BUILT!, 'dist', 'bundled', 'index.js');
  const words = JSON.stringify({ architecture: 'epoll', port: 0, ...options });
  await using server = new Process(process.execPath, [
    ...['--input-type=module', '-e', LOADS, index, words],
  ]);
  const { stdout } = await server.ended();
  expect(JSON.parse(stdout)).toEqual({ http: isLoaded, metrics: isLoaded });
});

describe('an address', () => {
  const failure = async (options: object): Promise<ServeError> =>
    serve({ architecture: 'epoll', port: 0, ...options }).then(
      () => expect.fail('it serves'),
      (error: ServeError) => error,
    );

  it('that other machines could reach is refused, unless the user wants it', async () => {
    const refused = await failure({ admin: '0.0.0.0:0' });
    expect([refused.kind, refused.message]).toEqual([
      'usage',
      'Cannot use "0.0.0.0:0" for --admin: other machines could reach it; give an address of this machine only, or add --admin-anywhere',
    ]);
    expect((await failure({ admin: '9106x' })).kind).toBe('usage');
    const serving = await Serving.start({
      ...{ architecture: 'epoll', admin: '0.0.0.0:0', adminAnywhere: true },
    });
    expect((await askAdmin(serving.server.admin!, '/readyz')).status).toBe(200);
    await serving.stop();
  });

  it.each([
    'admin',
    'agentCheck',
  ])('in use is one line for %s, and no worker starts', async (name) => {
    const other = createServer().listen(0, '127.0.0.1');
    await until('it to listen', () => other.listening);
    const { port } = other.address() as { port: number };
    const option = name === 'admin' ? '--admin' : '--agent-check';
    const { kind, message } = await failure({ [name]: String(port) });
    expect([kind, message]).toEqual([
      'failed',
      `Cannot listen at 127.0.0.1:${port}: port ${port} is in use; stop what listens there, or choose another with ${option} (0: any free one)`,
    ]);
    other.close();
  });

  it('of a service that cannot start is free again', async () => {
    const admin = `unix:${join(folder, 'failed.sock')}`;
    expect((await failure({ admin, service: './no-such-service.ts' })).kind).toBeDefined();
    await expect(askAdmin(admin, '/livez')).rejects.toThrow('ENOENT');
  });

  it('is refused by the command with exit code 2, and with 1 if it is in use', async () => {
    const refused = await runMondo(
      'serve',
      'epoll',
      '127.0.0.1',
      '-p',
      '0',
      '--admin',
      '0.0.0.0:0',
    );
    expect([refused.code, refused.stderr.split('\n').length]).toEqual([2, 2]);
    const other = createServer().listen(0, '127.0.0.1');
    await until('it to listen', () => other.listening);
    const { port } = other.address() as { port: number };
    const words = ['serve', 'epoll', '127.0.0.1', '-p', '0', '--admin', String(port)];
    const failed = await runMondo(...words);
    expect([failed.code, failed.stderr.split('\n').length]).toEqual([1, 2]);
    other.close();
  });
});

it('a process that inetd starts has no supervisor, and refuses the options', async () => {
  const server = createServer({ pauseOnConnect: true }).listen(0, '127.0.0.1');
  await until('it to listen', () => server.listening);
  const { port } = server.address() as { port: number };
  const client = connect(port, '127.0.0.1').on('error', () => {});
  const [socket] = (await once(server, 'connection')) as [Socket];
  const words = [mondo, 'serve', 'inetd', '--lame-duck', '5s'];
  const child = spawn(process.execPath, words, { stdio: [socket, 'ignore', 'pipe'] });
  const [message, [code]] = await Promise.all([text(child.stderr!), once(child, 'close')]);
  expect([code, message]).toEqual([2, expect.stringContaining('it has no supervisor')]);
  client.destroy();
  socket.destroy();
  server.close();
});

describe.each([
  ['a supervisor', module],
  ['a server in this process', echo],
])('the lame duck of %s', (_, service) => {
  const options = { architecture: 'callback', service, admin: '0', agentCheck: '0' } as const;

  it('is not ready, still accepts, and ends with a second call', async () => {
    const serving = await Serving.start({ ...options, lameDuck: FOREVER });
    const { server } = serving;
    const outside = async () => [
      server.state,
      (await askAdmin(server.admin!, '/readyz')).body,
      await agentSays(server.agentCheck!),
    ];
    expect(await outside()).toEqual(['ready', 'ready\n', 'ready up\n']);
    const stopped = server.close();
    expect(await outside()).toEqual(['lame', 'lame\n', 'drain\n']);
    expect((await askAdmin(server.admin!, '/livez')).status).toBe(200);
    const late = await NetClient.connect(serving.address);
    expect(await ask(late, 'late?', 6)).toBe('late?!');
    expect(await staysPending(stopped)).toBe(true);
    await server.close();
    await stopped;
    expect(server.state).toBe('stopped');
    expect(await late.rest()).toBe('');
    await late.close();
    const types = serving.events.map(({ type }) => type);
    expect(types.filter((type) => type === 'lame' || type === 'stopped')).toEqual([
      'lame',
      'stopped',
    ]);
    await serving.expectNothingLeft();
  });

  it('ends by itself, before the drain', async () => {
    const serving = await Serving.start({ ...options, lameDuck: 50 });
    const client = await NetClient.connect(serving.address);
    await serving.expectAccepted(client.peer);
    await serving.close();
    expect(serving.accountOf(client.peer)).toEqual(['accepted', 'cut']);
    await client.close();
    await serving.expectNothingLeft();
  });

  it('does not come before a stop with a deadline', async () => {
    const serving = await Serving.start({ ...options, lameDuck: FOREVER });
    await serving.server.close({ deadline: 0 });
    expect(serving.events.map(({ type }) => type)).not.toContain('lame');
    await serving.expectNothingLeft();
  });

  it('can be cut short by a stop at once', async () => {
    const serving = await Serving.start({ ...options, lameDuck: FOREVER });
    const client = await NetClient.connect(serving.address);
    await serving.expectAccepted(client.peer);
    const stopped = serving.server.close();
    await serving.server.close({ deadline: 0 });
    await stopped;
    await client.close();
    await serving.expectNothingLeft();
  });
});

it('the command is lame at the first signal, drains at the second, and ends at the third', async () => {
  await using server = spawnMondo(
    ...[
      'serve',
      'epoll',
      '127.0.0.1',
      '-p',
      '0',
      '--think',
      String(FOREVER),
      '--think-how',
      'defer',
    ],
    ...['--admin', '0', '--agent-check', '0', '--lame-duck', '60m'],
  );
  const address = await listeningAt(server);
  const [, admin] = await server.printed(/Admin listener at (\S+)/);
  const [, agent] = await server.printed(/Agent check at (\S+)/);
  server.child.kill('SIGTERM');
  await server.printed(/Stopping in 3600000 ms: not ready any more/);
  expect(await agentSays(agent!)).toBe('drain\n');
  const client = await NetClient.connect(address);
  await client.send('Simple is better than?');
  await server.printed(/Accepted connection/);
  await untilAnotherSignal();
  server.child.kill('SIGTERM');
  await until('no more clients to be accepted', () => isRefused(address.port));
  expect((await askAdmin(admin!, '/readyz')).body).toBe('draining\n');
  expect(server.isRunning).toBe(true);
  await untilAnotherSignal();
  server.child.kill('SIGTERM');
  expect((await server.ended()).code).toBe(0);
  await client.close();
});
