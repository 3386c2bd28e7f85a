/** Closing a server more than once, with deadlines of every kind: the end only ever comes nearer. */
import { describe, expect, it } from 'vitest';
import type { ServeOptions } from '../src/host/plan.ts';
import { ask, NetClient } from './support/clients.ts';
import { Serving } from './support/serving.ts';
import { MS, within } from './support/until.ts';

const BEAUTIFUL = 'Beautiful is better than?';
/** The longest that is allowed: whoever waits for it is stopped by something else. */
const FOREVER = 3_600_000;

const never: ServeOptions = { think: FOREVER, thinkHow: 'defer' };
const inProcess: ServeOptions = {
  architecture: 'callback',
  service: { delimiter: '?', answerAsync: () => new Promise<string>(() => {}) },
};
const kinds: readonly (readonly [string, ServeOptions])[] = [
  ['epoll', { ...never, architecture: 'epoll' }],
  ['uring', { ...never, architecture: 'uring' }],
  ['callback', { ...never, architecture: 'callback' }],
  ['threaded', { ...never, architecture: 'threaded' }],
  ['a server in this process', inProcess],
];

describe.each(kinds)('%s', (_, options) => {
  /** With a client that is owed an answer which never comes. */
  async function owing() {
    const serving = await Serving.start(options);
    const client = await NetClient.connect(serving.address);
    await serving.expectAccepted(client.peer);
    await client.send(BEAUTIFUL);
    await serving.expectReceived(client.peer);
    return { serving, client };
  }

  it.each([
    ['the same as ever', undefined],
    ['later', FOREVER],
  ])('is closed again with a deadline that is %s, and ends no later for that', async (_which, deadline) => {
    const { serving, client } = await owing();
    const closed = serving.server.close({ deadline: 300 * MS });
    const again = serving.server.close(deadline === undefined ? {} : { deadline });
    // A drain is ten seconds by default.
    await within(8000, 'the end of the server', closed);
    await again;
    expect(serving.events.at(-1)).toMatchObject({ type: 'stopped', answered: 0, cut: 1 });
    await client.close();
  });

  it('is closed again with a deadline that is nearer, and ends by then', async () => {
    const { serving, client } = await owing();
    const closed = serving.server.close({ deadline: FOREVER });
    void serving.server.close({ deadline: 300 * MS });
    await within(8000, 'the end of the server', closed);
    expect(serving.events.at(-1)).toMatchObject({ type: 'stopped', answered: 0, cut: 1 });
    await client.close();
  });
});

describe.each([
  ['epoll', { architecture: 'epoll' }],
  [
    'a server in this process',
    { architecture: 'coroutine', service: { delimiter: '?', answer: () => 'Ugly.' } },
  ],
] as const)('%s', (_, options) => {
  it('refuses a deadline that is none, and serves on', async () => {
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
