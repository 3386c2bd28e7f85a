/** The metrics of a server: exact, and never less than before. */
import { kill } from 'node:process';
import { describe, expect, it, vi } from 'vitest';
import { agentSays, ask as askAdmin, samplesOf, scrape } from '../support/admin.ts';
import { ask, NetClient } from '../support/clients.ts';
import echo from '../support/services/echo.ts';
import { distinct, Serving } from '../support/serving.ts';
import { FOREVER, until, untilSo } from '../support/until.ts';

vi.setConfig({ maxConcurrency: 4 });

const QUESTION = 'Simple is better than?';
const ANSWER = 'Complex.';
const UNKNOWN = 'Error: unknown aphorism.';

/** The metrics once all connections have ended. */
const atRest = (where: string) =>
  until('no connection', async () => {
    const found = await scrape(where);
    return found.get('mondo_connections') === 0 && found;
  });

const sumOf = (found: ReadonlyMap<string, number>, name: string): number =>
  [...found].reduce((sum, [key, value]) => (key.startsWith(`${name}{`) ? sum + value : sum), 0);

/** The counters whose values are lower than before. */
const fallen = (before: ReadonlyMap<string, number>, after: ReadonlyMap<string, number>) =>
  [...before].filter(
    ([key, value]) => /_total(?:\{|$)/.test(key) && (after.get(key) ?? Number.NaN) < value,
  );

/** One client that sends its question in two pieces, one that sends three at once, and one that leaves early. */
async function talk(serving: Serving): Promise<void> {
  const pieces = await NetClient.connect(serving.address);
  await pieces.send('Simple is ');
  await serving.expectReceived(pieces.peer);
  expect(await ask(pieces, 'better than?', ANSWER.length)).toBe(ANSWER);
  await pieces.close();
  const several = await NetClient.connect(serving.address);
  const answers = `${ANSWER}${UNKNOWN}${ANSWER}`;
  expect(await ask(several, `${QUESTION}What?${QUESTION}`, answers.length)).toBe(answers);
  await several.close();
  const early = await NetClient.connect(serving.address);
  await early.send('Simple');
  await early.end();
  expect(await early.rest()).toBe('');
  await early.close();
}

const expected = {
  mondo_connections_accepted_total: 3,
  'mondo_connections_closed_total{how="closed"}': 2,
  'mondo_connections_closed_total{how="hungUp"}': 1,
  'mondo_connections_closed_total{how="lost"}': 0,
  mondo_answers_total: 4,
  mondo_received_bytes_total: 3 * QUESTION.length + 'What?'.length + 'Simple'.length,
  mondo_sent_bytes_total: 3 * ANSWER.length + UNKNOWN.length,
  mondo_unsent_bytes: 0,
  'mondo_limited_total{reason="idle"}': 0,
  mondo_generation: 1,
  'mondo_state{state="ready"}': 1,
  'mondo_state{state="lame"}': 0,
  'mondo_restarts_total{result="done"}': 0,
  mondo_journal_dropped_total: 0,
};

describe.concurrent('metrics are exact', () => {
  it.each(distinct)('of $title', async ({ options, traits }) => {
    const serving = await Serving.start({ ...options, admin: '0' });
    const { admin } = serving.server;
    await talk(serving);
    const found = await atRest(admin!);
    expect(Object.fromEntries(found)).toMatchObject(expected);
    expect(found.get(`mondo_architecture_info{name="${traits.name}"}`)).toBe(1);
    expect(sumOf(found, 'mondo_workers')).toBe(serving.server.workers().length);
    expect(found.get('mondo_accept_queue_limit')).toBeGreaterThan(0);
    expect(found.get('mondo_processes_open_fds')).toBeGreaterThan(0);
    // Without a look at what is left: the neighbours hold descriptors of this process too.
    await serving.close();
  });

  it('of a server in this process', async () => {
    const serving = await Serving.start({ architecture: 'callback', service: echo, admin: '0' });
    const client = await NetClient.connect(serving.address);
    expect(await ask(client, 'one?', 5)).toBe('one?!');
    expect((await scrape(serving.server.admin!)).get('mondo_connections')).toBe(1);
    await client.close();
    expect(Object.fromEntries(await atRest(serving.server.admin!))).toMatchObject({
      mondo_connections_accepted_total: 1,
      'mondo_connections_closed_total{how="closed"}': 1,
      mondo_answers_total: 1,
      mondo_received_bytes_total: 4,
      mondo_sent_bytes_total: 5,
    });
    await serving.close();
  });
});

it('loses no count when a worker dies or is replaced', async () => {
  const options = { architecture: 'epoll', processes: 2, admin: '0', stuck: 0 } as const;
  const serving = await Serving.start(options);
  const { server } = serving;
  const seen = [await scrape(server.admin!)];
  const look = async () => {
    const now = await scrape(server.admin!);
    expect(fallen(seen.at(-1)!, now)).toEqual([]);
    seen.push(now);
    return now;
  };
  const clients = await Promise.all(
    Array.from({ length: 20 }, () => NetClient.connect(serving.address)),
  );
  for (const client of clients) expect(await ask(client, QUESTION, ANSWER.length)).toBe(ANSWER);
  await look();
  const [first] = server.pids;
  const lost = server.workers().find(({ pid }) => pid === first)!.open;
  kill(first!, 'SIGKILL');
  await until('another worker', async () => {
    const now = await look();
    const deaths = now.get('mondo_worker_exits_total{why="signal"}');
    return deaths === 1 && now.get('mondo_serving_processes') === 2;
  });
  expect((await look()).get('mondo_connections_closed_total{how="lost"}')).toBe(lost);
  await server.restart();
  await Promise.all(clients.map((client) => client.close()));
  await until('the old workers to leave', async () => (await look()) && server.pids.length === 2);
  const last = await atRest(server.admin!);
  expect(fallen(seen.at(-1)!, last)).toEqual([]);
  expect(Object.fromEntries(last)).toMatchObject({
    mondo_answers_total: 20,
    mondo_connections_accepted_total: 20,
    'mondo_worker_exits_total{why="signal"}': 1,
    'mondo_worker_exits_total{why="left"}': 2,
    'mondo_restarts_total{result="done"}': 1,
    mondo_generation: 2,
  });
  expect(sumOf(last, 'mondo_connections_closed_total')).toBe(20);
  expect(last.get('mondo_last_restart_timestamp_seconds')).toBeGreaterThan(1e9);
  await serving.stop();
});

it('is readable while every thread is blocked, and says so', async () => {
  const serving = await Serving.start({
    ...{ architecture: 'single', admin: '0', agentCheck: '0', stuck: 50, backlog: 7 },
  });
  const { admin, agentCheck, pids } = serving.server;
  const health = async () => (await askAdmin(admin!, '/livez')).status;
  kill(pids[0]!, 'SIGSTOP');
  try {
    const client = await NetClient.connect(serving.address);
    const found = await until('the worker to be stuck', async () => {
      const { status, body } = await askAdmin(admin!, '/metrics');
      expect(status).toBe(200);
      const now = samplesOf(body);
      return now.get('mondo_stuck_workers') === 1 && now;
    });
    expect(found.get('mondo_accept_queue')).toBe(1);
    expect(found.get('mondo_accept_queue_limit')).toBe(8);
    expect(await health()).toBe(503);
    // A restart helps, and another server does not: the clients here would wait there too.
    expect((await askAdmin(admin!, '/readyz')).status).toBe(200);
    expect(await agentSays(agentCheck!)).toBe('ready up\n');
    await client.close();
  } finally {
    kill(pids[0]!, 'SIGCONT');
  }
  await until('it to live', async () => (await health()) === 200);
  await serving.stop();
});

/** How many times as long a scrape of the second server takes: the quickest of each, of scrapes in turns. */
async function slowness(idle: string, blocked: string): Promise<number> {
  const quickest = new Map([idle, blocked].map((where) => [where, Number.POSITIVE_INFINITY]));
  for (let i = 0; i < 20; i++) {
    for (const [where, best] of quickest) {
      const begun = performance.now();
      const { status } = await askAdmin(where, '/metrics');
      expect(status).toBe(200);
      quickest.set(where, Math.min(best, performance.now() - begun));
    }
  }
  return quickest.get(blocked)! / quickest.get(idle)!;
}

it('is read as quickly while every thread is blocked as while all are idle', async () => {
  const options = { architecture: 'threaded', threads: 8, admin: '0', stuck: 0 } as const;
  const idle = await Serving.start(options);
  const blocked = await Serving.start({ ...options, think: FOREVER });
  const clients = await Promise.all(
    Array.from({ length: 8 }, () => NetClient.connect(blocked.address)),
  );
  await Promise.all(clients.map((client) => client.send(QUESTION)));
  await until('all threads to be blocked', () =>
    blocked.server.workers().every(({ state }) => state === 'answering'),
  );
  const admins = [idle.server.admin!, blocked.server.admin!] as const;
  // A scrape that a worker had to answer would take an hour.
  expect(
    await untilSo(
      () => slowness(...admins),
      (ratio) => ratio < 2,
    ),
  ).toBeLessThan(2);
  await Promise.all(clients.map((client) => client.close()));
  await blocked.server.close({ deadline: 0 });
  await idle.stop();
});

it('counts a restart that fails, and connections at a limit', async () => {
  const serving = await Serving.start({
    ...{ architecture: 'epoll', admin: '0', limits: { connections: 5, questions: 1 } },
    service: new URL('../support/services/echo.ts', import.meta.url),
  });
  const { server } = serving;
  const client = await NetClient.connect(serving.address);
  expect(await ask(client, 'one?', 5)).toBe('one?!');
  expect(await client.rest()).toBe('');
  await client.close();
  await expect(server.restart({ limits: { idle: -1 } })).rejects.toThrow();
  const found = await atRest(server.admin!);
  expect(Object.fromEntries(found)).toMatchObject({
    mondo_connections_limit: 5,
    'mondo_limited_total{reason="questions"}': 1,
    'mondo_connections_closed_total{how="limited"}': 1,
  });
  await serving.stop();
});

it('counts the headers of a balancer, and their faults as limits', async () => {
  const serving = await Serving.start({
    ...{ architecture: 'epoll', admin: '0', proxy: { trusted: ['127.0.0.0/8'] } },
  });
  const good = await NetClient.connect(serving.address);
  const header = 'PROXY TCP4 203.0.113.7 127.0.0.1 4711 1060\r\n';
  expect(await ask(good, `${header}${QUESTION}`, ANSWER.length)).toBe(ANSWER);
  await good.close();
  const bad = await NetClient.connect(serving.address);
  await bad.send(QUESTION);
  expect(await bad.rest()).toBe('');
  await bad.close();
  const found = await atRest(serving.server.admin!);
  expect(Object.fromEntries(found)).toMatchObject({
    'mondo_proxy_headers_total{result="v1"}': 1,
    'mondo_proxy_headers_total{result="v2"}': 0,
    'mondo_limited_total{reason="proxy-missing"}': 1,
    mondo_connections_accepted_total: 2,
  });
  expect(sumOf(found, 'mondo_connections_closed_total')).toBe(2);
  await serving.stop();
});

it.each([
  ['the supervisor', new URL('../support/services/echo.ts', import.meta.url)],
  ['this process', echo],
])('has the times of answers if the user wants them, in %s', async (_, service) => {
  const options = { architecture: 'callback', service, admin: '0', think: 30 } as const;
  const serving = await Serving.start({ ...options, thinkHow: 'defer', metricsLatency: true });
  const client = await NetClient.connect(serving.address);
  for (let i = 0; i < 65; i++) {
    await client.send('one?');
  }
  expect(await client.receive(5 * 65)).toBe('one?!'.repeat(65));
  await client.close();
  const found = await scrape(serving.server.admin!);
  const count = found.get('mondo_answer_seconds_count')!;
  expect(count).toBeGreaterThan(0);
  expect(found.get('mondo_answer_seconds_bucket{le="+Inf"}')).toBe(count);
  // No answer comes before its thinking time.
  expect(found.get('mondo_answer_seconds_bucket{le="0.025"}')).toBe(0);
  expect(found.get('mondo_answer_seconds_sum')).toBeGreaterThan(0.029 * count);
  await serving.stop();
});
