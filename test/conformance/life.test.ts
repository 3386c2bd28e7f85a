/** The life of a service: `open`, `connected`, questions with the state of a connection, `disconnected`, `close`. */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { planOf } from '../../src/host/plan.ts';
import { copiesText } from '../../src/host/supervisor/copies.ts';
import { defineService, type ServerEvent, serve } from '../../src/index.ts';
import { ask, NetClient } from '../support/clients.ts';
import { threadsOf } from '../support/kernel.ts';
import { drivers, hosted, Serving } from '../support/serving.ts';
import { until } from '../support/until.ts';

const folder = mkdtempSync(join(tmpdir(), 'mondo-life-'));
afterAll(() => rmSync(folder, { recursive: true }));
let files = 0;

/** The service with a file of its own, and what it has written there: words by line. */
function living(options: Record<string, string> = {}) {
  const at = join(folder, String(files++));
  const service = new URL('../support/services/living.ts', import.meta.url);
  for (const [name, value] of Object.entries({ at, ...options }))
    service.searchParams.set(name, value);
  const lines = () =>
    existsSync(at)
      ? readFileSync(at, 'utf8')
          .split('\n')
          .filter(Boolean)
          .map((line) => line.split(' '))
      : [];
  return { service, lines };
}

/** Asks once, and expects the answer with the client's own address and count. */
async function count(client: NetClient, n: number): Promise<void> {
  const expected = `${client.peer} ${n}.`;
  expect(await ask(client, 'How many?', expected.length)).toBe(expected);
}

/** Checks the life of each thread and process: it opens once, before all else, and closes once, after all else. */
function expectWholeLives(lines: readonly string[][]): void {
  const lives = Map.groupBy(lines, ([self]) => self);
  for (const life of lives.values()) {
    const moments = life.map(([, moment]) => moment);
    expect([moments[0], moments.at(-1)]).toEqual(['open', 'close']);
    expect(moments.filter((moment) => moment === 'open' || moment === 'close')).toHaveLength(2);
  }
}

/** The warnings that each thread or process has its own copy of the service's state. */
const copiesIn = (events: readonly ServerEvent[]) =>
  events.flatMap((event) =>
    event.type === 'warning' && event.text.includes('own copy') ? [event.text] : [],
  );

describe.concurrent.each(hosted)('$title', ({ options, traits, capacity }) => {
  it('opens and closes the service in each thread and process, and each connection has its state; one line says which have a copy; a timer that the service has left delays no stop', async () => {
    const { service, lines } = living({ tick: '' });
    const copies = copiesText(planOf(traits, options), 'file:///counter.ts')?.split(',')[0];
    const serving = await Serving.start({ ...options, service });
    const opened = lines().filter(([, moment]) => moment === 'open');
    expect(opened.length).toBeGreaterThan(0);
    if (traits.arrangement !== 'crew') {
      const { threads, processes } = planOf(traits, options);
      const places = opened.map(([, , name, worker, thread]) => `${name} ${worker} ${thread}`);
      const all = Array.from(
        { length: processes * threads },
        (_, i) => `${traits.name} ${Math.floor(i / threads)} ${i % threads}`,
      );
      expect(places.sort()).toEqual(all.sort());
    }
    const one = await NetClient.connect(serving.address);
    await count(one, 1);
    if (capacity === 1) await one.close();
    const two = await NetClient.connect(serving.address);
    await count(two, 1);
    await count(two, 2);
    if (capacity > 1) await count(one, 2);
    if (capacity > 1) await one.close();
    await until('the first to end', () => lines().some((words) => words.includes(one.peer)));
    // The stop ends the second one.
    await serving.close();
    const ended = lines()
      .filter(([, moment]) => moment === 'disconnected')
      .map(([, , ...words]) => words.join(' '));
    expect(ended).toEqual([`${one.peer} ${capacity > 1 ? 2 : 1}`, `${two.peer} 2`]);
    expectWholeLives(lines());
    const told = copiesIn(serving.events).map((text) => text.split(',')[0]);
    expect(told).toEqual(copies === undefined ? [] : [copies]);
    expect(serving.events[0]?.type).toBe('listening');
    await two.close();
  });
});

// The host opens the service, and not the driver: one for each way to start threads and processes.
const starts = drivers.filter(({ traits: { name } }) => !['asyncore', 'uring'].includes(name));
describe.concurrent.each(starts)('$title', ({ options }) => {
  it('does not start with a service that cannot open, and says why in one line', async () => {
    const { service, lines } = living({ fail: '' });
    const failure = serve({ ...options, port: 0, service }).then(
      () => 'started',
      (error: Error) => error.message,
    );
    expect(await failure).toMatch(/^Cannot open service ".*living\.ts": There is no database\.$/);
    expect(lines()).toEqual([]);
  });
});

it.each([
  { architecture: 'epoll', threads: 1, copies: 1, shared: 'none' },
  { architecture: 'threaded', threads: 2, copies: 4, shared: 'none' },
  { architecture: 'queued', threads: 2, copies: undefined, shared: 'external' },
])('$architecture opens a service with only the asynchronous form in the thread that answers, before its first client; a service that declares itself $shared causes no line', async ({
  architecture,
  threads,
  copies,
  shared,
}) => {
  const { service, lines } = living({ later: '', tick: '', shared });
  const serving = await Serving.start({ architecture, threads, service });
  const those = (what: string) => lines().filter(([, moment]) => moment === what);
  const before = those('open').length;
  const clients = [];
  for (let i = 0; i < threads; i++) {
    const client = await NetClient.connect(serving.address);
    expect(await ask(client, 'When?', 6)).toBe('Later.');
    clients.push(client);
  }
  expect(those('open')).toHaveLength(before);
  for (const client of clients) await client.close();
  await serving.stop();
  expectWholeLives(lines());
  const opened = those('open').map(([self]) => self);
  for (const [self] of those('asked')) expect(opened).toContain(self);
  if (copies !== undefined) expect(those('close')).toHaveLength(copies);
  expect(copiesIn(serving.events)).toEqual([]);
});

it.each([
  ['threaded', ['open', 'close']],
  // The threads of its pool have no number either, so none opens.
  ['queued', []],
])('%s does not start if the thread that answers cannot open the service, and closes what is open', async (architecture, life) => {
  const { service, lines } = living({ later: '', fail: 'elsewhere' });
  await expect(serve({ architecture, threads: 1, port: 0, service })).rejects.toThrow(
    /Cannot open service ".*": There is no database\.$/,
  );
  expect(lines().map(([, moment]) => moment)).toEqual(life);
});

it('a thread that cannot open the service leaves neither itself nor its row, and its client waits', async () => {
  const down = join(folder, 'down');
  const { service, lines } = living({ fail: down, tick: '' });
  const serving = await Serving.start({ architecture: 'socketserver', service });
  const { server } = serving;
  const [pid = 0] = server.pids;
  const before = { threads: threadsOf(pid).length, rows: server.workers().length };
  writeFileSync(down, '');
  const client = await NetClient.connect(serving.address);
  const failed = () => lines().filter(([, moment]) => moment === 'failed').length;
  await until('several attempts', () => failed() >= 6);
  // Two may be starting at this moment.
  expect(server.workers().length).toBeLessThanOrEqual(before.rows + 2);
  await until('their end', () => threadsOf(pid).length <= before.threads + 2);
  rmSync(down);
  await count(client, 1);
  await client.close();
  await serving.stop();
});

it.each([
  'callback',
  'coroutine',
])('%s serves an object with its whole life, in this process', async (architecture) => {
  const moments: string[] = [];
  const service = defineService({
    delimiter: '?',
    open: async ({ architecture: name, worker, thread }) =>
      void moments.push(`open ${name} ${worker} ${thread}`),
    close: async () => void moments.push('close'),
    connected: ({ family, address }) => ({ from: `${family} ${address}`, asked: 0 }),
    answer: (_question, state) => `${state.from} ${++state.asked}.`,
    disconnected: ({ asked }) => void moments.push(`disconnected ${asked}`),
  });
  // An IPv4 peer of an IPv6 listener has its IPv4 address.
  const serving = await Serving.start({ architecture, host: '', service });
  const { port } = serving.server;
  const client = await NetClient.connect({ family: 'IPv4', host: '127.0.0.1', port });
  for (const n of [1, 2]) expect(await ask(client, 'Who?', 17)).toBe(`IPv4 127.0.0.1 ${n}.`);
  await client.close();
  await until('its end', () => moments.length === 2);
  await serving.stop();
  expect(moments).toEqual([`open ${architecture} 0 0`, 'disconnected 2', 'close']);
});

it('an object that cannot open refuses the start, and leaves the port free', async () => {
  const service = {
    delimiter: '?',
    answer: String,
    open: () => Promise.reject(new Error('no database')),
  };
  const starting = Serving.start({ architecture: 'callback', service });
  await expect(starting).rejects.toThrow('Cannot open service "the given object": no database');
  const next = await Serving.start({
    architecture: 'callback',
    service: { ...service, open: () => {} },
  });
  await next.stop();
});

it('what `disconnected` throws is reported with the connection, and the server goes on', async () => {
  const service = {
    delimiter: '?',
    answer: () => 'yes.',
    disconnected() {
      throw new Error('not now');
    },
  };
  const serving = await Serving.start({ architecture: 'callback', service });
  for (let i = 0; i < 2; i++) {
    const client = await NetClient.connect(serving.address);
    expect(await ask(client, 'Here?', 4)).toBe('yes.');
    await client.close();
    await serving.expectAccount(client.peer, ['accepted', 'threw Error: not now']);
  }
  await serving.stop();
});

it('the line on copies does not come again with a restart', async () => {
  const { service } = living();
  const serving = await Serving.start({ architecture: 'threaded', threads: 2, service });
  await serving.server.restart();
  await serving.close();
  expect(copiesIn(serving.events)).toHaveLength(1);
});
