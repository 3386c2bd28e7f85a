import {
  closeSync,
  existsSync,
  mkdtempSync,
  openSync,
  rmSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { SocketAddress } from '../os/address.ts';
import { dial } from '../os/dialing.ts';
import {
  accept,
  acceptedPeer,
  claimPort,
  close,
  connect,
  localAddress,
  openListener,
  tryLock,
} from '../os/socket.ts';
import { ServeError } from './errors.ts';
import {
  type BindOptions,
  bindListeners,
  listenAll,
  removeSocketFile,
  resolveAddress,
} from './listen.ts';

const options: BindOptions = { reuseport: false, count: 1 };

/** Both steps of a start. */
function openListeners(wanted: SocketAddress, how: BindOptions) {
  const bound = bindListeners(wanted, how);
  listenAll(bound.listeners, bound.address, 8);
  return bound;
}

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

  it.each([
    ['unix:', 'no path follows'],
    ['unix:@name', 'the abstract namespace is not supported'],
    [`unix:/${'a'.repeat(108)}`, 'the kernel takes 107'],
    ['fe80::1', 'add the interface, as in "fe80::1%eth0"'],
    ['[fe80::1%no-such]', 'no interface is called "no-such"'],
  ])('refuses %j in one line: %s', async (host, text) => {
    await expect(resolveAddress(host, 7)).rejects.toMatchObject({
      kind: 'usage',
      message: expect.stringContaining(text),
    });
  });

  it('quotes a name that does not resolve', async () => {
    // RFC 6761: no resolver knows a name under "invalid".
    await expect(resolveAddress('no-such.invalid', 7)).rejects.toThrow(
      'Cannot find host "no-such.invalid"',
    );
  });
});

describe('openListeners', () => {
  it('returns the port that the kernel chose for 0', () => {
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

  it('refuses a port that another server shares, and does not disturb that server', () => {
    const sharing = { ...options, reuseport: true, count: 2 };
    const first = openListeners(loopback, sharing);
    expect(() => openListeners(first.address, sharing)).toThrow('is in use');
    close(connect(first.address));
    for (const listener of first.listeners) close(listener);
    // A restart at the same port, although a connection of the earlier server was closed a moment ago.
    const again = openListeners(first.address, sharing);
    expect(again.address).toEqual(first.address);
    for (const listener of again.listeners) close(listener);
  });

  it('grants one of several claims at the same moment: the first that has bound', () => {
    const { listeners, address } = openListeners(loopback, options);
    close(listeners[0]!);
    const claim = claimPort(address);
    expect(() => claimPort(address)).toThrow('EADDRINUSE');
    close(claim);
  });

  it('reports that the port is in use, and the fix', () => {
    const { listeners, address } = openListeners(loopback, options);
    const { kind, message } = refusal(address);
    expect(kind).toBe('failed');
    expect(message).toContain(
      `Cannot listen at 127.0.0.1:${portOf(address)}: port ${portOf(address)} is in use`,
    );
    close(listeners[0]!);
  });

  it('reports that no interface has the address', () => {
    // RFC 5737: no machine has an address of the documentation networks.
    const { message } = refusal({ family: 'IPv4', host: '192.0.2.1', port: 0 });
    expect(message).toContain('no interface of this machine has that address');
  });

  it('accepts IPv4 and IPv6 peers on all interfaces', async () => {
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

describe('bindListeners', () => {
  it.each([false, true])('refuses clients until listenAll, reuseport %s', (reuseport) => {
    const count = reuseport ? 2 : 1;
    const { listeners, address } = bindListeners(loopback, { reuseport, count });
    expect(() => connect(address)).toThrow('ECONNREFUSED');
    listenAll(listeners, address, 8);
    close(connect(address));
    for (const listener of listeners) close(listener);
  });

  it.each([false, true])('keeps the port from a server that starts, reuseport %s', (reuseport) => {
    const { listeners, address } = bindListeners(loopback, options);
    const again = { reuseport, count: 1 };
    expect(() => bindListeners(address, again)).toThrow('is in use');
    listenAll(listeners, address, 8);
    expect(() => bindListeners(address, again)).toThrow('is in use');
    close(connect(address));
    close(listeners[0]!);
  });

  it('keeps a shared port from a server that starts', () => {
    const sharing = { reuseport: true, count: 2 };
    const { listeners, address } = bindListeners(loopback, sharing);
    expect(() => bindListeners(address, sharing)).toThrow('is in use');
    expect(() => bindListeners(address, options)).toThrow('is in use');
    for (const listener of listeners) close(listener);
  });
});

describe('openListeners at a unix path', () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'mondo-listen-'));
  });
  afterAll(() => rmSync(folder, { recursive: true }));
  const at = (name: string) => ({ family: 'unix', path: join(folder, name) }) as const;

  it('creates the socket file, and removeSocketFile removes it', () => {
    const address = at('new');
    const { listeners, file } = openListeners(address, options);
    close(connect(address));
    expect(existsSync(address.path)).toBe(true);
    removeSocketFile(file);
    expect(existsSync(address.path)).toBe(false);
    removeSocketFile(file);
    close(listeners[0]!);
  });

  it('does not remove the socket file of another server that has taken the path', () => {
    const address = at('taken');
    const first = openListeners(address, options);
    unlinkSync(address.path);
    const second = openListeners(address, options);
    removeSocketFile(first.file);
    close(first.listeners[0]!);
    close(connect(address));
    removeSocketFile(second.file);
    close(second.listeners[0]!);
    expect(existsSync(address.path)).toBe(false);
  });

  it('refuses at once if the queue of the server is full', () => {
    const address = at('full');
    const live = openListener(address, { backlog: 0 });
    const waiting = dial(address);
    expect(() => dial(address)).toThrow('EAGAIN');
    expect(refusal(address).message).toContain('a server is listening there');
    close(waiting);
    close(live);
  });

  it('waits for the lock on the folder, and reports in one line if it never gets it', () => {
    const address = at('locked');
    const holder = openSync(folder, 'r');
    expect(tryLock(holder)).toBe(true);
    expect(refusal(address).message).toContain('another process has locked the folder');
    closeSync(holder);
    const { listeners, file } = openListeners(address, options);
    removeSocketFile(file);
    close(listeners[0]!);
  });

  it('replaces the file of a dead server', () => {
    const address = at('stale');
    close(openListener(address, { backlog: 1 }));
    const { listeners } = openListeners(address, options);
    close(connect(address));
    close(listeners[0]!);
  });

  it('refuses if a server is listening, and does not disturb it', () => {
    const address = at('live');
    const live = openListener(address, { backlog: 8 });
    expect(refusal(address).message).toBe(
      `Cannot listen at unix:${address.path}: a server is listening there; stop it or choose another path`,
    );
    close(connect(address));
    close(live);
  });

  it('refuses if a server is about to listen, and does not disturb it', () => {
    const address = at('starting');
    const { listeners } = bindListeners(address, options);
    expect(() => connect(address)).toThrow('ECONNREFUSED');
    expect(refusal(address).message).toContain('a server is listening there');
    listenAll(listeners, address, 8);
    close(connect(address));
    close(listeners[0]!);
  });

  it('refuses a file that is not a socket, and leaves it unchanged', () => {
    const address = at('file');
    writeFileSync(address.path, 'precious');
    expect(refusal(address).message).toContain('there is a file that is no socket');
    expect(existsSync(address.path)).toBe(true);
  });

  it('refuses a folder that does not exist, and a path that is too long', () => {
    expect(refusal(at('no/such')).message).toContain('there is no such folder');
    expect(refusal(at('a'.repeat(120))).message).toContain('the kernel takes 107');
  });
});
