import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { expect, it } from 'vitest';
import { syscallOf } from '../../test/support/kernel.ts';
import { until } from '../../test/support/until.ts';
import { INTERRUPTED } from './libc.ts';
import { interrupt } from './signal.ts';
import { close, openListener } from './socket.ts';

it('interrupt wakes a thread that sleeps in accept', async () => {
  const listener = openListener({ family: 'IPv4', host: '127.0.0.1', port: 0 }, { backlog: 1 });
  const file = new URL('../../test/support/blocked-accept.ts', import.meta.url);
  const thread = new Worker(file, { workerData: listener });
  const exit = once(thread, 'exit');
  try {
    const [tid] = (await once(thread, 'message')) as [number];
    await until('the thread to sleep in accept4', () => syscallOf(process.pid, tid) === 'accept4');
    const result = once(thread, 'message') as Promise<[number]>;
    expect(interrupt(process.pid, tid)).toBe(true);
    expect((await result)[0]).toBe(INTERRUPTED);
    await exit;
    expect(interrupt(process.pid, tid)).toBe(false);
  } finally {
    close(listener);
  }
});
