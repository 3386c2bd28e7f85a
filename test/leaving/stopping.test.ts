/** How servers stop: they answer received questions, and do not wait for idle clients. */
import { describe, expect, it, vi } from 'vitest';
import type { ServerEvent } from '../../src/host/server-event.ts';
import { serve } from '../../src/index.ts';
import { answeredClient, ask, NetClient } from '../support/clients.ts';
import { gate, gated, OPEN } from '../support/gate.ts';
import { isRefused } from '../support/serve-command.ts';
import { pairs, Serving } from '../support/serving.ts';
import { MS, until } from '../support/until.ts';

vi.setConfig({ maxConcurrency: 16 });

const BEAUTIFUL = 'Beautiful is better than?';

const stoppedOf = (serving: Serving) => {
  const last = serving.events.at(-1);
  return last?.type === 'stopped' ? { answered: last.drained, cut: last.cut } : undefined;
};

describe.concurrent.each(pairs)('$title stops', ({ options, traits }) => {
  it('and first answers the received questions', async () => {
    const serving = await Serving.start({ ...options, think: 1000 * MS, thinkHow: 'defer' });
    const client = await NetClient.connect(serving.address);
    await client.send(BEAUTIFUL);
    await serving.expectReceived(client.peer);
    const closed = serving.server.close();
    expect(await client.rest()).toBe('Ugly.');
    await client.close();
    await closed;
    expect(stoppedOf(serving)).toMatchObject({ cut: 0 });
  });

  it('and answers many questions, including some that it has not read', async () => {
    const serving = await Serving.start(options);
    const client = await NetClient.connect(serving.address);
    await client.send(BEAUTIFUL.repeat(2000));
    expect(await client.receive(5)).toBe('Ugly.');
    const closed = serving.server.close();
    const rest = await client.rest();
    // All questions in the kernel's buffer were asked. More cannot be promised to a client that continues to ask.
    expect(rest).toBe('Ugly.'.repeat(rest.length / 5));
    await client.close();
    await closed;
    expect(stoppedOf(serving)).toMatchObject({ cut: 0 });
  });

  it.skipIf(traits.capacity === 'one')(
    'and answers questions that came while it computed another answer',
    async () => {
      const serving = await Serving.start({ ...options, service: gated });
      const { question, open } = gate();
      const one = await NetClient.connect(serving.address);
      const other = await NetClient.connect(serving.address);
      // Both clients have been answered: for the server they are idle.
      await Promise.all([ask(one, 'Well?', OPEN.length), ask(other, 'Well?', OPEN.length)]);
      await one.send(question);
      await serving.expectReceived(one.peer);
      await other.send('Well?');
      const closed = serving.server.close();
      await until('the listener to be closed', () => isRefused(serving.server.port));
      open();
      expect(await other.rest()).toBe(OPEN);
      expect(await one.rest()).toBe(OPEN);
      await Promise.all([one.close(), other.close(), closed]);
      expect(stoppedOf(serving)).toMatchObject({ cut: 0 });
    },
  );

  it('and does not wait for idle clients', async () => {
    const serving = await Serving.start(options);
    const client = await answeredClient(serving.address);
    await serving.close();
    expect(await client.rest()).toBe('');
    expect(serving.accountOf(client.peer)).toEqual(['accepted', 'cut']);
    // The last answer may count: a thread may get the order to leave while it still sends.
    expect(stoppedOf(serving)).toMatchObject({ cut: 0 });
    await client.close();
  });
});

it('a server in this process drains as well', async () => {
  const events: ServerEvent[] = [];
  const service = { delimiter: '?', answerAsync: async () => answer };
  const { promise: answer, resolve } = Promise.withResolvers<string>();
  const server = await serve({ architecture: 'coroutine', port: 0, service }, (event) =>
    events.push(event),
  );
  const client = await NetClient.connect(server.address);
  await client.send('Now?');
  await until('the client to be accepted', () => events.some(({ type }) => type === 'accepted'));
  const closed = server.close();
  await until('the listener to be closed', () => isRefused(server.port));
  resolve('Then.');
  expect(await client.rest()).toBe('Then.');
  await closed;
  expect(events.at(-1)).toMatchObject({ type: 'stopped', drained: 1, cut: 0 });
  await expect(server.restart()).rejects.toThrow(/Cannot restart/);
  await client.close();
});
