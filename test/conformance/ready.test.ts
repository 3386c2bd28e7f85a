/** Ready means ready: no client can connect before every worker has loaded its service. */
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { serve } from '../../src/index.ts';
import type { SocketAddress } from '../../src/os/address.ts';
import { ask, NetClient } from '../support/clients.ts';
import { countIn } from '../support/kernel.ts';
import { Loading } from '../support/loading.ts';
import { hosted, Serving, type Variant } from '../support/serving.ts';
import { staysPending, until } from '../support/until.ts';

const folder = mkdtempSync(join(tmpdir(), 'mondo-ready-'));
afterAll(() => rmSync(folder, { recursive: true }));

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, 'close');
  return port;
}

const at = (port: number): SocketAddress => ({ family: 'IPv4', host: '127.0.0.1', port });

/** Result of one attempt: `connected`, or the code of the error. */
async function attempt(address: SocketAddress): Promise<string> {
  const socket = connect(address.family === 'unix' ? address : { ...address, family: 4 });
  try {
    await once(socket, 'connect');
    return 'connected';
  } catch (error) {
    return (error as NodeJS.ErrnoException).code!;
  } finally {
    socket.destroy();
  }
}

/** Resolves when an attempt is not refused, and rejects when `signal` ends the attempts. */
async function admitted(address: SocketAddress, signal: AbortSignal): Promise<void> {
  while ((await attempt(address)) === 'ECONNREFUSED') signal.throwIfAborted();
}

/**
 * Numbers of threads and processes that load the service at the same time. A pool starts when its acceptor has
 * loaded the service.
 */
function loadersOf({ options, traits }: Variant): readonly number[] {
  const threads = options.threads ?? traits.threads.default;
  const processes = options.processes ?? traits.processes.default;
  if (traits.arrangement !== 'crew') return [threads * processes];
  return traits.pool === true ? [1, threads] : [1];
}

/** Those that are left out start in the order of `epoll` or of `callback`. */
const starting = hosted.filter(
  ({ traits: { name } }) => !['generator', 'asyncore', 'coroutine'].includes(name),
);

describe('before every worker has loaded the service', () => {
  it.concurrent.each(starting)('$title refuses clients', async (variant) => {
    const { options } = variant;
    await using loading = await Loading.start();
    const port = await freePort();
    const starting = serve({ ...options, port, service: loading.service });
    const failure = expect(starting).rejects.toThrow('It cannot be loaded.');
    for (const count of loadersOf(variant)) {
      if (loading.waiting === 1) await loading.order('load');
      await loading.reaches(count);
      expect(await attempt(at(port))).toBe('ECONNREFUSED');
    }
    while (loading.waiting > 1) await loading.order('load');
    // The others are ready, and wait for the last one.
    const end = new AbortController();
    expect(await staysPending(admitted(at(port), end.signal), 50)).toBe(true);
    end.abort();
    await loading.order('fail');
    await failure;
    expect(await attempt(at(port))).toBe('ECONNREFUSED');
  });

  it.concurrent.each([
    'epoll',
    'callback',
  ])('%s refuses clients at a unix path', async (architecture) => {
    await using loading = await Loading.start();
    const address = { family: 'unix', path: join(folder, architecture) } as const;
    const options = { architecture, host: `unix:${address.path}`, service: loading.service };
    const starting = Serving.start(options);
    await loading.reaches(1);
    expect(await attempt(address)).toBe('ECONNREFUSED');
    // A second server must not take the file of one that starts for a stale one.
    await expect(serve(options)).rejects.toThrow('a server is listening there');
    expect(loading.waiting).toBe(1);
    await loading.order('load');
    const serving = await starting;
    const client = await NetClient.connect(address);
    expect(await ask(client, 'Ready?', 7)).toBe('Loaded.');
    await client.close();
    await serving.close();
  });
});

it.each([
  {},
  { reuseport: true },
])('a port in use is reported before anything loads the service, %j', async (options) => {
  await using loading = await Loading.start();
  const holder = createServer().listen(0, '127.0.0.1');
  await once(holder, 'listening');
  const { port } = holder.address() as { port: number };
  const whole = { ...options, architecture: 'epoll', port, service: loading.service };
  await expect(serve(whole)).rejects.toThrow(`port ${port} is in use`);
  expect(loading.waiting).toBe(0);
  holder.close();
  // The same for a server that has the port and does not listen yet.
  const first = serve(whole);
  await loading.reaches(1);
  await expect(serve(whole)).rejects.toThrow(`port ${port} is in use`);
  expect(loading.waiting).toBe(1);
  await loading.order('load');
  await (await first).close();
});

it('a worker that is killed when it is ready, and another is not, must be ready again', async () => {
  await using loading = await Loading.start();
  const port = await freePort();
  const options = { architecture: 'epoll', processes: 2, port, service: loading.service };
  const starting = Serving.start(options);
  const waitToListen = (pids: readonly number[]) =>
    until('them to wait until the server listens', () => countIn('poll', pids) === pids.length);
  await loading.reaches(2);
  const pid = await loading.order('load');
  await waitToListen([pid]);
  process.kill(pid, 'SIGKILL');
  await loading.reaches(2);
  await waitToListen([await loading.order('load')]);
  expect(await attempt(at(port))).toBe('ECONNREFUSED');
  await loading.order('load');
  const serving = await starting;
  const types = serving.events.map(({ type }) => type).filter((type) => type !== 'warning');
  expect(types).toEqual(['listening', 'died']);
  expect(serving.server.pids).toHaveLength(2);
  await serving.close();
});

it('the old workers serve on while the new ones of a restart load the service', async () => {
  await using loading = await Loading.start();
  const starting = Serving.start({ architecture: 'epoll', processes: 2, service: loading.service });
  await loading.reaches(2);
  for (let i = 0; i < 2; i++) await loading.order('load');
  const serving = await starting;
  const restarting = serving.server.restart();
  const failure = expect(restarting).rejects.toThrow('It cannot be loaded.');
  await loading.reaches(2);
  const client = await NetClient.connect(serving.address);
  expect(await ask(client, 'Still there?', 7)).toBe('Loaded.');
  await loading.order('load');
  await loading.order('fail');
  await failure;
  expect(await ask(client, 'And now?', 7)).toBe('Loaded.');
  await client.close();
  await serving.close();
});
