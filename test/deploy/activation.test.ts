/** Servers that get their sockets from a service manager. */
import { mkdtempSync, openSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, it, vi } from 'vitest';
import type { SocketAddress } from '../../src/os/address.ts';
import { libc } from '../../src/os/libc.ts';
import {
  accept,
  close,
  connect,
  localAddress,
  openListener,
  reset,
  streamKind,
} from '../../src/os/socket.ts';
import { spawnManaged } from '../support/activated.ts';
import { ask, NetClient } from '../support/clients.ts';
import { documented, placed } from '../support/deploy-page.ts';
import { freePort } from '../support/free-port.ts';
import { mondo, Process } from '../support/processes.ts';
import { hasProgram } from '../support/programs.ts';
import { wordsOf } from '../support/shell-words.ts';
import { until } from '../support/until.ts';

vi.setConfig({ maxConcurrency: 4 });

const folder = mkdtempSync(join(tmpdir(), 'mondo-activation-'));
afterAll(() => rmSync(folder, { recursive: true }));

const open: number[] = [];
afterEach(() => {
  for (const fd of open.splice(0)) close(fd);
});
const kept = (fd: number): number => {
  open.push(fd);
  return fd;
};
const loopback = { family: 'IPv4', host: '127.0.0.1', port: 0 } as const;
const listener = (address: SocketAddress = loopback, reuseport = false) =>
  kept(openListener(address, { backlog: 7, reuseport }));

async function answerAt(address: SocketAddress): Promise<string> {
  const client = await NetClient.connect(address);
  const answer = await ask(client, 'Beautiful is better than?', 5);
  await client.close();
  return answer;
}

/** The line and the exit code with which `mondo serve` refuses what it was given. */
async function refusal(
  inherited: readonly number[],
  args: readonly string[],
  variables: Record<string, string> = {},
): Promise<string> {
  await using server = spawnManaged(inherited, ['serve', ...args], variables);
  const { code, stdout, stderr } = await server.ended();
  expect(stdout).toBe('');
  return `${code} ${stderr}`;
}

describe('descriptors that cannot be served', () => {
  it('are named, with what they are', async () => {
    const at = listener();
    const client = kept(connect(localAddress(at)));
    const datagram = kept(libc.socket(2, 2, 0));
    const file = kept(openSync('/dev/null', 'r'));
    const given = async (fds: readonly number[], names: string, ...args: string[]) =>
      refusal(fds, args.length > 0 ? args : ['epoll'], { LISTEN_FDNAMES: names });
    const line = documented('mondo: Cannot take descriptor 3');
    expect(await given([datagram], 'dns.socket')).toBe(`2 ${line}`);
    expect(await given([at, file], 'a:b')).toMatch(
      /^2 mondo: Cannot take descriptor 4 \("b"\) .*: it is a character device;/,
    );
    expect(await given([client], 'connection')).toMatch(
      /^2 mondo: Cannot take descriptor 3 \("connection"\) .*: it is a connection from 127\.0\.0\.1:\d+; set Accept=no in the socket unit, or serve inetd\n$/,
    );
    const text = await given([at, listener()], 'a:b');
    expect(text).toMatch(
      /^2 mondo: Cannot use descriptor 4 \("b", a listener at 127\.0\.0\.1:\d+\): epoll needs one listener, and the service manager passes 2;/,
    );
    const shared = ['epoll', '--threads', '2', '--reuseport'];
    expect(await given([at], 'a', ...shared)).toMatch(
      /^2 mondo: Cannot serve with reuseport on 2 workers: .* passes 1 listeners;/,
    );
    expect(await given([at, listener()], 'a:b', ...shared)).toMatch(
      /^2 mondo: Cannot use descriptor 4 \("b", .*\) together with descriptor 3 \("a", /,
    );
  });

  it('are refused together with an address of its own', async () => {
    const at = listener();
    const cases = [
      ['epoll', '127.0.0.1'],
      ['epoll', '-p', '1060'],
      ['epoll', '--backlog', '9'],
    ];
    for (const [i, name] of ['host "127.0.0.1"', 'port "1060"', 'backlog "9"'].entries()) {
      expect(await refusal([at], cases[i]!)).toMatch(
        new RegExp(`^2 mondo: Cannot use ${name} with descriptor 3 \\("unknown", a listener at `),
      );
    }
  });

  it('and variables that contradict each other are refused', async () => {
    expect(await refusal([listener()], ['epoll'], { LISTEN_FDS: 'all' })).toMatch(
      /^2 mondo: Cannot use LISTEN_FDS="all"/,
    );
  });
});

describe('sockets for another process', () => {
  it('are left alone, and reported', async () => {
    await using server = spawnManaged([listener()], ['serve', 'epoll', '-p', '0'], {
      LISTEN_PID: '1',
    });
    await server.printed(/Ignored 1 sockets of the service manager: they are for process 1, and/);
    const [, port] = await server.printed(/Listening at 127\.0\.0\.1:(\d+)/);
    expect(await answerAt({ ...loopback, port: Number(port) })).toBe('Ugly.');
  });
});

describe('a server on given listeners', () => {
  it('serves on one for each worker', async () => {
    const first = listener(loopback, true);
    const address = localAddress(first);
    const all = [first, listener(address, true), listener(address, true)];
    const args = ['serve', 'epoll', '--threads', '3', '--reuseport'];
    await using server = spawnManaged(all, args);
    await server.printed(/Listening/);
    const answers = await Promise.all(Array.from({ length: 12 }, () => answerAt(address)));
    expect(answers).toEqual(answers.map(() => 'Ugly.'));
    server.child.kill('SIGTERM');
    const { stdout } = await server.ended();
    const [, workers = ''] = /connections per worker: (.*)/.exec(stdout)!;
    const counts = workers.split(' / ').map(Number);
    expect(counts).toHaveLength(3);
    expect(counts.reduce((sum, count) => sum + count)).toBe(12);
  });

  it('gives its processes none of the variables', async () => {
    const service = join(import.meta.dirname, '..', 'support', 'services', 'environment.ts');
    const at = listener();
    await using server = spawnManaged([at], ['serve', 'prefork', '--service', service]);
    await server.printed(/Listening/);
    const client = await NetClient.connect(localAddress(at));
    await client.send('LISTEN_FDS?LISTEN_PID?PATH?');
    await client.end();
    expect(await client.rest()).toBe(`unset.unset.${process.env.PATH}.`);
    await client.close();
  });
});

describe('a process for one connection', () => {
  /** The ends of client and server of a new connection. */
  function connection(): readonly [number, number] {
    const at = listener();
    const client = connect(localAddress(at));
    return [client, kept(accept(at))];
  }

  it('ends well if its client has reset the connection before', async () => {
    const [client, given] = connection();
    reset(client);
    await until('the reset', () => streamKind(given) === 'unconnected');
    expect(await refusal([given], ['inetd'])).toBe('0 ');
  });

  it('ends with its client, also if the service leaves a timer', async () => {
    const [client, given] = connection();
    const service = join(import.meta.dirname, '..', 'support', 'services', 'ticking.ts');
    await using server = spawnManaged([given], ['serve', 'inetd', '--service', service]);
    close(client);
    expect((await server.ended()).code).toBe(0);
  });
});

const activate = (...args: string[]) => new Process('systemd-socket-activate', args);

/** The two commands of docs/deploy.md, for this port: a server, and a process for each connection. */
const documentedCommands = (port: number): [server: string[], each: string[]] => {
  const text = documented('systemd-socket-activate');
  const places = { '1060': port, '/opt/mondo/bin/mondo': mondo };
  const [server = '', each = ''] = placed(text, places).split('\n');
  return [wordsOf(server).slice(1), wordsOf(each).slice(1)];
};

describe.runIf(hasProgram('systemd-socket-activate', 'systemd'))(
  'run by systemd-socket-activate',
  () => {
    const textOf = (host: string, port: number) =>
      host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;

    /** Asks until the manager listens. */
    const firstAnswer = (address: SocketAddress) =>
      until('an answer', () => answerAt(address).catch(() => undefined));

    // One of each kind of loop: kept.test.ts has more with a listener as descriptor 3.
    it.concurrent.each(['threaded', 'epoll', 'callback'])('%s serves, and stops', {
      timeout: 0,
    }, async (name) => {
      const port = await freePort('127.0.0.1');
      const command = [process.execPath, mondo, 'serve', name];
      const words = ['-l', textOf('127.0.0.1', port), ...command];
      await using server = activate(...(name === 'epoll' ? documentedCommands(port)[0] : words));
      const address = { ...loopback, port };
      expect(await firstAnswer(address)).toBe('Ugly.');
      expect(await answerAt(address)).toBe('Ugly.');
      await server.printed(new RegExp(`Listening at 127.0.0.1:${port}`));
      server.child.kill('SIGTERM');
      expect((await server.ended()).code).toBe(0);
    });

    it.each([
      { how: 'a connection as descriptor 3', options: ['-a'] },
      { how: 'a connection as standard input', options: ['-a', '--inetd'] },
    ])('inetd serves $how', { timeout: 0 }, async ({ options }) => {
      const port = await freePort('127.0.0.1');
      const command = [process.execPath, mondo, 'serve', 'inetd'];
      const words = [...options, '-l', textOf('127.0.0.1', port), ...command];
      const isDocumented = !options.includes('--inetd');
      await using server = activate(...(isDocumented ? documentedCommands(port)[1] : words));
      const address = { ...loopback, port };
      expect(await firstAnswer(address)).toBe('Ugly.');
      const clients = await Promise.all([1, 2].map(() => NetClient.connect(address)));
      for (const client of clients) {
        expect(await ask(client, 'Simple is better than?', 8)).toBe('Complex.');
      }
      await Promise.all(clients.map((client) => client.close()));
      server.child.kill('SIGTERM');
      await server.ended();
    });

    it('names, IPv6 and a unix socket', { timeout: 0 }, async () => {
      const port = await freePort('::1');
      const path = join(folder, 'activated');
      const addresses = [
        [textOf('::1', port), { family: 'IPv6', host: '::1', port }],
        [path, { family: 'unix', path }],
      ] as const;
      for (const [text, address] of addresses) {
        const command = [process.execPath, mondo, 'serve', 'epoll'];
        await using server = activate('--fdname=mondo', '-l', text, ...command);
        expect(await firstAnswer(address)).toBe('Ugly.');
        server.child.kill('SIGTERM');
        expect((await server.ended()).code).toBe(0);
      }
    });
  },
);
