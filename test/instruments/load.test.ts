/** `runLoad` against real servers, good and bad ones, over both of its loops: it recognizes each outcome. */
import { createServer, type Server as NetServer, type Socket } from 'node:net';
import { afterAll, afterEach, describe, expect, test } from 'vitest';
import type { ServeOptions } from '../../src/host/plan.ts';
import type { Server } from '../../src/host/server.ts';
import { planOf, runLoad, serve } from '../../src/index.ts';
import type { LoadPlan } from '../../src/instruments/load/plan.ts';
import type { LoadResult, RunOptions } from '../../src/instruments/load/result.ts';
import { close, localAddress, openListener } from '../../src/os/socket.ts';
import { whyNoUring } from '../../src/os/uring.ts';
import { holdings } from '../support/kernel.ts';
import { MS, until, untilSo } from '../support/until.ts';

const engines = whyNoUring() === undefined ? (['uring', 'epoll'] as const) : (['epoll'] as const);

const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

/** Servers by their options: tests and engines use the same ones, one after the other. */
const kept = new Map<string, Promise<Server>>();
afterAll(async () => {
  for (const server of kept.values()) await (await server).close({ deadline: 0 });
});

function keptServer(options: ServeOptions): Promise<Server> {
  const key = JSON.stringify(options);
  const server = kept.get(key) ?? serve({ port: 0, ...options });
  kept.set(key, server);
  return server;
}

const quick = () => keptServer({ architecture: 'epoll' });
/** Needs 50 ms for each answer. */
const slow = () => keptServer({ architecture: 'epoll', think: 50, thinkHow: 'defer' });

/** A server that calls `onConnection` for each client, for faults that no Mondo server has. */
async function scripted(onConnection: (socket: Socket) => void): Promise<number> {
  const sockets = new Set<Socket>();
  const server: NetServer = createServer({ noDelay: true }, (socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket)).on('error', () => {});
    onConnection(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closing.push(() => {
    for (const socket of sockets) socket.destroy();
    return new Promise((resolve) => server.close(resolve));
  });
  return (server.address() as { port: number }).port;
}

const short: Partial<LoadPlan> = {
  connections: 4,
  stages: [{ kind: 'steady', seconds: 0.25, from: 100 }],
  // A closed loop without a pause takes all processors, and most tests need only some answers.
  think: 1,
  // A busy machine may need long for the last answers, and the run ends as soon as they have come.
  grace: 10_000,
  maxLag: 60_000,
};
/** For questions that get no answer: the run waits for them until the grace is over. */
const unanswered: Partial<LoadPlan> = { grace: 300 };

const load = async (plan: Partial<LoadPlan>, options?: RunOptions): Promise<LoadResult> =>
  (await runLoad(planOf({ ...short, ...plan }), options)).result;

/** The outcomes that occurred. */
const counted = ({ outcomes }: LoadResult) =>
  Object.fromEntries(Object.entries(outcomes).filter(([, count]) => count > 0));

describe.each(engines)('%s', (engine) => {
  test('a server that takes 50 ms per answer, asked 10 times a second, is measured with 50 ms for each answer', async () => {
    const { port } = await slow();
    const { service, response, totals, outcomes, validity } = await load({
      port,
      engine,
      loop: 'open',
      stages: [{ kind: 'steady', seconds: 1.5, from: 10 }],
    });
    expect([totals.questions, totals.answers]).toEqual([15, 15]);
    expect([service.count, response.count, outcomes.answered]).toEqual([15, 15, 15]);
    // Never less. And the machine is fast enough for some of 15 answers.
    for (const { min } of [service, response]) {
      expect(min).toBeGreaterThanOrEqual(49.9);
      expect(min).toBeLessThan(2 * 50);
    }
    expect(response.p50).toBeGreaterThanOrEqual(service.p50);
    expect(validity.rateRatio).toBeGreaterThan(0.8);
  });

  test('a closed loop asks continuously, checks every answer, and does not count warm-up', async () => {
    // Other tests ask as fast as they can.
    const server = await slow();
    const result = await load({
      port: server.port,
      engine,
      think: 0,
      pipeline: 3,
      stages: [
        { kind: 'warm-up', seconds: 0.2 },
        { kind: 'steady', seconds: 1.2 },
      ],
      pid: server.pids[0]!,
    });
    expect(Object.keys(counted(result))).toEqual(['answered']);
    expect(result.totals.answers).toBeGreaterThan(4);
    expect(result.response.count).toBe(result.totals.answers);
    expect(result.seconds).toBeCloseTo(1.2, 3);
    expect(result.series.map(({ at }) => at)).toEqual([0, 1]);
    expect(result.series[1]!.seconds).toBeLessThan(0.9);
    expect(result.connections).toMatchObject({ count: 4, opened: 4, neverAnswered: 0 });
    expect(result.connections.fairness).toBeGreaterThan(0.9);
    expect(result.environment.engine).toBe(engine);
    expect(result.server!.totals.cpuMicrosecondsPerAnswer).toBeGreaterThan(0);
    expect(result.server!.samples.at(-1)).toMatchObject({ processes: 1, acceptQueue: 0 });
  });

  test('connections that a server does not serve are reported as starved', async () => {
    const { port } = await keptServer({ architecture: 'single', limits: { idle: 0 } });
    const result = await load({
      ...unanswered,
      port,
      engine,
      connections: 8,
      stages: [
        { kind: 'warm-up', seconds: 0.3 },
        { kind: 'steady', seconds: 0.5 },
      ],
    });
    expect(result.connections).toMatchObject({
      neverAnswered: 7,
      answers: { least: 0, median: 0 },
    });
    expect(result.connections.fairness).toBeCloseTo(1 / 8, 3);
    expect(result.outcomes.neverServed).toBe(7);
    expect(result.series.at(-1)!.starved).toBe(7);
  });

  test('in an open loop each connection has its share, and the response time includes the wait for its turn', async () => {
    const { port } = await slow();
    // Each answer takes 50 ms, so a connection can do 20 a second, and 50 are wanted.
    const stages = [{ kind: 'steady', seconds: 0.5, from: 100 }] as const;
    const result = await load({
      ...{ port, engine, loop: 'open', connections: 2 },
      stages,
    });
    expect(result.totals).toMatchObject({ questions: 50, answers: 50 });
    expect(result.service.max).toBeLessThan(result.response.max);
    expect(result.response.max).toBeGreaterThan(400);
    expect(result.connections.answers).toMatchObject({ least: 25, most: 25 });
  });

  test('connections are opened again after the planned number of questions', async () => {
    const { port } = await quick();
    const result = await load({ port, engine, questionsPerConnection: 3 });
    expect(Object.keys(counted(result))).toEqual(['answered']);
    expect(result.connections.opened).toBeGreaterThanOrEqual(result.totals.answers / 3);
    expect(result.connections.opened).toBeLessThan(result.totals.answers / 3 + 50);
  });

  test('think time separates an answer from the next question', async () => {
    const { port } = await quick();
    const stages = [{ kind: 'steady', seconds: 0.5, from: 100 }] as const;
    const { totals } = await load({ port, engine, connections: 2, think: 100, stages });
    expect(totals.answers).toBeGreaterThan(2);
    expect(totals.answers).toBeLessThanOrEqual(2 * 6);
  });

  test('over a unix socket, and over IPv6', async () => {
    const path = `unix:/tmp/mondo-load-${process.pid}.sock`;
    await keptServer({ architecture: 'epoll', host: path });
    expect((await load({ host: path, engine })).totals.answers).toBeGreaterThan(0);
    const missing = await load({ ...unanswered, host: `${path}-not`, engine });
    expect(missing.outcomes.connectFailed).toBeGreaterThan(0);
    expect(missing.connectErrors).toEqual({ ENOENT: missing.outcomes.connectFailed });
    const { port } = await keptServer({ architecture: 'epoll', host: '::1' });
    expect((await load({ host: '::1', port, engine })).totals.answers).toBeGreaterThan(0);
  });

  test.each([
    [
      'lines.ts',
      { kind: 'line' as const },
      [{ question: '1 2 +', answer: '3' }, { question: '7 2 *' }],
    ],
    [
      'length-prefixed.ts',
      { kind: 'length' as const, bytes: 4 as const },
      [{ question: 'any bytes' }, { question: 'AAEC/w==', base64: true }],
    ],
  ])('another service: %s', async (file, framing, exchanges) => {
    const service = new URL(`../../examples/${file}`, import.meta.url);
    const { port } = await keptServer({ architecture: 'epoll', service });
    const stages = [{ kind: 'steady', seconds: 0.1 }] as const;
    const result = await load({ port, engine, framing, exchanges, stages, pipeline: 4, think: 0 });
    expect(Object.keys(counted(result))).toEqual(['answered']);
    expect(result.totals.answers).toBeGreaterThan(0);
  });

  test('wrong answers', async () => {
    const port = await scripted((socket) => socket.on('data', () => socket.write('Uglx.')));
    const result = await load({ port, engine });
    expect(Object.keys(counted(result))).toEqual(['wrong']);
    expect(result.validity.trusted).toBe(false);
    expect(result.connections).toMatchObject({ neverAnswered: 4, fairness: null });
  });

  test('bytes without a question', async () => {
    const port = await scripted((socket) => socket.write('Ugly.'));
    const result = await load({
      ...unanswered,
      port,
      engine,
      stages: [{ kind: 'steady', seconds: 0.5, from: 1 }],
      loop: 'open',
    });
    expect(result.outcomes.extraBytes).toBeGreaterThan(0);
  });

  test('closed before and inside an answer', async () => {
    const before = await scripted((socket) => socket.on('data', () => socket.end()));
    expect((await load({ port: before, engine })).outcomes.closedBefore).toBeGreaterThan(0);
    const inside = await scripted((socket) => socket.on('data', () => socket.end('Ug')));
    expect((await load({ port: inside, engine })).outcomes.closedInside).toBeGreaterThan(0);
  });

  test('reset before and inside an answer', async () => {
    const before = await scripted((socket) => socket.on('data', () => socket.resetAndDestroy()));
    expect((await load({ port: before, engine })).outcomes.resetBefore).toBeGreaterThan(0);
    const inside = await scripted((socket) =>
      socket.on('data', () => {
        // Resets only after the load has read the bytes, because a reset discards unread ones.
        socket.write('Ug');
        setTimeout(() => socket.resetAndDestroy(), 50);
      }),
    );
    expect((await load({ port: inside, engine })).outcomes.resetInside).toBeGreaterThan(0);
  });

  test('refused, and late, and no answer at all', async () => {
    const { port } = await slow();
    const isOnly = (outcome: string) => (result: LoadResult) =>
      Object.keys(counted(result)).join() === outcome;
    const late = await untilSo(() => load({ port, engine, deadline: 10 }), isOnly('late'));
    expect(Object.keys(counted(late))).toEqual(['late']);
    expect(late.totals.answers).toBe(late.response.count);

    const silent = await scripted(() => {});
    const timedOut = await load({ port: silent, engine, timeout: 100 });
    expect(timedOut.outcomes.timedOut).toBeGreaterThan(0);

    const gone = await scripted(() => {});
    await closing.pop()!();
    const refused = await load({ ...unanswered, port: gone, engine });
    expect(refused.outcomes.refused).toBeGreaterThan(0);
    expect(refused.outcomes.neverServed).toBe(4);
    expect(refused.validity).toMatchObject({ trusted: false });
  });

  test('connections that the server does not accept time out', async () => {
    // With a full accept queue, the kernel ignores new handshakes.
    const listener = openListener({ family: 'IPv4', host: '127.0.0.1', port: 0 }, { backlog: 1 });
    closing.push(async () => close(listener));
    const { port } = localAddress(listener) as { port: number };
    const result = await load({
      ...unanswered,
      port,
      engine,
      connections: 12,
      connectTimeout: 100,
    });
    expect(result.outcomes.connectTimeout).toBeGreaterThan(0);
    expect(result.outcomes.neverServed).toBe(12);
  });

  test('after a stop, the result has the measurements so far, and nothing is left behind', async () => {
    const { port } = await quick();
    await load({ port, engine });
    const before = holdings();
    const stopping = new AbortController();
    const result = await load(
      { port, engine, stages: [{ kind: 'steady', seconds: 600 }] },
      {
        signal: stopping.signal,
        onProgress: ({ answers }) => {
          if (answers > 50) stopping.abort();
        },
      },
    );
    expect(result.validity).toMatchObject({ interrupted: true, trusted: false });
    expect(result.totals.answers).toBeGreaterThan(50);
    expect(result.seconds).toBeLessThan(500);
    await until('the close of all descriptors', () => holdings().length <= before.length);
  });

  // Both loops get their questions from one schedule.
  if (engine !== 'epoll') return;

  test('shards of a plan together ask exactly the questions of the whole', async () => {
    const { port } = await quick();
    const parts = await Promise.all(
      [1, 2, 3].map((index) =>
        load({
          port,
          engine,
          loop: 'open',
          arrivals: 'poisson',
          connections: 7,
          shard: { index, of: 3 },
        }),
      ),
    );
    const whole = await load({
      port,
      engine,
      loop: 'open',
      arrivals: 'poisson',
      connections: 7,
    });
    expect(parts.map(({ connections }) => connections.count)).toEqual([3, 2, 2]);
    const sum = parts.reduce((all, { totals }) => all + totals.answers, 0);
    expect(sum).toBe(whole.totals.answers);
  });

  test('waits for its start time', async () => {
    const { port } = await quick();
    const startAt = Date.now() + 1000 * MS;
    const { startedAt, validity } = await load({ port, engine, startAt });
    expect(startedAt).toBeGreaterThanOrEqual(startAt - 1);
    // If a busy machine made it start more than a second late, the result must say so.
    expect(validity.trusted).toBe(startedAt - startAt <= 1000);
  });
});

test('seconds add up to the whole', async () => {
  const { decode } = await import('../../src/instruments/load/histograms.ts');
  const { port } = await quick();
  const { result, state } = await runLoad(
    planOf({ ...short, port, stages: [{ kind: 'steady', seconds: 1.2 }], think: 1 }),
  );
  const encoded = state.series.flatMap(({ response }) => response ?? []);
  const sum = encoded
    .map((one) => decode(one))
    .reduce((all, one) => {
      all.add(one);
      return all;
    });
  const whole = decode(result.response.hdr);
  expect(encoded.length).toBeGreaterThanOrEqual(2);
  expect(sum.totalCount).toBe(result.totals.answers);
  for (const percentile of [0, 10, 50, 99, 100]) {
    expect(sum.getValueAtPercentile(percentile)).toBe(whole.getValueAtPercentile(percentile));
  }
});

test('a name that does not resolve is one clear error', async () => {
  await expect(load({ host: 'no.such.host.invalid' })).rejects.toThrow(
    /Cannot find host "no.such.host.invalid"/,
  );
});
