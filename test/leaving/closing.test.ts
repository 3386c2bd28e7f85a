/** Closing a server more than once, with all kinds of deadlines: the end can only come nearer. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, expect, it, vi } from 'vitest';
import type { ServeOptions } from '../../src/host/plan.ts';
import { ask, NetClient } from '../support/clients.ts';
import { descendantsOf } from '../support/kernel.ts';
import { isRefused } from '../support/serve-command.ts';
import { distinct, Serving, variants } from '../support/serving.ts';
import { FOREVER, inTime, MS, PATIENCE, until, within } from '../support/until.ts';

vi.setConfig({ maxConcurrency: 12 });

const BEAUTIFUL = 'Beautiful is better than?';
/** Time to kill a process before its answer is due. */
const THINK = 3000 * MS;

const never: ServeOptions = { think: FOREVER, thinkHow: 'defer' };
const inProcess: ServeOptions = {
  architecture: 'callback',
  service: { delimiter: '?', answerAsync: () => new Promise<string>(() => {}) },
};
/** The rule for workers is that of src/lifecycle/drain.test.ts. */
const kinds: readonly (readonly [string, ServeOptions])[] = [
  ['epoll', { ...never, architecture: 'epoll' }],
  ['a server in this process', inProcess],
];

describe.concurrent.each(kinds)('%s', (_, options) => {
  /** A server with a client that waits for an answer which never comes. */
  async function owing() {
    const serving = await Serving.start(options);
    const client = await NetClient.connect(serving.address);
    await serving.expectAccepted(client.peer);
    await client.send(BEAUTIFUL);
    await serving.expectReceived(client.peer);
    return { serving, client };
  }

  it.each([
    ['the default', undefined],
    ['later', FOREVER],
  ])('is closed again with a deadline that is %s, and does not end later', async (_which, deadline) => {
    const { serving, client } = await owing();
    const closed = serving.server.close({ deadline: 300 * MS });
    const again = serving.server.close(deadline === undefined ? {} : { deadline });
    // A drain is ten seconds by default.
    await within(PATIENCE, 'the end of the server', closed);
    await again;
    expect(serving.events.at(-1)).toMatchObject({ type: 'stopped', drained: 0, cut: 1 });
    await client.close();
  });

  it('is closed again with a nearer deadline, and keeps it', async () => {
    const { serving, client } = await owing();
    const closed = serving.server.close({ deadline: FOREVER });
    void serving.server.close({ deadline: 300 * MS });
    await within(PATIENCE, 'the end of the server', closed);
    expect(serving.events.at(-1)).toMatchObject({ type: 'stopped', drained: 0, cut: 1 });
    await client.close();
  });
});

describe.concurrent('a client that is cut off is counted once', () => {
  /** A server with `count` clients that wait for an answer which never comes. */
  async function owing(options: ServeOptions, count: number, beat = () => {}) {
    const serving = await Serving.start({ ...never, ...options });
    const clients: NetClient[] = [];
    for (let i = 0; i < count; i++) {
      const client = await NetClient.connect(serving.address);
      if (i === 0) beat();
      await client.send(BEAUTIFUL);
      await serving.expectReceived(client.peer);
      clients.push(client);
    }
    return { serving, clients };
  }
  const opened = (serving: Serving) =>
    serving.server.workers().reduce((sum, { open }) => sum + open, 0);

  it.each([
    ...distinct,
    // Their clients have processes of their own, and the thread of Node's loop is not the only one.
    ...variants.filter(
      ({ options: { mixin, inetd, threads, architecture } }) =>
        mixin === 'forking' || inetd === 'wait' || (architecture === 'callback' && threads === 2),
    ),
  ])('when $title stops, and gets a second order with a nearer end', async ({
    options,
    capacity,
  }) => {
    const count = Math.min(3, capacity);
    const { serving, clients } = await owing(options, count);
    const closed = serving.server.close({ deadline: FOREVER });
    await nextTurn();
    void serving.server.close({ deadline: 100 * MS });
    await within(PATIENCE, 'the end of the server', closed);
    expect(serving.events.at(-1)).toMatchObject({ type: 'stopped', drained: 0, cut: count });
    for (const client of clients) {
      expect(await client.rest()).toBe('');
      await client.close();
    }
  });

  it.each([
    'callback',
    'coroutine',
  ])('but not if it has left before its answer came, with %s', async (architecture) => {
    const { serving, clients } = await owing({ architecture }, 4);
    await clients[0]!.reset();
    await clients[1]!.reset();
    await until('them to have left', () => opened(serving) === 2);
    await within(PATIENCE, 'the end of the server', serving.server.close({ deadline: 300 * MS }));
    expect(serving.events.at(-1)).toMatchObject({ type: 'stopped', drained: 0, cut: 2 });
    for (const client of clients.slice(2)) await client.close();
  });

  it('when a leaving worker of threaded is killed, which has a row for each thread', async () => {
    const { serving, clients } = await owing({ architecture: 'threaded', threads: 2 }, 2);
    const closed = serving.server.close({ deadline: FOREVER });
    process.kill(serving.server.pids[0]!, 'SIGKILL');
    await within(PATIENCE, 'the end of the server', closed);
    expect(serving.events.at(-1)).toMatchObject({ type: 'stopped', drained: 0, cut: 2 });
    for (const client of clients) await client.close();
  });

  it.each([
    { architecture: 'inetd' },
    { architecture: 'socketserver', mixin: 'forking' },
  ] as const)('when a leaving process of $architecture is killed', (options) =>
    inTime(THINK, async (beat) => {
      const { serving, clients } = await owing({ ...options, think: THINK }, 2, beat);
      const closed = serving.server.close({ deadline: FOREVER });
      await until('the listener to be closed', () => isRefused(serving.server.port));
      process.kill(descendantsOf(serving.server.pids[0]!)[0]!, 'SIGKILL');
      beat();
      await within(PATIENCE, 'the end of the server', closed);
      expect(serving.events.at(-1)).toMatchObject({ type: 'stopped', drained: 1, cut: 1 });
      for (const client of clients) await client.close();
    }));

  it('when a replaced worker is killed: its death is reported', async () => {
    const { serving, clients } = await owing({ architecture: 'epoll', drain: FOREVER }, 2);
    const [old] = serving.server.pids;
    await serving.server.restart();
    process.kill(old!, 'SIGKILL');
    const died = await until('its death to be reported', () =>
      serving.events.find(({ type }) => type === 'died'),
    );
    expect(died).toMatchObject({ pid: old, lost: 2, delay: undefined });
    await serving.server.close({ deadline: 0 });
    expect(serving.events.at(-1)).toMatchObject({ type: 'stopped', drained: 0, cut: 0 });
    for (const client of clients) await client.close();
  });
});

describe.concurrent.each([
  ['epoll', { architecture: 'epoll' }],
  [
    'a server in this process',
    { architecture: 'coroutine', service: { delimiter: '?', answer: () => 'Ugly.' } },
  ],
] as const)('%s', (_, options) => {
  it('refuses an invalid deadline, and continues to serve', async () => {
    const serving = await Serving.start(options);
    const client = await NetClient.connect(serving.address);
    for (const deadline of [Number.POSITIVE_INFINITY, 2 ** 31, FOREVER + 1, Number.NaN, -5, 1.5]) {
      await expect(serving.server.close({ deadline })).rejects.toThrow(
        `Cannot use ${deadline} as a deadline in ms: give a whole number from 0 to 3600000`,
      );
    }
    expect(await ask(client, BEAUTIFUL, 5)).toBe('Ugly.');
    await client.close();
    await serving.close();
  });
});

/** Two answers of this length fit into the time that a late worker has before it is killed, in ms. */
const SHORT = 150;

// Select and poll hear of it as epoll does.
it.each([
  'epoll',
  'uring',
  'generator',
  'asyncore',
])('%s answers a question that came in time, although its loop hears of the stop too late', (architecture) =>
  inTime(500, async (beat) => {
    const serving = await Serving.start({ architecture, think: SHORT });
    const clients = [
      await NetClient.connect(serving.address),
      await NetClient.connect(serving.address),
    ];
    for (const client of clients) await serving.expectAccepted(client.peer);
    await clients[0]!.send(BEAUTIFUL);
    await until('the loop to be inside the answer', () =>
      serving.server.workers().some(({ state }) => state === 'answering'),
    );
    await clients[1]!.send(BEAUTIFUL);
    beat();
    await serving.server.close({ deadline: 1 });
    beat();
    const answers = await Promise.all(clients.map((client) => client.rest()));
    await Promise.all(clients.map((client) => client.close()));
    await serving.close();
    expect(answers).toEqual(['Ugly.', 'Ugly.']);
  }));
