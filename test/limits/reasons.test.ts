/** Every refusal has a named reason: the same in the journal and in the counts. */
import { connect, type Socket } from 'node:net';
import { describe, expect, it } from 'vitest';
import { type ServeOptions, type ServerEvent, serve } from '../../src/index.ts';
import { architectures, distinct } from '../support/serving.ts';
import { staysPending, until } from '../support/until.ts';

const QUESTION = 'Simple is better than?';
const ANSWER = 'Complex.';

async function started(options: ServeOptions) {
  const events: ServerEvent[] = [];
  const server = await serve({ ...options, port: 0 }, (event) => events.push(event));
  const sockets: Socket[] = [];
  const told = () => events.filter((event) => event.type === 'refused');
  return {
    server,
    told,
    connect(from = '127.0.0.1'): Socket {
      const socket = connect({ port: server.port, host: '127.0.0.1', localAddress: from });
      sockets.push(socket.setEncoding('latin1').on('error', () => {}));
      return socket;
    },
    /** Checks that the journal and the counts have all of these, and no others. */
    async expectReasons(expected: Readonly<Record<string, number>>): Promise<void> {
      const sum = Object.values(expected).reduce((all, one) => all + one, 0);
      await until('the journal', () => told().length >= sum).catch(() => {});
      const journal: Record<string, number> = {};
      for (const { reason } of told()) journal[reason] = (journal[reason] ?? 0) + 1;
      expect(journal).toEqual(expected);
      expect(server.counts()).toEqual(expected);
    },
    async [Symbol.asyncDispose](): Promise<void> {
      for (const socket of sockets) socket.destroy();
      await server.close();
    },
  };
}

/** True if a client's question is answered; false if its connection ends instead. */
async function isServed(socket: Socket): Promise<boolean> {
  let received = '';
  socket.on('data', (data) => {
    received += data;
  });
  socket.write(QUESTION);
  await until('an answer or the end', () => socket.closed || received.length >= ANSWER.length);
  return received === ANSWER;
}

/** With their usual sizes: some conversations must go on at the same time. */
const names = ['single', ...distinct.map(({ traits }) => traits.name)];
const ways = architectures.filter(({ traits }) => names.includes(traits.name));

// Reasons to end a conversation: see limits.test.ts.
describe.concurrent.each(ways)('$title', ({ options, traits }) => {
  it('reports and counts each reason for a refusal', async () => {
    const limits = {
      ...{ deny: ['127.0.0.2'], allow: ['127.0.0.0/29'] },
      ...{ acceptsPerSecond: 2, connectionsPerAddress: 1, connections: 100 },
    };
    await using served = await started({ ...options, limits, whenFull: 'random:2:100:50' });
    const come = async (from: string): Promise<[Socket, boolean]> => {
      const socket = served.connect(from);
      return [socket, await isServed(socket)];
    };
    const expected: Record<string, number> = { deny: 1, allow: 1 };
    expect((await come('127.0.0.2'))[1]).toBe(false);
    expect((await come('127.0.0.9'))[1]).toBe(false);
    await until('a client to come too often', async () => {
      const [socket] = await come('127.0.0.7');
      socket.destroy();
      return (served.server.counts()['accepts-per-second'] ?? 0) > 0;
    });
    expected['accepts-per-second'] = served.server.counts()['accepts-per-second']!;
    // When it comes again, it may still hold a place.
    const greedy = served.server.counts()['connections-per-address'];
    if (greedy !== undefined) expected['connections-per-address'] = greedy;
    if (traits.capacity !== 'one') {
      await until('all clients to have left', () =>
        served.server.workers().every(({ open }) => open === 0),
      );
      expect((await come('127.0.0.3'))[1]).toBe(true);
      expect((await come('127.0.0.3'))[1]).toBe(false);
      expect((await come('127.0.0.4'))[1]).toBe(true);
      expect((await come('127.0.0.5'))[1]).toBe(false);
      expected['connections-per-address'] = (greedy ?? 0) + 1;
      expected.early = 1;
    }
    await served.expectReasons(expected);
  });
});

it.concurrent.each([
  'wait',
  'busy',
  'reset',
  'random',
] as const)('single never refuses for being full, because it accepts one client after the other: %s', async (whenFull) => {
  const limits = { connections: 1 };
  await using served = await started({ architecture: 'single', limits, whenFull });
  const first = served.connect();
  expect(await isServed(first)).toBe(true);
  const second = isServed(served.connect());
  expect(await staysPending(second, 100)).toBe(true);
  first.destroy();
  expect(await second).toBe(true);
  expect(served.server.counts()).toEqual({});
});
