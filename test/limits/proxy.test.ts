/** Behind a balancer, the limits on connections follow the announced addresses, and give back what they counted. */
import { describe, expect, it } from 'vitest';
import { type ServeOptions, type ServerEvent, serve } from '../../src/index.ts';
import { ProxyConnection } from '../support/proxy-client.ts';
import { blockOf, lineOf, localBlock, unknownLine } from '../support/proxy-headers.ts';
import { ANSWER, BUSY, comeAndGo, expectExactRoom, QUESTION } from '../support/proxy-storm.ts';
import { architectures, distinct } from '../support/serving.ts';
import { shared } from '../support/shared.ts';
import { until } from '../support/until.ts';

/** The proxy is in no list of allowed networks, and in one of denied ones. */
const trusted = ['127.0.0.0/8'];
const networks = {
  allow: ['203.0.113.0/24', '2001:db8::/32'],
  deny: ['203.0.113.9', '127.0.0.0/8'],
};

async function started(options: ServeOptions) {
  const events: ServerEvent[] = [];
  const server = await serve({ ...options, port: 0, proxy: { trusted } }, (event) => {
    events.push(event);
  });
  const open: ProxyConnection[] = [];
  return {
    server,
    /** Sends a header and a question at once. */
    async come(header: Uint8Array): Promise<ProxyConnection> {
      const connection = await ProxyConnection.open(server.port);
      open.push(connection);
      await connection.send(Buffer.concat([header, Buffer.from(QUESTION)]));
      return connection;
    },
    refused: () =>
      events.flatMap((event) =>
        event.type === 'refused' ? [`${event.peer.replace(/:\d+$/, '')} ${event.reason}`] : [],
      ),
    async [Symbol.asyncDispose](): Promise<void> {
      for (const { socket } of open) socket.destroy();
      await server.close();
    },
  };
}

let lastPort = 20_000;
const from = (address: string) => ({ address, port: ++lastPort });

/** More than once all the kinds of visits, on both versions of the header, from each address. */
const VISITS = 140;

const names = distinct.map(({ traits }) => traits.name);
const ways = architectures.filter(({ traits }) => names.includes(traits.name));

describe.concurrent.each(ways)('$title', ({ options, capacity }) => {
  const limits = { ...networks, connectionsPerAddress: 2 };
  const turn = shared(() => started({ ...options, limits, whenFull: 'busy' }), true);

  it('allows and denies announced addresses, and the balancer itself always', () =>
    turn(async (served) => {
      for (const header of [
        lineOf(from('203.0.113.7')),
        blockOf(from('2001:db8::7')),
        localBlock(from('203.0.113.9')),
        unknownLine(),
      ]) {
        const connection = await served.come(header);
        await connection.receives(ANSWER);
        await connection.leave();
      }
      for (const header of [
        lineOf(from('203.0.113.9')),
        blockOf(from('::ffff:cb00:7109')),
        blockOf(from('198.51.100.1')),
      ]) {
        const connection = await served.come(header);
        await connection.ended();
        expect(connection.received).toBe('');
      }
      const networksOnly = () => served.refused().filter((one) => / (deny|allow)$/.test(one));
      await until('the account', () => networksOnly().length === 3);
      expect(networksOnly()).toEqual([
        '203.0.113.9 deny',
        '203.0.113.9 deny',
        '198.51.100.1 allow',
      ]);
      expect(served.server.counts()).toEqual({ deny: 2, allow: 1 });
    }));

  // One conversation at a time never has two connections of one address.
  it.runIf(capacity > 2)(
    'counts the connections of each announced address, and tells the refused ones',
    () =>
      turn(async (served) => {
        const [first, ...others] = [
          await served.come(lineOf(from('203.0.113.7'))),
          await served.come(blockOf(from('203.0.113.7'))),
          await served.come(blockOf(from('203.0.113.8'))),
        ];
        // Threads may take them in another order.
        for (const held of [first, ...others]) await held.receives(ANSWER);
        const third = await served.come(lineOf(from('203.0.113.7')));
        await third.receives(BUSY);
        expect(await third.ended()).toBe('closed');
        expect(third.received).toBe(BUSY);
        await first.leave();
        const next = await until('its place to be free', async () => {
          const one = await served.come(lineOf(from('203.0.113.7')));
          await until('an answer', () => one.received !== '');
          return one.received === ANSWER && one;
        });
        for (const connection of [...others, next]) await connection.leave();
      }),
  );

  it('gives back what each connection held, whatever its end', () =>
    turn(async ({ server }) => {
      await comeAndGo(server.port, VISITS, Math.min(capacity, 20));
      await until('all to have gone', () => server.workers().every(({ open }) => open === 0));
      if (capacity > 2) await expectExactRoom(server, 2, BUSY);
    }));
});

/** One for each driver: the rule is that of src/limits/admission.test.ts. */
const drivers = architectures.filter(({ title }) =>
  ['threaded', 'inetd', 'epoll', 'uring', 'callback'].includes(title),
);

it.concurrent.each(drivers)('$title limits the rate of each announced address', async ({
  options,
}) => {
  await using served = await started({ ...options, limits: { acceptsPerSecond: 2 } });
  await until('a client to come too often', async () => {
    const connection = await served.come(lineOf(from('203.0.113.7')));
    await until(
      'an answer or the end',
      () => connection.received !== '' || connection.socket.closed,
    );
    await connection.leave();
    return (served.server.counts()['accepts-per-second'] ?? 0) > 0;
  });
  const another = await served.come(lineOf(from('203.0.113.8')));
  await another.receives(ANSWER);
  await another.leave();
  for (let i = 0; i < 5; i++) {
    const check = await served.come(localBlock(from('203.0.113.7')));
    await check.receives(ANSWER);
    await check.leave();
  }
});

it('a server in this process follows the announced addresses too', async () => {
  const peers: string[] = [];
  const service = {
    delimiter: '?',
    connected: ({ address }: { address: string }) => void peers.push(address),
    answer: () => ANSWER,
  };
  const options = { architecture: 'callback', service, limits: networks };
  await using served = await started(options);
  const allowed = await served.come(lineOf(from('203.0.113.7')));
  await allowed.receives(ANSWER);
  const denied = await served.come(lineOf(from('203.0.113.9')));
  await denied.ended();
  expect(peers).toEqual(['203.0.113.7']);
  expect(served.server.counts()).toEqual({ deny: 1 });
  expect(served.server.proxyHeaders()).toMatchObject({ v1: 2 });
});
