/** Answers that are promises: in a loop all of them are outstanding together, and a blocking thread waits for its own. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { isLoop } from '../../src/worker/contract.ts';
import { ask, NetClient } from '../support/clients.ts';
import { gate, OPEN } from '../support/gate.ts';
import { isAlive } from '../support/kernel.ts';
import { isRefused } from '../support/serve-command.ts';
import { BIG, DIGITS, events } from '../support/services/promising.ts';
import { GREETING, LARGE } from '../support/services/promising-dialogue.ts';
import { oneServing, pairs, Serving, variants } from '../support/serving.ts';
import { FOREVER, MS, PATIENCE, staysPending, until, within } from '../support/until.ts';

const service = new URL('../support/services/promising.ts', import.meta.url);

const dialogue = new URL('../support/services/promising-dialogue.ts', import.meta.url);

const folder = mkdtempSync(join(tmpdir(), 'mondo-promises-'));
afterAll(() => rmSync(folder, { recursive: true }));

const NODE = Number(process.versions.node.split('.')[0]);

/** Number of clients that wait for one event. */
const CROWD = 100;

/** Loops on threads have Node's loop of that thread, and not the one of the process. One for each driver. */
const threadedLoops = variants.filter(
  ({ options: { architecture, threads = 1, processes = 1 } }) =>
    ['select', 'uring', 'callback'].includes(architecture!) && threads > 1 && processes === 1,
);

/** Those that are left out wait as `threaded` does, or are `threadedLoops`. */
const waiting = pairs.filter(
  ({ traits: { name } }) => !['queued', 'prefork', 'select', 'callback'].includes(name),
);

/** One for each way to wait for a promise; the rules of a restart are the same for each of them. */
const ways = new Set([
  'threaded threads 2',
  'socketserver',
  'inetd',
  'epoll',
  'uring',
  'callback threads 2',
]);

/** Asks `question`, and returns once the server has received it. */
async function asking(serving: Serving, question: string): Promise<NetClient> {
  const client = await NetClient.connect(serving.address);
  await client.send(question);
  await serving.expectReceived(client.peer);
  return client;
}

const expectAnswer = async (client: NetClient, question: string, answer: string) =>
  expect(await ask(client, question, answer.length)).toBe(answer);

// One server after the other, because each looks at all descriptors of this process when it has stopped.
describe.each([...waiting, ...threadedLoops])('$title answers with promises', (variant) => {
  const { options, traits, capacity } = variant;
  const running = oneServing({ ...options, service });

  it('that settle by each kind of event', async () => {
    const serving = await running();
    const client = await NetClient.connect(serving.address);
    // One after the other: no other event wakes the thread.
    for (const name of [...Object.keys(events), ...Object.keys(events).reverse()]) {
      await expectAnswer(client, `${name}?`, `${name}.`);
    }
    await client.close();
    await serving.expectAccount(client.peer, ['accepted', 'closed']);
  });

  it('in the order of the questions', async () => {
    const serving = await running();
    const client = await NetClient.connect(serving.address);
    const names = ['timer', 'microtask', 'file', 'tick', 'socket', 'microtask', 'immediate'];
    const many = Array.from({ length: 10 }, () => names).flat();
    const text = (end: string) => many.map((name) => `${name}${end}`).join('');
    await expectAnswer(client, text('?'), text('.'));
    await client.close();
    await serving.expectAccount(client.peer, ['accepted', 'closed']);
  });

  it('and ends the conversation of one that rejects', async () => {
    const serving = await running();
    const client = await NetClient.connect(serving.address);
    await client.send('timer?reject?timer?');
    expect(await client.rest()).toBe('timer.');
    await client.close();
    await serving.expectAccount(client.peer, ['accepted', 'threw Error: rejected later']);
    const next = await NetClient.connect(serving.address);
    await expectAnswer(next, 'timer?', 'timer.');
    await next.close();
  });

  it('also to a client that sends no more', async () => {
    const serving = await running();
    const { question, open } = gate();
    const client = await asking(serving, question);
    await client.send('tick?');
    await client.end();
    open();
    expect(await client.rest()).toBe(`${OPEN}tick.`);
    await client.close();
    await serving.expectAccount(client.peer, ['accepted', 'closed']);
  });

  it('and serves on when a client resets before its answer has come', async () => {
    const serving = await running();
    const { question, open } = gate();
    const client = await asking(serving, question);
    await client.reset();
    open();
    await serving.expectAccount(client.peer, ['accepted', 'unsent']);
    const next = await NetClient.connect(serving.address);
    await expectAnswer(next, 'timer?', 'timer.');
    await next.close();
  });

  it.runIf(threadedLoops.includes(variant))(
    'and says in one line if Node does not show its threads when it has work',
    async () => {
      const serving = await running();
      const client = await NetClient.connect(serving.address);
      await expectAnswer(client, 'timer?', 'timer.');
      await client.close();
      const lines = serving.events.filter(
        (event) => event.type === 'warning' && /does not show this thread/.test(event.text),
      );
      // `callback` is on Node's own loop. Node 26 has node:ffi.
      const isBlind = traits.arrangement !== 'node' && NODE < 26;
      expect(lines).toHaveLength(isBlind ? 1 : 0);
    },
  );

  it.runIf(isLoop(traits))(`of ${CROWD} clients, outstanding together`, async () => {
    const serving = await running();
    const { question, open } = gate();
    const clients = await Promise.all(
      Array.from({ length: CROWD }, () => NetClient.connect(serving.address)),
    );
    await Promise.all(clients.map((client) => client.send(question)));
    const threads = options.threads ?? 1;
    await until('all answers to be outstanding', async () => {
      // A new client each time: it may reach another thread.
      const other = await NetClient.connect(serving.address);
      const count = Number(await ask(other, 'outstanding?', DIGITS));
      await other.close();
      return threads === 1 ? count === CROWD : count > 1;
    });
    const resetting = clients.pop()!;
    await resetting.reset();
    // It may get the same descriptor. The promise of the one before it must not answer it.
    const { question: another, open: openOther } = gate();
    const later = await asking(serving, `${another}tick?`);
    await clients[0]!.send('tick?');
    open();
    await Promise.all(clients.map((client) => expectAnswer(client, '', OPEN)));
    await expectAnswer(clients[0]!, '', 'tick.');
    openOther();
    await expectAnswer(later, '', `${OPEN}tick.`);
    await later.close();
    await Promise.all(clients.map((client) => client.close()));
  });

  it.runIf(!isLoop(traits) && capacity > 1)(
    'waits in one thread or process, and goes on in the others',
    async () => {
      const serving = await running();
      const { question, open } = gate();
      const client = await asking(serving, question);
      const other = await NetClient.connect(serving.address);
      await expectAnswer(other, 'timer?', 'timer.');
      open();
      await expectAnswer(client, '', OPEN);
      await Promise.all([client.close(), other.close()]);
    },
  );

  it.runIf(ways.has(variant.title))('and waits for them when it restarts', async () => {
    const serving = await running();
    const { question, open } = gate();
    const client = await asking(serving, question);
    const before = serving.processes;
    await serving.server.restart();
    const next = await NetClient.connect(serving.address);
    await expectAnswer(next, 'timer?', 'timer.');
    open();
    await expectAnswer(client, '', OPEN);
    await Promise.all([client.close(), next.close()]);
    await until('the old processes to end', () =>
      serving.processes.every((pid) => !before.includes(pid)),
    );
  });

  it.runIf(capacity > 1)(
    'and waits for them when it stops, but not after the deadline, and leaves nothing',
    async () => {
      const serving = await running();
      const { question, open } = gate();
      const client = await asking(serving, question);
      const late = await asking(serving, gate().question);
      const { processes } = serving;
      const closed = serving.server.close();
      await until('the listener to be closed', () => isRefused(serving.server.port));
      open();
      expect(await client.rest()).toBe(OPEN);
      await client.close();
      void serving.server.close({ deadline: 200 * MS });
      await within(PATIENCE, 'the end of the server', closed);
      // The processes of inetd outlive their parent for a moment.
      await until('its processes to end', () => !processes.some(isAlive));
      expect(await late.rest()).toBe('');
      await late.close();
      expect(serving.events.at(-1)).toMatchObject({ type: 'stopped', cut: 1 });
      await serving.expectNothingLeft();
    },
  );

  it.runIf(capacity === 1)('and waits for one when it stops', async () => {
    const serving = await running();
    const { question, open } = gate();
    const client = await asking(serving, question);
    const closed = serving.server.close();
    await until('the listener to be closed', () => isRefused(serving.server.port));
    open();
    expect(await client.rest()).toBe(OPEN);
    await Promise.all([client.close(), closed]);
    expect(serving.events.at(-1)).toMatchObject({ type: 'stopped', cut: 0 });
  });
});

it('single waits no longer than its drain for a promise, and leaves nothing', async () => {
  const serving = await Serving.start({ architecture: 'single', service, drain: 200 * MS });
  const client = await asking(serving, gate().question);
  await serving.close();
  expect(await client.rest()).toBe('');
  await client.close();
  expect(serving.events.at(-1)).toMatchObject({ type: 'stopped', cut: 1 });
  await serving.expectNothingLeft();
});

// `select`, `poll` and `epoll` share the loop that gives Node its turns, and the blocking ones their driver.
const withTurns = pairs.filter(
  ({ traits }) =>
    traits.name === 'threaded' || (isLoop(traits) && !['select', 'poll'].includes(traits.name)),
);
describe.concurrent.each(withTurns)('$title', ({ options, traits }) => {
  it('limits the time that a client takes for an answer, not the time until there is one; Node has a turn after a hook that no event has caused', async () => {
    const at = join(folder, traits.name);
    writeFileSync(at, '');
    // A service with hooks serves where its promises are in the thread of its clients.
    const hooked = isLoop(traits) ? new URL(`${service}?at=${encodeURIComponent(at)}`) : service;
    const answerTime = 100 * MS;
    const limits = { answerTime, questionSize: 0, idle: FOREVER, questionTime: FOREVER };
    const serving = await Serving.start({ ...options, limits, service: hooked });
    const { question, open } = gate();
    const client = await asking(serving, question);
    const answer = client.receive(OPEN.length);
    expect(await staysPending(answer, 4 * answerTime)).toBe(true);
    open();
    expect(await answer).toBe(OPEN);
    // The time limit, and nothing that the client does, ends the connection.
    await client.send('big?');
    await serving.expectAccount(client.peer, ['accepted', 'limited']);
    if (isLoop(traits)) {
      await until('what the hook has left for Node', () => readFileSync(at, 'utf8') === 'later\n');
    }
    expect((await client.rest()).length).toBeLessThan(BIG);
    await client.close();
    await serving.close();
  });

  it.runIf(isLoop(traits))(
    'answers with the promises of a dialogue, which has a state; a timer that it has left delays no stop',
    async () => {
      const serving = await Serving.start({ ...options, service: dialogue });
      const client = await NetClient.connect(serving.address);
      await expectAnswer(client, 'count?nothing?cou', `${GREETING}1.`);
      await expectAnswer(client, 'nt?', '3.');
      // Promises that are made while the client has not taken the answer before them.
      await client.send('large?count?large?nothing?count?');
      const large = Buffer.alloc(LARGE, 'l').toString('latin1');
      const answers = await client.receive(2 * LARGE + 4);
      expect(answers === `${large}5.${large}8.`).toBe(true);
      await client.send('count?bye?count?');
      expect(await client.rest()).toBe('9.10.');
      await client.close();
      await serving.expectAccount(client.peer, ['accepted', 'closed']);
      await serving.close();
    },
  );
});
