/**
 * When the server starts threads and processes for clients, and when one serves several clients one after the
 * other.
 */
import { describe, expect, it } from 'vitest';
import { answeredClient, ask, NetClient } from '../support/clients.ts';
import { crowd } from '../support/crowd.ts';
import { freeze } from '../support/kernel.ts';
import { oneServing, Serving } from '../support/serving.ts';
import { until } from '../support/until.ts';

const BEAUTIFUL = 'Beautiful is better than?';

/** Clients one after the other: each asks and leaves. Returns the threads that closed them. */
async function closersOf(serving: Serving, clients: number): Promise<Set<number>> {
  const before = serving.events.length;
  for (let i = 0; i < clients; i++) {
    const client = await answeredClient(serving.address);
    await client.close();
    await serving.expectAccount(client.peer, ['accepted', 'closed']);
  }
  const closed = serving.events.slice(before).filter((event) => event.type === 'closed');
  return new Set(closed.map((event) => ('tid' in event ? event.tid : 0)));
}

describe('socketserver', () => {
  it('gives the next client to a thread that has finished', async () => {
    // The second client may come while the first thread still closes the first client.
    const serving = await Serving.start({ architecture: 'socketserver' });
    expect((await closersOf(serving, 12)).size).toBeLessThanOrEqual(6);
    await serving.stop();
  });

  it('with --thread-cache 0 starts a thread for each client', async () => {
    const serving = await Serving.start({ architecture: 'socketserver', threadCache: 0 });
    expect((await closersOf(serving, 6)).size).toBe(6);
    await serving.stop();
  });

  it('keeps no more threads than --thread-cache', async () => {
    const serving = await Serving.start({ architecture: 'socketserver', threadCache: 2 });
    const clients: NetClient[] = [];
    for (let i = 0; i < 5; i++) clients.push(await NetClient.connect(serving.address));
    for (const client of clients) expect(await ask(client, BEAUTIFUL, 5)).toBe('Ugly.');
    expect(serving.server.workers()).toHaveLength(6);
    await Promise.all(clients.map((client) => client.close()));
    await until('three of five to end', () => serving.server.workers().length === 3);
    await serving.stop();
  });

  // With such answers, threads finish, and take clients, while other threads start for these clients.
  it.each([
    8, 16,
  ])('with --max-threads gives clients to a thread whose own client another has taken: answers of %i ms', async (think) => {
    const serving = await Serving.start({ architecture: 'socketserver', maxThreads: 5, think });
    const clients = crowd(serving.server.port, 16);
    for (let rounds = 0; rounds < 5; rounds++) {
      const { served } = clients;
      // Less than the minute after which a thread that waits in vain ends, and makes room.
      await until('16 clients to be served', () => clients.served >= served + 16, 40_000);
    }
    await clients.stop();
    expect(clients.faults).toEqual([]);
    await serving.close();
  });
});

describe.each([
  { title: 'forking', options: { architecture: 'socketserver', mixin: 'forking' } as const },
  { title: 'inetd', options: { architecture: 'inetd' } as const },
])('$title', ({ title, options }) => {
  const running = oneServing(options);
  const none = title === 'inetd' ? { processCache: 0 } : { threadCache: 0 };

  it('gives the next client to a process that has finished', async () => {
    expect((await closersOf(await running(), 8)).size).toBeLessThanOrEqual(4);
  });

  it('with a cache of 0 starts a process for each client', async () => {
    const serving = await Serving.start({ ...options, ...none });
    expect((await closersOf(serving, 3)).size).toBe(3);
    // The other server still runs: what it holds may change.
    await serving.close();
  });

  it('serves hundreds of clients, without a failure', {
    timeout: 0,
  }, async () => {
    const serving = await running();
    const clients = crowd(serving.server.port, 4);
    while (clients.served <= 300) {
      const { served } = clients;
      await until('more to be served', () => clients.served > served);
    }
    await clients.stop();
    expect(clients.faults).toEqual([]);
  });

  it('makes the next client wait, and does not lose it, if all waiting processes are killed', async () => {
    const serving = await running();
    for (let i = 0; i < 3; i++) {
      const [worker] = serving.server.pids;
      const ready = await until('a process to be ready', () => {
        const rows = serving.server.workers();
        return rows.find(({ pid, state }) => pid !== worker && state === 'asleep')?.pid;
      });
      process.kill(ready, 'SIGKILL');
      const client = await NetClient.connect(serving.address);
      await client.send(BEAUTIFUL);
      expect(await client.receive(5)).toBe('Ugly.');
      await client.close();
    }
  });
});

describe.each([
  { title: 'socketserver', options: { architecture: 'socketserver', maxThreads: 32 } as const },
  { title: 'forking', options: { architecture: 'socketserver', mixin: 'forking' } as const },
  { title: 'inetd', options: { architecture: 'inetd' } as const },
])('$title', ({ title, options }) => {
  it('starts nothing for clients that are gone', async () => {
    const serving = await Serving.start(options);
    const [worker] = serving.server.pids;
    // Clients that come while the worker is stopped are gone when it looks at them.
    await freeze(worker!);
    const reset = await Promise.all(
      Array.from({ length: 60 }, () => NetClient.connect(serving.address)),
    );
    for (const client of reset) await client.send(BEAUTIFUL);
    await Promise.all(reset.map((client) => client.reset()));
    const left = await NetClient.connect(serving.address);
    await left.close();
    const halfClosed = await NetClient.connect(serving.address);
    await halfClosed.send(BEAUTIFUL);
    await halfClosed.end();
    process.kill(worker!, 'SIGCONT');
    // A client that has asked, and only closed its own direction, waits for its answer.
    expect(await halfClosed.rest()).toBe('Ugly.');
    for (const client of reset) {
      await serving.expectAccount(client.peer, ['accepted', 'failed ECONNRESET']);
    }
    await serving.expectAccount(left.peer, ['accepted', 'closed']);
    await serving.expectAccount(halfClosed.peer, ['accepted', 'closed']);
    const tellers = (type: string) =>
      serving.events.flatMap((event) => (event.type === type && 'tid' in event ? [event.tid] : []));
    // With threads, the accepting one closes them. With processes, one accepts, and one is ready beside it.
    expect(new Set(tellers('failed')).size).toBeLessThanOrEqual(title === 'socketserver' ? 1 : 2);
    const rows = serving.server.workers();
    expect(rows.length).toBeLessThanOrEqual(title === 'socketserver' ? 2 : 4);
    expect(rows.reduce((sum, row) => sum + row.accepted, 0)).toBe(62);
    await halfClosed.close();
    await serving.stop();
  });
});

it('socketserver, with all threads busy, next answers the client that is still there after a storm', async () => {
  const serving = await Serving.start({ architecture: 'socketserver', maxThreads: 2 });
  const busy = [await NetClient.connect(serving.address), await NetClient.connect(serving.address)];
  for (const client of busy) expect(await ask(client, BEAUTIFUL, 5)).toBe('Ugly.');
  const storm = await Promise.all(
    Array.from({ length: 200 }, () => NetClient.connect(serving.address)),
  );
  for (const client of storm) await client.send(BEAUTIFUL);
  await Promise.all(storm.map((client) => client.reset()));
  const honest = await NetClient.connect(serving.address);
  const answer = ask(honest, BEAUTIFUL, 5);
  await busy[0]!.close();
  expect(await answer).toBe('Ugly.');
  const ended = serving.events.flatMap((event) =>
    event.type === 'failed' && 'tid' in event ? [event.tid] : [],
  );
  expect(ended).toHaveLength(200);
  // One thread has closed all of them: the one that accepts.
  expect(new Set(ended).size).toBe(1);
  expect(serving.server.workers()).toHaveLength(3);
  await Promise.all([honest.close(), busy[1]!.close()]);
  await serving.stop();
});
