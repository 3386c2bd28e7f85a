/** How servers stop: they answer received questions, and do not wait for idle clients. */
import { describe, expect, it, vi } from 'vitest';
import type { ServeOptions } from '../../src/host/plan.ts';
import { answeredClient, ask, NetClient } from '../support/clients.ts';
import { gate, gated, OPEN } from '../support/gate.ts';
import { isRefused } from '../support/serve-command.ts';
import { pairs, Serving } from '../support/serving.ts';
import { until } from '../support/until.ts';

vi.setConfig({ maxConcurrency: 16 });

const stoppedOf = (serving: Serving) => {
  const last = serving.events.at(-1);
  return last?.type === 'stopped' ? { answered: last.drained, cut: last.cut } : undefined;
};

/** The same server with a third thread or process. */
const widened = (options: ServeOptions): ServeOptions =>
  options.processes === undefined ? { ...options, threads: 3 } : { ...options, processes: 3 };

/** Number of questions behind the one that a server computes, in the kernel's buffer. */
const UNREAD = 2000;

async function isCutOff(serving: Serving, idle: NetClient): Promise<void> {
  expect(await idle.rest()).toBe('');
  expect(serving.accountOf(idle.peer)).toEqual(['accepted', 'cut']);
  await idle.close();
}

// signals.test.ts has answers that are deferred.
describe.concurrent.each(pairs)('$title stops', ({ options, traits, capacity }) => {
  const isOne = traits.capacity === 'one';
  // Each thread of a pool serves one client at a time, and one of three clients is idle.
  const sizes = capacity === 2 ? widened(options) : options;

  it.runIf(isOne)('and does not wait for idle clients', async () => {
    const serving = await Serving.start(options);
    const client = await answeredClient(serving.address);
    await serving.close();
    await isCutOff(serving, client);
    // The last answer may count: a thread may get the order to leave while it still sends.
    expect(stoppedOf(serving)).toMatchObject({ cut: 0 });
  });

  it('and answers questions that came while it computed another answer, also those that it has not read, but does not wait for idle clients', async () => {
    const serving = await Serving.start({ ...sizes, service: gated });
    const { question, open } = gate();
    const one = await NetClient.connect(serving.address);
    const other = isOne ? undefined : await NetClient.connect(serving.address);
    const idle = isOne ? undefined : await NetClient.connect(serving.address);
    // All clients have been answered: for the server they are idle.
    for (const client of [one, other, idle]) {
      if (client !== undefined) expect(await ask(client, 'Well?', OPEN.length)).toBe(OPEN);
    }
    await one.send(question);
    await serving.expectReceived(one.peer);
    await one.send('Well?'.repeat(UNREAD));
    await other?.send('Well?');
    const closed = serving.server.close();
    await until('the listener to be closed', () => isRefused(serving.server.port));
    open();
    if (other !== undefined) expect(await other.rest()).toBe(OPEN);
    // All questions in the kernel's buffer were asked. More cannot be promised to a client that continues to ask.
    const rest = await one.rest();
    const count = rest.length / OPEN.length;
    expect(rest).toBe(OPEN.repeat(count));
    expect(count).toBe(1 + UNREAD);
    // The drain is an hour: a server that waits for the idle client does not end.
    await Promise.all([one.close(), other?.close(), closed]);
    if (idle !== undefined) await isCutOff(serving, idle);
    expect(stoppedOf(serving)).toMatchObject({ cut: 0 });
  });
});

it.each([
  'callback',
  'coroutine',
])('%s in this process drains as well, and answers what came behind the question that it computes', async (architecture) => {
  let asked = 0;
  const { promise: answer, resolve } = Promise.withResolvers<string>();
  const answerAsync = () => {
    asked++;
    return answer;
  };
  const serving = await Serving.start({ architecture, service: { delimiter: '?', answerAsync } });
  const { server } = serving;
  const client = await NetClient.connect(serving.address);
  await client.send('Now?');
  await until('the question to be asked', () => asked === 1);
  await client.send('And now?'.repeat(UNREAD));
  const closed = server.close();
  await until('the listener to be closed', () => isRefused(server.port));
  resolve('Then.');
  expect(await client.rest()).toBe('Then.'.repeat(1 + UNREAD));
  await closed;
  expect(serving.events.at(-1)).toMatchObject({ type: 'stopped', drained: 1, cut: 0 });
  await expect(server.restart()).rejects.toThrow(/Cannot restart/);
  await client.close();
});
