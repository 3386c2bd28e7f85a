import { constants } from 'node:os';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { SystemError } from '../os/libc.ts';
import { ServeError } from './errors.ts';
import { Notifier, type Reported } from './notifier.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function started(watchdog = 0) {
  const sent: string[] = [];
  const server = { text: 'serving epoll', isStuck: false };
  const reported: Reported = { text: () => server.text, isStuck: () => server.isStuck };
  const socket = { send: (text: string) => void sent.push(text), close: () => {} };
  const notifier = new Notifier(socket, watchdog);
  notifier.ready(reported);
  /** What it has sent since the last call. */
  const since = () => sent.splice(0);
  return { notifier, server, since };
}

const pass = (ms: number) => vi.advanceTimersByTime(ms);

describe('Notifier', () => {
  it('sends the line of state when it changes, at most once a second', () => {
    const { server, since, notifier } = started();
    expect(since()).toEqual(['READY=1\nSTATUS=serving epoll']);
    pass(5000);
    expect(since()).toEqual([]);
    for (let i = 0; i < 40; i++) {
      server.text = `serving epoll, ${i} connections`;
      pass(100);
    }
    const lines = since();
    expect(lines.length).toBeGreaterThanOrEqual(3);
    expect(lines.length).toBeLessThanOrEqual(4);
    expect(lines.every((line) => /^STATUS=serving epoll, \d+ connections$/.test(line))).toBe(true);
    notifier.close();
    server.text = 'another';
    pass(5000);
    expect(since()).toEqual([]);
  });

  it('sends a sign of life twice in the time of the watchdog, unless a worker is stuck', () => {
    const { server, since } = started(3_000_000);
    expect(since()).toEqual(['READY=1\nSTATUS=serving epoll', 'WATCHDOG=1']);
    pass(3000);
    expect(since()).toEqual(['WATCHDOG=1', 'WATCHDOG=1']);
    server.isStuck = true;
    pass(30_000);
    expect(since()).toEqual([]);
    server.isStuck = false;
    pass(1500);
    expect(since()).toEqual(['WATCHDOG=1']);
  });

  it('reports restarts that overlap as one', () => {
    const { notifier, since } = started();
    since();
    notifier.reloading();
    notifier.reloading();
    notifier.reloaded();
    expect(since()).toEqual([
      expect.stringMatching(/^RELOADING=1\nMONOTONIC_USEC=\d+\nSTATUS=restarting: serving epoll$/),
      expect.stringMatching(/^RELOADING=1\nMONOTONIC_USEC=\d+\nSTATUS=/),
    ]);
    notifier.reloaded(new Error('x\ny'));
    expect(since()).toEqual(['READY=1\nSTATUS=serving epoll; the last restart failed: x y']);
    notifier.reloading();
    since();
    notifier.reloaded();
    expect(since()).toEqual(['READY=1\nSTATUS=serving epoll']);
  });

  it('requests time for a long drain again and again, until its end', () => {
    const { notifier, since } = started();
    since();
    notifier.stopping(60_000);
    notifier.stopping(0);
    const extend = 'EXTEND_TIMEOUT_USEC=10000000';
    expect(since()).toEqual([`STOPPING=1\n${extend}\nSTATUS=stopping: serving epoll`]);
    pass(20_000);
    expect(since()).toEqual([extend, extend, extend, extend]);
    notifier.reloading();
    notifier.reloaded();
    notifier.close();
    pass(20_000);
    expect(since()).toEqual([]);
  });

  it('requests no time for a short drain', () => {
    const { notifier, since } = started();
    since();
    notifier.stopping(5000);
    pass(20_000);
    expect(since()).toEqual(['STOPPING=1\nSTATUS=stopping: serving epoll']);
  });

  it.each([
    [new SystemError('bind', constants.errno.EADDRINUSE), constants.errno.EADDRINUSE],
    [
      Object.assign(new Error('listen'), { errno: -constants.errno.EACCES }),
      constants.errno.EACCES,
    ],
    [undefined, constants.errno.EIO],
  ])('gives the number of the error of a failed start: %s', (cause, number) => {
    const { notifier, since } = started();
    since();
    notifier.failed(new ServeError('failed', 'Cannot\nlisten', { cause }));
    expect(since()).toEqual([`STATUS=Cannot listen\nERRNO=${number}`]);
    notifier.failed(new ServeError('usage', 'no'));
    expect(since()).toEqual([`STATUS=no\nERRNO=${constants.errno.EINVAL}`]);
  });
});
