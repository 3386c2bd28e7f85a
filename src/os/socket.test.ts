import { mkdtempSync, openSync, readlinkSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { addressText } from './address.ts';
import { addressOf, libc, SystemError, WOULD_BLOCK } from './libc.ts';
import {
  accept,
  acceptedPeer,
  acceptNonblocking,
  acceptQueueOf,
  bindListener,
  close,
  connect,
  dup,
  localAddress,
  openListener,
  peerOf,
  recv,
  send,
  setBlocking,
  setReceiveTimeout,
  shutdown,
  socketKind,
  socketPair,
  streamKind,
} from './socket.ts';

const bytes = Buffer.alloc(16);
const address = addressOf(bytes);
const loopback = { family: 'IPv4', host: '127.0.0.1', port: 0 } as const;

let open: number[] = [];
const kept = (fd: number) => {
  open.push(fd);
  return fd;
};
afterEach(() => {
  for (const fd of open) close(fd);
  open = [];
});

const failure = (call: () => unknown): SystemError => {
  try {
    call();
  } catch (error) {
    if (error instanceof SystemError) return error;
    throw error;
  }
  throw new Error('It did not fail');
};

describe.each([
  ['IPv4', '127.0.0.1'],
  ['IPv6', '::1'],
] as const)('a listener on %s', (family, host) => {
  let listener: number;
  beforeEach(() => {
    listener = kept(openListener({ family, host, port: 0 }, { backlog: 8 }));
  });

  it('knows its address and the address of its peer', () => {
    const where = localAddress(listener);
    expect(where).toMatchObject({ family, host });
    const client = kept(connect(where));
    const server = kept(accept(listener));
    expect(acceptedPeer()).toBe(addressText(localAddress(client)));
    expect(peerOf(server)).toBe(acceptedPeer());
    expect(peerOf(client)).toBe(addressText(where));
  });

  it('carries bytes both ways, until the end of the stream', () => {
    const client = kept(connect(localAddress(listener)));
    const server = kept(accept(listener));
    bytes.write('hello');
    expect(send(client, address, 5)).toBe(5);
    bytes.fill(0);
    expect(recv(server, address, bytes.length)).toBe(5);
    expect(bytes.toString('latin1', 0, 5)).toBe('hello');
    shutdown(client);
    expect(recv(server, address, bytes.length)).toBe(0);
  });
});

describe('accept', () => {
  it('returns would-block for a non-blocking listener, and for one whose timeout is over', () => {
    const listener = kept(openListener(loopback, { backlog: 8 }));
    setReceiveTimeout(listener, 20);
    expect(accept(listener)).toBe(WOULD_BLOCK);
    setReceiveTimeout(listener, 0);
    setBlocking(listener, false);
    expect(acceptNonblocking(listener)).toBe(WOULD_BLOCK);
  });

  it('makes sockets that block, or do not, independently of the listener', () => {
    const listener = kept(openListener(loopback, { backlog: 8 }));
    const connected = () => kept(connect(localAddress(listener)));
    connected();
    const blocking = kept(accept(listener));
    setReceiveTimeout(blocking, 20);
    const before = performance.now();
    expect(recv(blocking, address, 1)).toBe(WOULD_BLOCK);
    expect(performance.now() - before).toBeGreaterThan(18);
    connected();
    expect(recv(kept(acceptNonblocking(listener)), address, 1)).toBe(WOULD_BLOCK);
  });
});

describe('SystemError', () => {
  it('names the call that failed and its errno', () => {
    const listener = kept(openListener(loopback, { backlog: 8 }));
    const where = localAddress(listener);
    expect(failure(() => openListener(where, { backlog: 8 }))).toMatchObject({
      syscall: 'bind',
      code: 'EADDRINUSE',
      message: 'bind: EADDRINUSE',
    });
    const client = kept(connect(where));
    expect(failure(() => accept(client))).toMatchObject({ syscall: 'accept4', code: 'EINVAL' });
    close(open.splice(open.indexOf(listener), 1)[0]!);
    expect(failure(() => connect(where))).toMatchObject({
      syscall: 'connect',
      code: 'ECONNREFUSED',
    });
    expect(failure(() => recv(-1, address, 1))).toMatchObject({ syscall: 'recv', code: 'EBADF' });
  });

  it('leaves no descriptor behind after a failed bind', () => {
    const where = localAddress(kept(openListener(loopback, { backlog: 8 })));
    const probe = dup(0);
    close(probe);
    for (let i = 0; i < 3; i++) failure(() => openListener(where, { backlog: 8 }));
    expect(kept(dup(0))).toBe(probe);
  });

  it('is EPIPE and not a signal for a send to a peer that is gone', () => {
    const listener = kept(openListener(loopback, { backlog: 8 }));
    const client = connect(localAddress(listener));
    const server = kept(accept(listener));
    shutdown(server);
    expect(failure(() => send(server, address, 1)).code).toBe('EPIPE');
    close(client);
  });
});

describe('openListener', () => {
  it('shares a port among listeners with reuseport', () => {
    const first = kept(openListener(loopback, { backlog: 8, reuseport: true }));
    const second = kept(openListener(localAddress(first), { backlog: 8, reuseport: true }));
    expect(localAddress(second)).toEqual(localAddress(first));
  });
});

describe('streamKind', () => {
  it('knows listeners and connections of each family, and says what else a descriptor is', () => {
    const folder = mkdtempSync(join(tmpdir(), 'mondo-kind-'));
    const path = join(folder, 'socket');
    const listener = kept(openListener(loopback, { backlog: 1 }));
    const unix = kept(openListener({ family: 'unix', path }, { backlog: 1 }));
    expect([listener, unix].map(streamKind)).toEqual(['listener', 'listener']);
    const clients = [listener, unix].map((fd) => kept(connect(localAddress(fd))));
    expect(clients.map(streamKind)).toEqual(['connection', 'connection']);
    const others = [
      kept(bindListener(loopback)),
      kept(libc.socket(2, 2, 0)),
      kept(libc.socket(16, 3, 0)),
      ...[...socketPair()].map(kept),
      kept(openSync('/dev/null', 'r')),
      kept(openSync(folder, 'r')),
      kept(openSync(import.meta.filename, 'r')),
      -1,
    ];
    expect(others.map(streamKind)).toEqual([
      'unconnected',
      { other: 'a datagram socket' },
      { other: 'a raw socket' },
      { other: 'a socket of type SOCK_SEQPACKET' },
      { other: 'a socket of type SOCK_SEQPACKET' },
      { other: 'a character device' },
      { other: 'a folder' },
      { other: 'a file' },
      { other: 'not open' },
    ]);
    rmSync(folder, { recursive: true });
  });
});

describe('socketKind', () => {
  it('distinguishes a listener, a connection and other descriptors', () => {
    const listener = kept(openListener(loopback, { backlog: 8 }));
    const client = kept(connect(localAddress(listener)));
    expect(socketKind(listener)).toBe('listener');
    expect(socketKind(client)).toBe('connection');
    expect(socketKind(-1)).toBeUndefined();
    const copy = kept(dup(listener));
    expect(readlinkSync(`/proc/self/fd/${copy}`)).toBe(readlinkSync(`/proc/self/fd/${listener}`));
  });
});

describe('the accept queue of a listener', () => {
  it('has the clients that are not accepted, and holds one more than the backlog', () => {
    const listener = kept(openListener(loopback, { backlog: 8 }));
    expect(acceptQueueOf(listener)).toEqual({ waiting: 0, limit: 9 });
    for (let i = 0; i < 2; i++) kept(connect(localAddress(listener)));
    expect(acceptQueueOf(listener)).toEqual({ waiting: 2, limit: 9 });
    kept(accept(listener));
    expect(acceptQueueOf(listener)).toEqual({ waiting: 1, limit: 9 });
  });

  it('is unknown for what is no TCP socket', () => {
    expect(acceptQueueOf(1)).toBeUndefined();
  });
});
