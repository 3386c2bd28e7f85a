import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { afterEach, describe, expect, it } from 'vitest';
import { until } from '../../../../test/support/until.ts';
import { addressOf } from '../../../os/libc.ts';
import {
  accept,
  close,
  connect,
  localAddress,
  openListener,
  peerOf,
  send,
} from '../../../os/socket.ts';
import { KERNEL } from '../shared/records.ts';
import { peerOfSleeper, TaskStates, waitingAt } from './kernel.ts';

describe('who waits in an accept queue', () => {
  let open: number[] = [];
  afterEach(() => {
    for (const fd of open) close(fd);
    open = [];
  });

  it('is known by address, with the bytes that lie there, until it is accepted', async () => {
    const listener = openListener({ family: 'IPv4', host: '127.0.0.1', port: 0 }, { backlog: 8 });
    const address = localAddress(listener) as { port: number } & ReturnType<typeof localAddress>;
    open = [listener];
    const bytes = Buffer.from('Simple is better than?');
    const peers: string[] = [];
    for (const length of [0, bytes.length, 5]) {
      const fd = connect(address);
      open.push(fd);
      if (length > 0) send(fd, addressOf(bytes), length);
      const own = localAddress(fd);
      peers.push(`127.0.0.1:${own.family === 'unix' ? 0 : own.port}`);
    }
    // The last one leaves, and stays in the queue.
    close(open.pop()!);
    const waiting = () => new Map(waitingAt(address.port).map((one) => [one.peer, one.bytes]));
    const all = new Map([
      [peers[0], 0],
      [peers[1], bytes.length],
      [peers[2], 5],
    ]);
    const sum = () => [...waiting().values()].reduce((a, b) => a + b, 0);
    await until('the bytes to arrive', () => sum() === bytes.length + 5);
    expect(waiting()).toEqual(all);
    const accepted = accept(listener);
    open.push(accepted);
    all.delete(peerOf(accepted));
    expect(waiting()).toEqual(all);
  });
});

describe('what the kernel says of a thread', () => {
  const children: ChildProcess[] = [];
  const started = (file: string, ...args: string[]): number => {
    const child = spawn(file, args, { stdio: 'ignore' });
    children.push(child);
    return child.pid!;
  };
  afterEach(async () => {
    for (const child of children.splice(0)) {
      const gone = once(child, 'exit');
      child.kill('SIGKILL');
      await gone;
    }
  });

  /** Looks until the thread is in one of these states. */
  const reaches = (pid: number, wanted: readonly number[]) => {
    const states = new TaskStates();
    const task = { pid, tid: pid };
    return until(`state ${wanted} of ${pid}`, () => {
      states.look([task]);
      return wanted.includes(states.of(pid));
    });
  };

  it('is asleep, stopped, working or wanting a processor', async () => {
    const sleeper = started('sleep', '600');
    await reaches(sleeper, [KERNEL.asleep]);
    process.kill(sleeper, 'SIGSTOP');
    await reaches(sleeper, [KERNEL.stopped]);
    const worker = started('sh', '-c', 'while :; do :; done');
    await reaches(worker, [KERNEL.running, KERNEL.runnable]);
  });

  it('is unknown of a thread that was not looked at, or is no more', () => {
    const states = new TaskStates();
    states.look([{ pid: process.pid, tid: process.pid }]);
    expect(states.of(process.pid)).not.toBe(KERNEL.unknown);
    states.look([]);
    expect(states.of(process.pid)).toBe(KERNEL.unknown);
    expect(peerOfSleeper({ pid: process.pid, tid: 0 }, 1)).toBeUndefined();
  });
});
