import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { SocketAddress } from '../os/address.ts';
import { accept, acceptedPeer, close, connect, localAddress, openListener } from '../os/socket.ts';
import { ServeError } from './errors.ts';
import { type ListenOptions, openListeners, removeSocketFile, resolveAddress } from './listen.ts';

const options: ListenOptions = { backlog: 8, reuseport: false, count: 1 };
const loopback: SocketAddress = { family: 'IPv4', host: '127.0.0.1', port: 0 };

function refusal(wanted: SocketAddress): ServeError {
  try {
    for (const listener of openListeners(wanted, options).listeners) close(listener);
  } catch (error) {
    if (error instanceof ServeError) return error;
    throw error;
  }
  throw new Error('It was not refused');
}

const portOf = (address: SocketAddress) => (address.family === 'unix' ? 0 : address.port);

describe('resolveAddress', () => {
  it.each([
    ['127.0.0.1', { family: 'IPv4', host: '127.0.0.1', port: 7 }],
    ['::1', { family: 'IPv6', host: '::1', port: 7 }],
    ['[::1]', { family: 'IPv6', host: '::1', port: 7 }],
    ['localhost', { family: 'IPv4', host: '127.0.0.1', port: 7 }],
    ['', { family: 'IPv6', host: '::', port: 7 }],
    ['unix:/tmp/s', { family: 'unix', path: '/tmp/s' }],
  ])('knows %j', async (host, address) => {
    expect(await resolveAddress(host, 7)).toEqual(address);
  });

  it('says of a name that does not resolve which it is', async () => {
    // RFC 6761: no resolver knows a name under "invalid".
    await expect(resolveAddress('no-such.invalid', 7)).rejects.toThrow(
      'Cannot find host "no-such.invalid"',
    );
  });
});

describe('openListeners', () => {
  it('gives the port that 0 became', () => {
    const { listeners, address } = openListeners(loopback, options);
    expect(portOf(address)).toBeGreaterThan(0);
    expect(localAddress(listeners[0]!)).toEqual(address);
    close(listeners[0]!);
  });

  it('opens several on one port with reuseport', () => {
    const { listeners, address } = openListeners(loopback, {
      ...options,
      reuseport: true,
      count: 3,
    });
    expect(new Set(listeners).size).toBe(3);
    for (const listener of listeners) {
      expect(localAddress(listener)).toEqual(address);
      close(listener);
    }
  });

  it('says that the port is in use, and what to do', () => {
    const { listeners, address } = openListeners(loopback, options);
    const { kind, message } = refusal(address);
    expect(kind).toBe('failed');
    expect(message).toContain(
      `Cannot listen at 127.0.0.1:${portOf(address)}: port ${portOf(address)} is in use`,
    );
    close(listeners[0]!);
  });

  it('says that no interface has the address', () => {
    // RFC 5737: no machine has an address of the documentation networks.
    const { message } = refusal({ family: 'IPv4', host: '192.0.2.1', port: 0 });
    expect(message).toContain('no interface of this machine has that address');
  });

  it('takes IPv4 and IPv6 peers on all interfaces', async () => {
    const { listeners, address } = openListeners(await resolveAddress('', 0), options);
    const port = portOf(address);
    for (const [family, host, peer] of [
      ['IPv4', '127.0.0.1', /^127\.0\.0\.1:\d+$/],
      ['IPv6', '::1', /^\[::1\]:\d+$/],
    ] as const) {
      const client = connect({ family, host, port });
      const server = accept(listeners[0]!);
      expect(acceptedPeer()).toMatch(peer);
      close(server);
      close(client);
    }
    close(listeners[0]!);
  });
});

describe('openListeners at a unix path', () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'mondo-listen-'));
  });
  afterAll(() => rmSync(folder, { recursive: true }));
  const at = (name: string) => ({ family: 'unix', path: join(folder, name) }) as const;

  it('makes the socket file, which removeSocketFile takes away', () => {
    const address = at('new');
    const { listeners } = openListeners(address, options);
    close(connect(address));
    close(listeners[0]!);
    expect(existsSync(address.path)).toBe(true);
    removeSocketFile(address);
    expect(existsSync(address.path)).toBe(false);
    removeSocketFile(address);
  });

  it('replaces a file that a dead server left behind', () => {
    const address = at('stale');
    close(openListener(address, { backlog: 1 }));
    const { listeners } = openListeners(address, options);
    close(connect(address));
    close(listeners[0]!);
  });

  it('refuses where a server is listening, and leaves that one alone', () => {
    const address = at('live');
    const live = openListener(address, { backlog: 8 });
    expect(refusal(address).message).toBe(
      `Cannot listen at unix:${address.path}: a server is listening there; stop it or choose another path`,
    );
    close(connect(address));
    close(live);
  });

  it('refuses a file that is no socket, and leaves it alone', () => {
    const address = at('file');
    writeFileSync(address.path, 'precious');
    expect(refusal(address).message).toContain('there is a file that is no socket');
    expect(existsSync(address.path)).toBe(true);
  });

  it('refuses a folder that is not there, and a path that is too long', () => {
    expect(refusal(at('no/such')).message).toContain('there is no such folder');
    expect(refusal(at('a'.repeat(120))).message).toContain('the kernel takes 107');
  });
});
