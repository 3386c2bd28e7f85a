/** A service given as an object is served in the calling process, and its server reports as any other does. */
import { describe, expect, it } from 'vitest';
import { ask, NetClient } from '../support/clients.ts';
import echo from '../support/services/echo.ts';
import { Serving } from '../support/serving.ts';
import { FOREVER, until } from '../support/until.ts';

const module = new URL('../support/services/echo.ts', import.meta.url);

const servers = (['callback', 'coroutine'] as const).flatMap((architecture) => [
  { title: `${architecture}, an object`, architecture, service: echo },
  { title: `${architecture}, a module`, architecture, service: module },
]);

/** Asks `n` times and checks each answer. */
async function askTimes(client: NetClient, n: number): Promise<void> {
  for (let i = 0; i < n; i++) expect(await ask(client, 'one?', 5)).toBe('one?!');
}

describe.each(servers)('$title', ({ architecture, service }) => {
  it('reports its worker, its questions and its queue', async () => {
    const serving = await Serving.start({ architecture, service, backlog: 7 });
    const { server } = serving;
    const pid = service === echo ? process.pid : server.pids[0];
    const rows = () =>
      server
        .workers()
        .map(({ state, accepted, open, ...row }) => ({ pid: row.pid, state, accepted, open }));
    const row = { pid, state: 'waiting', accepted: 0, open: 0 };
    await until('it to wait for clients', () => rows()[0]?.state === 'waiting');
    expect(rows()).toEqual([row]);
    // The kernel admits one more than the backlog.
    expect(server.queue()).toEqual({ waiting: 0, limit: 8 });
    expect(server.queued).toBe(0);
    const client = await NetClient.connect(serving.address);
    await askTimes(client, 2);
    expect(rows()).toEqual([{ ...row, accepted: 1, open: 1 }]);
    const [before] = server.workers();
    await until('its loop to turn', () => server.workers()[0]!.turns > before!.turns);
    await client.close();
    await serving.expectAccount(client.peer, ['accepted', 'closed']);
    await until('the end to be counted', () => rows()[0]!.open === 0);
    expect(rows()).toEqual([{ ...row, accepted: 1 }]);
    expect(server.served()).toEqual({ questions: 2, connections: 1 });
    await serving.stop();
    expect(server.workers()).toEqual([]);
    expect(server.queue()).toBeUndefined();
    expect(server.served()).toEqual({ questions: 2, connections: 1 });
  });

  it('keeps the limits, and counts what they close and refuse', async () => {
    const limits = { questions: 2, connectionsPerAddress: 1, idle: FOREVER };
    const serving = await Serving.start({ architecture, service, limits });
    const { server } = serving;
    const client = await NetClient.connect(serving.address);
    await askTimes(client, 1);
    const second = await NetClient.connect(serving.address);
    await second.rest();
    await askTimes(client, 1);
    expect(await client.rest()).toBe('');
    await until('both to be counted', () => Object.keys(server.counts()).length === 2);
    const counted = server.counts();
    expect(counted).toEqual({ questions: 1, 'connections-per-address': 1 });
    const third = await NetClient.connect(serving.address);
    await askTimes(third, 2);
    await third.rest();
    await until('one more to be counted', () => server.counts().questions === 2);
    // A reading stays as it was.
    expect(counted).toEqual({ questions: 1, 'connections-per-address': 1 });
    await serving.close();
  });
});
