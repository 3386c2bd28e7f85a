/** One client asks thousands of slow questions in one write. Others still get answers, and a stop takes effect. */
import { describe, expect, it } from 'vitest';
import { ask, NetClient } from '../support/clients.ts';
import { BULK } from '../support/services/bulky.ts';
import { SLOW } from '../support/services/slow.ts';
import { pairs, Serving } from '../support/serving.ts';
import { FOREVER, MS, PATIENCE, staysPending } from '../support/until.ts';

const service = new URL('../support/services/slow.ts', import.meta.url);
const bulky = new URL('../support/services/bulky.ts', import.meta.url);
/** Answering all of them takes longer than a test's clients wait for anything. */
const MANY = 'x?'.repeat(Math.ceil((2 * PATIENCE * MS) / SLOW));

// Those that are left out have the driver of `threaded`, or the page of `epoll`.
const sharing = pairs.filter(
  ({ traits: { name } }) => !['queued', 'prefork', 'select'].includes(name),
);

describe.each(sharing)('$title', ({ options, traits }) => {
  // It has only one client at a time.
  const isOne = traits.capacity === 'one';

  it('answers others while one has thousands of questions, and cuts that one off when its time is over', async () => {
    const serving = await Serving.start({ ...options, service });
    const many = await NetClient.connect(serving.address);
    await many.send(MANY);
    expect(await many.receive(3)).toBe('ok.');
    let closed: Promise<void> | undefined;
    if (!isOne) {
      const other = await NetClient.connect(serving.address);
      for (let i = 0; i < 3; i++) expect(await ask(other, 'x?', 3)).toBe('ok.');
      await other.send('x?');
      await serving.expectReceived(other.peer);
      closed = serving.server.close({ deadline: FOREVER });
      expect(await other.rest()).toBe('ok.');
      await other.close();
    }
    await Promise.all([closed, serving.server.close({ deadline: 100 * MS })]);
    // A killed process reports nothing.
    expect(serving.accountOf(many.peer)).toEqual(['accepted', 'cut']);
    // The other client may have its answer before the server knows that it stops.
    const drained = isOne ? 0 : expect.any(Number);
    expect(serving.events.at(-1)).toMatchObject({ type: 'stopped', drained, cut: 1 });
    const answers = await many.rest().catch(() => '');
    expect(answers).toBe('ok.'.repeat(answers.length / 3));
    await many.close();
  });
});

// The blocking architectures send in the same driver, and so do `poll` and `epoll`.
it.concurrent.each(
  sharing.filter(
    ({ traits }) => !['single', 'socketserver', 'inetd', 'poll'].includes(traits.name),
  ),
)('$title sends all answers at a stop to a client that takes them late', async ({ options }) => {
  const serving = await Serving.start({ ...options, service: bulky });
  const client = await NetClient.connect(serving.address);
  await client.send('x?'.repeat(20_000));
  await client.receive(BULK);
  const closed = serving.server.close({ deadline: FOREVER });
  expect(await staysPending(closed, 500)).toBe(true);
  expect((await client.rest()).length).toBe(19_999 * BULK);
  await closed;
  expect(serving.events.at(-1)).toMatchObject({ type: 'stopped', drained: 1, cut: 0 });
  await client.close();
});
