/** One client asks thousands of slow questions in one write. Others still get answers, and a stop takes effect. */
import { describe, expect, it } from 'vitest';
import { ask, NetClient } from '../support/clients.ts';
import { BULK } from '../support/services/bulky.ts';
import { SLOW } from '../support/services/slow.ts';
import { architectures, Serving } from '../support/serving.ts';
import { FOREVER, MS, PATIENCE, staysPending } from '../support/until.ts';

const service = new URL('../support/services/slow.ts', import.meta.url);
const bulky = new URL('../support/services/bulky.ts', import.meta.url);
/** Answering all of them takes longer than a test's clients wait for anything. */
const MANY = 'x?'.repeat(Math.ceil((2 * PATIENCE * MS) / SLOW));

describe.each(architectures)('$title', ({ options, traits }) => {
  const isOne = traits.capacity === 'one';

  it.skipIf(isOne)('answers others while one has thousands of questions', async () => {
    const serving = await Serving.start({ ...options, service });
    const many = await NetClient.connect(serving.address);
    await many.send(MANY);
    expect(await many.receive(3)).toBe('ok.');
    const other = await NetClient.connect(serving.address);
    for (let i = 0; i < 3; i++) expect(await ask(other, 'x?', 3)).toBe('ok.');
    await other.send('x?');
    await serving.expectReceived(other.peer);
    const closed = serving.server.close({ deadline: FOREVER });
    expect(await other.rest()).toBe('ok.');
    void serving.server.close({ deadline: 0 });
    await closed;
    expect(serving.accountOf(many.peer)).toEqual(['accepted', 'cut']);
    await many.close();
    await other.close();
  });

  it('cuts off a client with thousands of questions when its time is over', async () => {
    const serving = await Serving.start({ ...options, service });
    const many = await NetClient.connect(serving.address);
    await many.send(MANY);
    expect(await many.receive(3)).toBe('ok.');
    await serving.server.close({ deadline: 100 * MS });
    // A killed process reports nothing.
    expect(serving.accountOf(many.peer)).toEqual(['accepted', 'cut']);
    expect(serving.events.at(-1)).toMatchObject({ type: 'stopped', drained: 0, cut: 1 });
    const answers = await many.rest().catch(() => '');
    expect(answers).toBe('ok.'.repeat(answers.length / 3));
    await many.close();
  });
});

it.concurrent.each(
  architectures,
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
