/** Every architecture behind a balancer: the header of the PROXY protocol comes before all else, and decides who asks. */
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ServeOptions } from '../../src/index.ts';
import { aphorisms } from '../../src/protocol/zen.ts';
import { acceptedAt, isReceived } from '../support/kernel.ts';
import { ProxyConnection } from '../support/proxy-client.ts';
import {
  blockOf,
  type End,
  endsOf,
  lineOf,
  localBlock,
  PROXY,
  rawBlock,
  unixBlock,
  unknownLine,
  unspecifiedBlock,
  usualFields,
} from '../support/proxy-headers.ts';
import { GREETED } from '../support/services/announced-greeting.ts';
import { GREETING } from '../support/services/talker.ts';
import { drivers, pairs, Serving } from '../support/serving.ts';
import { FOREVER, staysPending, until } from '../support/until.ts';

const service = join(import.meta.dirname, '../support/services/announced-greeting.ts');

const proxy = { trusted: ['127.0.0.1', '::1'] };
const QUESTION = 'Simple is better than?';
const ANSWER = 'Complex.';
const allQuestions = Object.keys(aphorisms).join('');
const allAnswers = Object.values(aphorisms).join('');

let lastPort = 10_000;
/** A client that no other test has. */
const someone = (address = '203.0.113.7'): End => ({ address, port: ++lastPort });
const named = ({ address, port }: End): string =>
  address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;

/** Sends these pieces, and expects that answer. */
async function expectAnswer(
  port: number,
  pieces: readonly (string | Uint8Array)[],
  answer: string,
): Promise<ProxyConnection> {
  const connection = await ProxyConnection.open(port);
  await connection.send(...pieces);
  await connection.receives(answer);
  expect(connection.received).toBe(answer);
  return connection;
}

// Those that are left out have the page of `threaded` or of `epoll`.
const balanced = pairs.filter(
  ({ traits: { name } }) => !['single', 'prefork', 'select'].includes(name),
);

/** Drivers that wait for a late header, each in its way: the blocking ones wait as `threaded` does. */
const waiters = drivers.filter(({ traits: { name } }) => !['socketserver', 'inetd'].includes(name));

describe.each(balanced)('$title', (variant) => {
  const started = (more: ServeOptions) => Serving.start({ ...variant.options, proxy, ...more });
  const isOfDriver = drivers.includes(variant);

  // What a header says, and what the service sees of it, is the same for all with one driver.
  describe.runIf(isOfDriver)('with a service that sees the peer', () => {
    let serving: Serving;
    beforeAll(async () => {
      serving = await started({ service });
    });
    afterAll(() => serving.stop());

    it.each<[string, (client: End) => Buffer, string, string]>([
      ['version 1', lineOf, '203.0.113.7', 'IPv4'],
      ['version 1, IPv6', lineOf, '2001:db8::7', 'IPv6'],
      ['version 2', blockOf, '203.0.113.8', 'IPv4'],
      ['version 2, IPv6', blockOf, '2001:db8::8', 'IPv6'],
    ])('serves the announced client: %s', async (_, headerOf, address, family) => {
      const client = someone(address);
      const answer = `${JSON.stringify({ family, ...client, path: '' })}\n`;
      const connection = await expectAnswer(serving.server.port, [headerOf(client), '?'], answer);
      const via = connection.peer;
      await connection.leave();
      await serving.expectAccount(named(client), ['accepted', 'closed']);
      expect(serving.events).toContainEqual(
        expect.objectContaining({ type: 'accepted', peer: named(client), via }),
      );
      expect(serving.accountOf(via)).toEqual([]);
    });

    it('hands over what the balancer says besides the address', async () => {
      const client = someone();
      const connection = await ProxyConnection.open(serving.server.port);
      await connection.send(blockOf(client, usualFields), '?');
      await connection.receives('\n');
      expect(JSON.parse(connection.received)).toEqual({
        ...{ family: 'IPv4', ...client, path: '' },
        ...{ alpn: 'mondo/1', authority: 'mondo.example', uniqueId: 'ab12-\x1b[31m' },
        tls: { version: 'TLSv1.3', isVerified: true, commonName: 'client.example' },
      });
      await connection.leave();
    });

    it.each<[string, () => Buffer]>([
      ['LOCAL with an address', () => localBlock(someone())],
      ['LOCAL without a block', () => rawBlock(0x20, 0, Buffer.alloc(0))],
      ['UNSPEC', unspecifiedBlock],
      ['UNKNOWN', unknownLine],
      ['unix', unixBlock],
    ])('serves the balancer itself: %s', async (_, headerOf) => {
      const connection = await ProxyConnection.open(serving.server.port);
      const { localPort: port } = connection.socket;
      await connection.send(headerOf(), '?');
      await connection.receives('\n');
      const own = { family: 'IPv4', address: '127.0.0.1', port, path: '' };
      expect(JSON.parse(connection.received)).toEqual(own);
      await connection.leave();
      await serving.expectAccount(connection.peer, ['accepted', 'closed']);
    });

    it('counts the headers by what they were', () => {
      const counted = { v1: 2, v2: 3, local: 2, unspecified: 3 };
      expect(serving.server.proxyHeaders()).toEqual(counted);
    });

    it('does not greet before the header is whole, and then at once', async () => {
      const connection = await ProxyConnection.open(serving.server.port);
      const client = someone(GREETED);
      const header = lineOf(client);
      const greeted = connection.receives(GREETING);
      await connection.send(header.subarray(0, -1));
      expect(await staysPending(greeted)).toBe(true);
      await connection.send(header.subarray(-1));
      await greeted;
      await connection.send('?');
      await connection.receives('\n');
      const answer = `${JSON.stringify({ family: 'IPv4', ...client, path: '' })}\n`;
      expect(connection.received).toBe(`${GREETING}${answer}`);
      await connection.leave();
    });
  });

  describe('with the Zen questions', () => {
    let serving: Serving;
    beforeAll(async () => {
      serving = await started({ limits: { proxyHeader: FOREVER } });
    });
    afterAll(async () => {
      if (serving.events.at(-1)?.type !== 'stopped') await serving.stop();
    });

    it('answers all questions in the segment of the header, and those behind it', async () => {
      const client = someone();
      const header = blockOf(client, usualFields);
      const first = Buffer.concat([header, Buffer.from(`${allQuestions}Simple is`)]);
      const { port } = serving.server;
      const connection = await expectAnswer(port, [first], allAnswers);
      await connection.send(' better than?');
      await connection.receives(allAnswers + ANSWER);
      await connection.leave();
      await serving.expectAccount(named(client), ['accepted', 'closed']);
      expect(serving.accountOf(connection.peer)).toEqual([]);
    });

    it.each([
      ['version 1', lineOf(someone('2001:db8::9'))],
      ['version 2', blockOf(someone(), usualFields)],
    ])('takes a header byte by byte, and a question: %s', async (_, header) => {
      const bytes = [...header, ...Buffer.from(QUESTION)].map((byte) => Uint8Array.of(byte));
      const connection = await expectAnswer(serving.server.port, bytes, ANSWER);
      await connection.leave();
    });

    it('answers a balancer that half-closes behind its questions', async () => {
      const connection = await ProxyConnection.open(serving.server.port);
      connection.socket.end(Buffer.concat([lineOf(someone()), Buffer.from(allQuestions)]));
      expect(await connection.ended()).toBe('closed');
      expect(connection.received).toBe(allAnswers);
    });

    it.each<[string, string, Uint8Array | string]>([
      ['no header', 'proxy-missing', QUESTION],
      ['a right start and a wrong rest', 'proxy-malformed', `PROXY TCP4 there\r\n${QUESTION}`],
      [
        'version 2 with a wrong length',
        'proxy-malformed',
        rawBlock(PROXY, 0x21, endsOf(someone())),
      ],
      ['a line without an end', 'proxy-too-long', `PROXY UNKNOWN ${'?'.repeat(100)}`],
      ['a block of 64 KiB', 'proxy-too-long', rawBlock(PROXY, 0x11, Buffer.from('?'), 65_535)],
    ])('resets a connection with %s, and counts it', async (_, reason, bytes) => {
      const before = serving.server.counts()[reason] ?? 0;
      const connection = await ProxyConnection.open(serving.server.port);
      await connection.send(bytes);
      expect(await connection.ended()).toBe('reset');
      expect(connection.received).toBe('');
      await serving.expectAccount(connection.peer, ['refused']);
      expect(serving.events).toContainEqual(
        expect.objectContaining({ type: 'refused', peer: connection.peer, reason }),
      );
      expect(serving.server.counts()[reason]).toBe(before + 1);
    });

    it('resets a connection that half-closes inside its header', async () => {
      const connection = await ProxyConnection.open(serving.server.port);
      connection.socket.end(lineOf(someone()).subarray(0, -1));
      expect(await connection.ended()).toBe('reset');
      await serving.expectAccount(connection.peer, ['refused']);
      expect(serving.server.counts()['proxy-partial']).toBe(1);
    });

    it('takes a connection without a byte as an ordinary end', async () => {
      const connection = await ProxyConnection.open(serving.server.port);
      await connection.leave();
      await serving.expectAccount(connection.peer, ['closed']);
    });

    it('closes a source that is not trusted before it sends a byte', async () => {
      const stranger = await ProxyConnection.open(serving.server.port, '127.0.0.2');
      await stranger.ended();
      await serving.expectAccount(stranger.peer, ['refused']);
      expect(serving.server.counts()['proxy-untrusted']).toBe(1);
    });

    it('has no connection left when all have gone', async () => {
      await until('all connections to have gone', () =>
        serving.server.workers().every(({ open }) => open === 0),
      );
    });

    it('ends connections without a complete header at a stop, and does not count them as cut off', async () => {
      const connection = await ProxyConnection.open(serving.server.port);
      await connection.send(lineOf(someone()).subarray(0, 8));
      const { port } = serving.server;
      const own = connection.socket.localPort!;
      await until(
        'its bytes to be received',
        () => acceptedAt(port).includes(own) && isReceived(port, own),
      );
      await serving.stop();
      expect(await connection.ended()).toBe('closed');
      expect(serving.accountOf(connection.peer)).toEqual(['cut']);
      expect(serving.events.at(-1)).toMatchObject({ type: 'stopped', cut: 0 });
    });
  });

  it.runIf(waiters.includes(variant))(
    'resets a connection whose header comes too late, however many bytes come; also in a dry run',
    async () => {
      const limits = { proxyHeader: 300 };
      const serving = await started({ limits, dryRun: true });
      const silent = await ProxyConnection.open(serving.server.port);
      expect(await silent.ended()).toBe('reset');
      await serving.expectAccount(silent.peer, ['limited']);
      const slow = await ProxyConnection.open(serving.server.port);
      const header = lineOf(someone('2001:db8::7'));
      let sent = 0;
      const drip = setInterval(() => {
        // The last byte never comes.
        if (sent < header.length - 1) slow.socket.write(header.subarray(sent, ++sent));
      }, 25);
      expect(await slow.ended()).toBe('reset');
      clearInterval(drip);
      expect(slow.received).toBe('');
      expect(serving.server.counts()).toEqual({ 'proxy-header': 2 });
      await serving.stop();
    },
  );
});
