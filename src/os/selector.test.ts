/** One list of cases for all three Selectors, on real connections. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Epoll } from './epoll.ts';
import { addressOf, INTERRUPTED, libc } from './libc.ts';
import { Poll } from './poll.ts';
import { READABLE, type Selector, WRITABLE } from './readiness.ts';
import { FD_SETSIZE, Select } from './select.ts';
import {
  accept,
  close,
  connect,
  dup,
  localAddress,
  openListener,
  recv,
  send,
  setBlocking,
} from './socket.ts';

const bytes = Buffer.alloc(65_536, 'x');
const address = addressOf(bytes);

describe.each([
  ['Select', () => new Select()],
  ['Poll', () => new Poll()],
  ['Epoll', () => new Epoll()],
] as const)('%s', (_, make) => {
  let selector: Selector;
  let listener: number;
  let open: number[];

  beforeEach(() => {
    open = [];
    selector = make();
    listener = openListener({ family: 'IPv4', host: '127.0.0.1', port: 0 }, { backlog: 1024 });
  });
  afterEach(() => {
    selector.close();
    close(listener);
    for (const fd of open) close(fd);
  });

  /** A connection: our end, which the selector watches, and the peer's end. */
  function pair(): { fd: number; peer: number } {
    const peer = connect(localAddress(listener));
    const fd = accept(listener);
    open.push(fd, peer);
    return { fd, peer };
  }
  const leave = (fd: number) => {
    open.splice(open.indexOf(fd), 1);
    close(fd);
  };
  const say = (fd: number) => send(fd, address, 1);

  /** All events of one wait, by descriptor. */
  function ready(timeout = 1000): Map<number, number> {
    const count = selector.wait(timeout);
    const told = new Map<number, number>();
    for (let fd = selector.next(); fd >= 0; fd = selector.next()) told.set(fd, selector.events);
    // Not equal: select counts a descriptor twice if it is ready for two things.
    expect(count > 0).toBe(told.size > 0);
    return told;
  }

  it('reports nothing once the timeout is over', () => {
    const { fd } = pair();
    selector.register(fd, READABLE);
    const before = performance.now();
    expect(selector.wait(30)).toBe(0);
    // The clocks of the kernel and of JavaScript may differ by 1 ms after rounding.
    expect(performance.now() - before).toBeGreaterThan(28);
    expect(selector.next()).toBe(-1);
    expect(selector.wait(0)).toBe(0);
  });

  it('reports a readable descriptor, and again until it is read', () => {
    const { fd, peer } = pair();
    selector.register(fd, READABLE);
    say(peer);
    expect(ready()).toEqual(new Map([[fd, READABLE]]));
    expect(ready()).toEqual(new Map([[fd, READABLE]]));
    recv(fd, address, 1);
    expect(ready(0).size).toBe(0);
  });

  it('reports the ready descriptors and no others', () => {
    const pairs = Array.from({ length: 5 }, pair);
    for (const { fd } of pairs) selector.register(fd, READABLE);
    say(pairs[1]!.peer);
    say(pairs[3]!.peer);
    expect([...ready().keys()].sort()).toEqual([pairs[1]!.fd, pairs[3]!.fd].sort());
  });

  it('reports the wanted events: writable, readable, both or nothing', () => {
    const { fd, peer } = pair();
    say(peer);
    selector.register(fd, WRITABLE);
    expect(ready()).toEqual(new Map([[fd, WRITABLE]]));
    selector.modify(fd, READABLE | WRITABLE);
    expect(ready()).toEqual(new Map([[fd, READABLE | WRITABLE]]));
    selector.modify(fd, READABLE);
    expect(ready()).toEqual(new Map([[fd, READABLE]]));
    selector.modify(fd, 0);
    expect(ready(0).size).toBe(0);
  });

  it('does not report a full socket as writable until its peer has read', () => {
    const { fd, peer } = pair();
    setBlocking(fd, false);
    while (send(fd, address, bytes.length) > 0);
    selector.register(fd, WRITABLE);
    expect(ready(0).size).toBe(0);
    setBlocking(peer, false);
    for (;;) {
      while (recv(peer, address, bytes.length) > 0);
      if (ready(100).has(fd)) break;
    }
  });

  it('reports a listener with a peer waiting', () => {
    selector.register(listener, READABLE);
    expect(ready(0).size).toBe(0);
    const peer = connect(localAddress(listener));
    open.push(peer);
    expect(ready()).toEqual(new Map([[listener, READABLE]]));
    open.push(accept(listener));
  });

  it('counts a peer that closed as readable', () => {
    const { fd, peer } = pair();
    selector.register(fd, READABLE);
    leave(peer);
    expect(ready().get(fd)! & READABLE).toBe(READABLE);
    expect(recv(fd, address, 1)).toBe(0);
  });

  it('counts a peer that reset the connection as readable', () => {
    const { fd, peer } = pair();
    selector.register(fd, READABLE);
    // Closing a socket with unread bytes resets the connection.
    say(fd);
    leave(peer);
    expect(ready().get(fd)! & READABLE).toBe(READABLE);
  });

  it('forgets an unregistered descriptor, whose number may be used again', () => {
    const { fd, peer } = pair();
    selector.register(fd, READABLE);
    say(peer);
    selector.unregister(fd);
    expect(ready(0).size).toBe(0);
    selector.register(fd, READABLE);
    expect(ready()).toEqual(new Map([[fd, READABLE]]));
  });

  it('reports no descriptor twice, and none that is unregistered during the reports', () => {
    const pairs = Array.from({ length: 6 }, pair);
    for (const { fd } of pairs) selector.register(fd, READABLE);
    for (const { peer } of pairs) say(peer);
    selector.wait(1000);
    const told: number[] = [];
    // Some may have to wait for another turn; none may be lost.
    do {
      for (let fd = selector.next(); fd >= 0; fd = selector.next()) {
        told.push(fd);
        // A server does this with a peer that has gone.
        selector.unregister(fd);
      }
    } while (selector.wait(0) > 0);
    expect(told.sort()).toEqual(pairs.map(({ fd }) => fd).sort());
  });

  it('can forget all of them while it reports the first', () => {
    const pairs = Array.from({ length: 4 }, pair);
    for (const { fd } of pairs) selector.register(fd, READABLE | WRITABLE);
    for (const { peer } of pairs) say(peer);
    selector.wait(1000);
    selector.next();
    for (const { fd } of pairs) selector.unregister(fd);
    // epoll's events have already left the kernel. The sets of the others can still be cleared.
    if (!(selector instanceof Epoll)) expect(selector.next()).toBe(-1);
    expect(ready(0).size).toBe(0);
  });

  it('accepts a descriptor that is registered during the reports, for the next wait', () => {
    const first = pair();
    const second = pair();
    selector.register(first.fd, READABLE);
    say(first.peer);
    say(second.peer);
    selector.wait(1000);
    expect(selector.next()).toBe(first.fd);
    selector.register(second.fd, READABLE);
    expect(selector.next()).toBe(-1);
    expect([...ready().keys()].sort()).toEqual([first.fd, second.fd].sort());
  });

  it('has room for hundreds, and forgets any of them', () => {
    const pairs = Array.from({ length: 200 }, pair);
    for (const { fd } of pairs) selector.register(fd, READABLE);
    for (const { peer } of pairs) say(peer);
    expect([...ready().keys()].sort()).toEqual(pairs.map(({ fd }) => fd).sort());
    const odd = pairs.filter((_, i) => i % 2 === 1);
    for (const { fd } of odd) selector.unregister(fd);
    const even = pairs.filter((_, i) => i % 2 === 0);
    expect([...ready().keys()].sort()).toEqual(even.map(({ fd }) => fd).sort());
  });
});

describe('Select', () => {
  it('refuses a descriptor that an fd_set has no bit for', () => {
    const select = new Select();
    expect(() => select.register(FD_SETSIZE, READABLE)).toThrow('Cannot select descriptor 1024');
    expect(() => select.register(FD_SETSIZE + 500, READABLE)).toThrow(RangeError);
  });

  it('reports the last descriptor that an fd_set has a bit for', () => {
    const F_DUPFD = 0;
    const listener = openListener({ family: 'IPv4', host: '127.0.0.1', port: 0 }, { backlog: 1 });
    const last = libc.fcntl(listener, F_DUPFD, FD_SETSIZE - 1);
    const peer = connect(localAddress(listener));
    try {
      expect(last).toBe(FD_SETSIZE - 1);
      const select = new Select();
      select.register(last, READABLE);
      expect(select.wait(1000)).toBe(1);
      expect(select.next()).toBe(last);
      expect(select.events).toBe(READABLE);
    } finally {
      for (const fd of [peer, last, listener]) close(fd);
    }
  });
});

describe('Poll', () => {
  it('reports a closed descriptor, which only our own fault can cause', () => {
    const listener = openListener({ family: 'IPv4', host: '127.0.0.1', port: 0 }, { backlog: 1 });
    const fd = dup(listener);
    close(fd);
    const poll = new Poll();
    poll.register(fd, READABLE);
    expect(poll.wait(0)).toBe(1);
    expect(poll.next()).toBe(fd);
    close(listener);
  });
});

// Tested here so that the result keeps its sign: a server tests for less than zero.
it('INTERRUPTED is less than zero', () => expect(INTERRUPTED).toBeLessThan(0));
