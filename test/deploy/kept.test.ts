/** Servers on a listener that another process keeps: a stop and a start lose no client. */
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { describe, expect, it, vi } from 'vitest';
import { close, localAddress, openListener } from '../../src/os/socket.ts';
import { spawnManaged } from '../support/activated.ts';
import { descendantsOf } from '../support/kernel.ts';
import { isAlive, type Process } from '../support/processes.ts';
import { flagsOf, isRefused } from '../support/serve-command.ts';
import { variants } from '../support/serving.ts';
import { until, untilSo } from '../support/until.ts';

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

const kept = () => openListener({ family: 'IPv4', host: '127.0.0.1', port: 0 }, { backlog: 512 });

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
    const listener = kept();
    // The question of a client that was just accepted may come later than 250 ms on a busy machine.
    const faults = await untilSo(
      () => stopAndStart(listener, flagsOf(options)),
      (found) => found.length === 0,
    );
    close(listener);
    expect(faults).toEqual([]);
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
