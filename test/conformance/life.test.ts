/** The life of a service: `open`, `connected`, questions with the state of a connection, `disconnected`, `close`. */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { planOf } from '../../src/host/plan.ts';
import { copiesText } from '../../src/host/supervisor/copies.ts';
import { defineService, type ServerEvent, serve } from '../../src/index.ts';
import { ask, BlockingClient, endBlockingThreads, NetClient } from '../support/clients.ts';
import { threadsOf } from '../support/kernel.ts';
import { drivers, representatives, Serving } from '../support/serving.ts';
import { until } from '../support/until.ts';

const folder = mkdtempSync(join(tmpdir(), 'mondo-life-'));
afterAll(() => rmSync(folder, { recursive: true }));
afterAll(endBlockingThreads);
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

describe.concurrent.each(representatives)('$title', ({ options, traits, capacity }) => {
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

describe.concurrent.each(drivers)('$title', ({ options, traits: { name } }) => {
  it('gives the service and the log the path of a unix peer', async () => {
    const path = join(folder, `${name}.server`);
    const own = join(folder, `${name}.client`);
    const service = new URL('../support/services/announced.ts', import.meta.url);
    const serving = await Serving.start({ ...options, host: `unix:${path}`, service });
    for (const [from, log] of [
      [own, `unix:${own}`],
      ['', 'unix'],
    ] as const) {
      const address = from === '' ? undefined : ({ family: 'unix', path: from } as const);
      const client = await BlockingClient.connect(serving.address, address);
      const expected = JSON.stringify({ family: 'unix', address: '', port: 0, path: from });
      expect(await ask(client, 'Who?', expected.length + 1)).toBe(`${expected}\n`);
      await client.close();
      await serving.expectAccount(log, ['accepted', 'closed']);
    }
    await serving.close();
  });
});

describe.concurrent.each(drivers)('$title', ({ options }) => {
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

// The tests below have such a timer too, in other architectures.
it.concurrent.each(
  drivers.filter(({ traits }) => !['threaded', 'epoll', 'asyncore'].includes(traits.name)),
)('$title ends at a stop, although its service with promises has left a timer', async ({
  options,
}) => {
  const service = new URL('../support/services/ticking.ts', import.meta.url);
  const serving = await Serving.start({ ...options, service });
  const client = await NetClient.connect(serving.address);
  expect(await ask(client, 'Well?', 5)).toBe('Well?');
  await client.close();
  await serving.close();
});

it.each([
  { architecture: 'epoll', copies: 1 },
  { architecture: 'threaded', copies: 2 },
])('$architecture with only the asynchronous form opens it in the thread that answers', async ({
  architecture,
  copies,
}) => {
  const { service, lines } = living({ later: '', tick: '' });
  const serving = await Serving.start({ architecture, threads: 1, service });
  const client = await NetClient.connect(serving.address);
  expect(await ask(client, 'When?', 6)).toBe('Later.');
  await client.close();
  await serving.stop();
  expectWholeLives(lines());
  const asked = lines().find(([, moment]) => moment === 'asked')![0];
  expect(
    lines()
      .filter(([, moment]) => moment === 'open')
      .map(([self]) => self),
  ).toContain(asked);
  expect(lines().filter(([, moment]) => moment === 'close')).toHaveLength(copies);
});

it.each([
  'threaded',
  'queued',
])('%s opens a service with only the asynchronous form everywhere before its first client', async (architecture) => {
  const { service, lines } = living({ later: '', tick: '' });
  const threads = 2;
  const serving = await Serving.start({ architecture, threads, service });
  const opened = () => lines().filter(([, moment]) => moment === 'open').length;
  const before = opened();
  const clients = [];
  for (let i = 0; i < threads; i++) {
    const client = await NetClient.connect(serving.address);
    expect(await ask(client, 'When?', 6)).toBe('Later.');
    clients.push(client);
  }
  expect(opened()).toBe(before);
  for (const client of clients) await client.close();
  await serving.stop();
  expectWholeLives(lines());
});

it.each([
  ['single', ['open', 'close']],
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

describe('a service that does not declare what it shares', () => {
  it.each([{ shared: 'none' }, { shared: 'external' }])('%j: no line', async (declared) => {
    const { service } = living(declared);
    const serving = await Serving.start({ architecture: 'threaded', threads: 2, service });
    await serving.close();
    expect(copiesIn(serving.events)).toEqual([]);
  });

  it('the line does not come again with a restart, and not for the built-in service', async () => {
    const { service } = living();
    const serving = await Serving.start({ architecture: 'prefork', processes: 2, service });
    await serving.server.restart();
    await serving.close();
    expect(copiesIn(serving.events)).toHaveLength(1);
    const zen = await Serving.start({ architecture: 'prefork', processes: 2 });
    await zen.close();
    expect(copiesIn(zen.events)).toEqual([]);
  });
});
