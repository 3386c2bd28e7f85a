import { readFile } from 'node:fs/promises';
import { createServer, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { afterEach, describe, expect, it } from 'vitest';
import { untilSo } from '../../test/support/until.ts';
import { Epoll } from '../os/epoll.ts';
import { type NodeLoop, nodeLoop } from '../os/libuv.ts';
import { READABLE } from '../os/readiness.ts';
import type { WorkerEvent } from '../worker/contract.ts';
import { NodeTurns } from './node-turns.ts';

/** A loop of ours that sleeps in epoll, and nowhere else. */
class OwnLoop {
  readonly warnings: WorkerEvent[] = [];
  readonly turns: NodeTurns<number>;
  readonly #epoll = new Epoll();
  readonly settled: number[] = [];
  /** Number of turns that Node had. */
  count = 0;
  /** Number of times that it slept for ever. */
  slept = 0;

  constructor(awaits: boolean, loopOf?: () => NodeLoop | undefined) {
    const journal = { on: true, record: (event: WorkerEvent) => void this.warnings.push(event) };
    this.turns = new NodeTurns({ awaits, journal }, loopOf);
    if (this.turns.fd >= 0) this.#epoll.register(this.turns.fd, READABLE);
  }

  expect(promise: Promise<unknown>, value: number): void {
    this.turns.expect(
      promise.then(
        () => {},
        () => {},
      ),
      value,
    );
  }

  /** Takes turns until that number of promises has settled. */
  async until(count: number): Promise<void> {
    const { turns } = this;
    while (this.settled.length < count) {
      const now = performance.now();
      if (turns.isDue(now)) {
        this.count++;
        await turns.turn();
      } else {
        this.#epoll.wait(turns.untilDue(now));
        while (this.#epoll.next() >= 0) turns.isReady = true;
      }
      for (let one = turns.takeSettled(); one !== undefined; one = turns.takeSettled()) {
        this.settled.push(one);
      }
    }
  }

  close(): void {
    this.turns.close();
    this.#epoll.close();
  }
}

const numbers = (count: number) => Array.from({ length: count }, (_, i) => i);

describe('NodeTurns', () => {
  let loop: OwnLoop;
  afterEach(() => loop.close());

  it('settles thousands of timers, reads and round trips, while our loop sleeps in epoll', async () => {
    loop = new OwnLoop(true);
    const server = createServer((socket) => socket.pipe(socket)).listen(0, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    const { port } = server.address() as { port: number };
    const { connect } = await import('node:net');
    const roundTrip = () =>
      new Promise<void>((resolve) => {
        const socket: Socket = connect(port, '127.0.0.1');
        socket.once('data', () => {
          socket.destroy();
          resolve();
        });
        socket.write('x');
      });
    const kinds = [
      ...numbers(2000).map((i) => sleep(i % 50)),
      ...numbers(200).map(() => readFile(import.meta.filename)),
      ...numbers(200).map(roundTrip),
    ];
    for (const [i, promise] of kinds.entries()) loop.expect(promise, i);
    await loop.until(kinds.length);
    expect(loop.settled.toSorted((one, other) => one - other)).toEqual(numbers(kinds.length));
    server.close();
  });

  it('runs a timer within the time that Node itself needs, and not in a busy loop', async () => {
    loop = new OwnLoop(true);
    for (const i of numbers(20)) {
      const before = performance.now();
      loop.expect(sleep(10), i);
      await loop.until(i + 1);
      expect(performance.now() - before).toBeGreaterThanOrEqual(9);
    }
    // One turn begins the timer, one ends it, and the test runner causes some. A busy loop has thousands.
    expect(loop.count / 20).toBeLessThan(100);
  });

  it('gives Node no turn for functions that only compute, and one soon after', async () => {
    // A busy machine may take the thread away until a turn is due anyway.
    const { turned } = await untilSo(
      async () => {
        loop?.close();
        loop = new OwnLoop(true);
        const result = { turned: false };
        setImmediate(() => (result.turned = true));
        for (const i of numbers(5)) loop.expect(Promise.resolve(i), i);
        expect(loop.turns.isDue(performance.now())).toBe(true);
        await loop.turns.turn();
        expect(numbers(5).map(() => loop.turns.takeSettled())).toEqual(numbers(5));
        expect(loop.turns.takeSettled()).toBeUndefined();
        return { turned: result.turned };
      },
      (result) => !result.turned,
    );
    expect(turned).toBe(false);
    const now = performance.now();
    if (!loop.turns.isDue(now)) expect(loop.turns.untilDue(now)).toBe(1);
    expect(loop.turns.isDue(now + 2)).toBe(true);
  });

  it('runs what process.nextTick has, although neither epoll nor a timer shows it', async () => {
    loop = new OwnLoop(true);
    loop.expect(new Promise((resolve) => process.nextTick(resolve)), 7);
    await loop.until(1);
    expect(loop.settled).toEqual([7]);
  });

  it('lets our loop sleep for ever when nothing is outstanding', async () => {
    loop = new OwnLoop(true);
    loop.expect(sleep(1), 1);
    await loop.until(1);
    await loop.turns.turn();
    expect(loop.turns.isDue(performance.now())).toBe(false);
  });

  it('is off until the first promise of a service that shows none', async () => {
    loop = new OwnLoop(false);
    expect(loop.turns).toMatchObject({ isOn: false, fd: -1 });
    loop.expect(sleep(1), 1);
    expect(loop.turns.isOn).toBe(true);
    expect(loop.turns.fd).toBe(nodeLoop()!.fd);
  });

  it('looks every ms, and says so once, where it cannot see Node', async () => {
    loop = new OwnLoop(true, () => undefined);
    const file = readFile(import.meta.filename);
    for (const [i, promise] of [sleep(5), file, sleep(20)].entries()) loop.expect(promise, i);
    await loop.until(3);
    // On a slow machine the file may come last.
    expect(loop.settled.filter((i) => i !== 1)).toEqual([0, 2]);
    expect(loop.warnings).toMatchObject([
      { type: 'warning', text: expect.stringMatching(/every/) },
    ]);
    // It sleeps for ever again. A turn that is not due yet is only a few microtasks.
    while (loop.turns.untilDue(performance.now()) !== -1) await loop.turns.turn();
  });
});

it('nodeLoop() finds the loop of each thread, before Node 26 that of the first, and prints no warning', async () => {
  const url = new URL('../os/libuv.ts', import.meta.url).href;
  const code = `const { parentPort } = require('node:worker_threads');
    process.on('warning', ({ name }) => name === 'ExperimentalWarning' && parentPort.postMessage(name));
    import(${JSON.stringify(url)}).then(({ nodeLoop }) => parentPort.postMessage(nodeLoop()?.fd ?? 'hidden'));`;
  const thread = new Worker(code, { eval: true });
  const said = await new Promise((resolve, reject) => {
    thread.once('message', resolve).once('error', reject);
  });
  await thread.terminate();
  if (Number(process.versions.node.split('.')[0]) < 26) expect(said).toBe('hidden');
  else expect(said).toBeTypeOf('number');
  expect(said).not.toBe(nodeLoop()!.fd);
});
