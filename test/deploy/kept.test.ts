/** Servers on a listener that another process keeps: a stop and a start lose no client. */
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { describe, expect, it, vi } from 'vitest';
import { libc } from '../../src/os/libc.ts';
import { close, localAddress, openListener } from '../../src/os/socket.ts';
import { spawnManaged } from '../support/activated.ts';
import { descendantsOf } from '../support/kernel.ts';
import { NotifyRecorder } from '../support/notify-recorder.ts';
import { isAlive, type Process } from '../support/processes.ts';
import { flagsOf, isRefused } from '../support/serve-command.ts';
import { variants } from '../support/serving.ts';
import { staysPending, until, untilSo } from '../support/until.ts';

vi.setConfig({ maxConcurrency: 4 });

const QUESTION = 'Beautiful is better than?';
const ANSWER = 'Ugly.';

/** Clients that each ask one question, one client after the other in each of `size` rows. */
function visitors(port: number, size: number) {
  const faults: string[] = [];
  let served = 0;
  let isOver = false;
  const visit = () =>
    new Promise<void>((resolve) => {
      let received = '';
      const socket = connect(port, '127.0.0.1').setEncoding('latin1');
      socket.on('data', (text: string) => {
        received += text;
        if (received.length >= ANSWER.length) socket.destroy();
      });
      socket.on('error', (error) => faults.push(error.message));
      socket.on('close', () => {
        if (received === ANSWER) served++;
        else faults.push(`closed after "${received}"`);
        resolve();
      });
      socket.write(QUESTION);
    });
  const row = async () => {
    while (!isOver) await visit();
  };
  const all = Array.from({ length: size }, row);
  return {
    faults,
    get served() {
      return served;
    },
    async stop() {
      isOver = true;
      await Promise.all(all);
    },
  };
}

const IPPROTO_TCP = 6;
const TCP_DEFER_ACCEPT = 9;

function kept(): number {
  const loopback = { family: 'IPv4', host: '127.0.0.1', port: 0 } as const;
  return openListener(loopback, { backlog: 512 });
}

/**
 * A listener whose clients can be accepted only once their question is here. So a busy machine cannot delay a question
 * until the time of its client is over.
 */
function keptUntilAsked(): number {
  const listener = kept();
  const seconds = Uint8Array.from([60, 0, 0, 0]);
  libc.setsockopt(listener, IPPROTO_TCP, TCP_DEFER_ACCEPT, seconds, seconds.length);
  return listener;
}

function portOf(listener: number): number {
  const address = localAddress(listener);
  return address.family === 'unix' ? 0 : address.port;
}

const start = async (listener: number, ...args: string[]): Promise<Process> => {
  const server = spawnManaged([listener], ['serve', ...args]);
  await server.printed(/Listening at 127\.0\.0\.1/);
  return server;
};

async function stop(server: Process): Promise<void> {
  const processes = [server.pid, ...descendantsOf(server.pid)];
  server.child.kill('SIGTERM');
  const { code, stderr, stdout } = await server.ended();
  expect({ code, stderr, cut: / cut (\d+)/.exec(stdout)?.[1] }).toEqual({
    ...{ code: 0, stderr: '', cut: '0' },
  });
  expect(processes.filter(isAlive)).toEqual([]);
}

/** Stops a server under load and starts another one on its listener. @returns the faults of its clients */
async function stopAndStart(listener: number, args: readonly string[]): Promise<string[]> {
  const clients = visitors(portOf(listener), 4);
  const more = async () => {
    const { served } = clients;
    await until('clients to be served', () => clients.served > served + 20);
  };
  await using first = await start(listener, ...args);
  await more();
  await stop(first);
  // No server is there, and the kernel still connects clients.
  expect(await isRefused(portOf(listener))).toBe(false);
  await using second = await start(listener, ...args);
  await more();
  await clients.stop();
  await stop(second);
  return clients.faults;
}

/** With several listeners, another process must keep each of them. */
const shared = variants.filter(({ options }) => options.reuseport !== true);

describe.concurrent('a stop and a start on a listener that another process keeps', () => {
  it.each(shared)('lose no client of $title', { timeout: 0 }, async ({ options }) => {
    const listener = keptUntilAsked();
    expect(await stopAndStart(listener, flagsOf(options))).toEqual([]);
    close(listener);
  });
});

describe('a stop on a listener that another process keeps', () => {
  /** The answer to a question that comes 100 ms after the stop has begun. */
  async function answerAfterStop(name: string, listener: number): Promise<string> {
    using manager = new NotifyRecorder();
    const more = { NOTIFY_SOCKET: manager.name };
    await using server = spawnManaged([listener], ['serve', name], more);
    await server.printed(/Listening/);
    const client = connect(portOf(listener), '127.0.0.1').setEncoding('latin1');
    let received = '';
    client.on('data', (text: string) => (received += text));
    const closed = once(client, 'close');
    await server.printed(/Accepted connection/);
    server.child.kill('SIGTERM');
    await manager.has('STOPPING');
    if (await staysPending(closed, 100)) client.write(QUESTION);
    await closed;
    expect((await server.ended()).code).toBe(0);
    return received;
  }

  it.each([
    'single',
    'epoll',
    'uring',
    'callback',
  ])('waits for the first question of a client that %s has just accepted', async (name) => {
    const listener = kept();
    // A busy machine may delay the question for more than 250 ms.
    const isAnswered = (answer: string) => answer === ANSWER;
    expect(await untilSo(() => answerAfterStop(name, listener), isAnswered)).toBe(ANSWER);
    close(listener);
  });
});

describe('the mode of a kept listener', () => {
  const O_NONBLOCK = 0o4000;
  const isNonblocking = (fd: number) => {
    const [, flags = ''] = /^flags:\s+(\d+)/m.exec(
      readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8'),
    )!;
    return (Number.parseInt(flags, 8) & O_NONBLOCK) !== 0;
  };

  it('is what each architecture needs, after any other one', async () => {
    const listener = kept();
    const seen: [string, boolean][] = [];
    for (const name of ['epoll', 'single', 'callback', 'uring', 'inetd', 'socketserver']) {
      await using server = await start(listener, name);
      await until(`an answer of ${name}`, async () => {
        const clients = visitors(portOf(listener), 1);
        await clients.stop();
        return clients.served > 0;
      });
      seen.push([name, isNonblocking(listener)]);
      await stop(server);
    }
    close(listener);
    expect(seen).toEqual([
      ['epoll', true],
      ['single', false],
      ['callback', true],
      ['uring', false],
      ['inetd', true],
      ['socketserver', false],
    ]);
  });
});
