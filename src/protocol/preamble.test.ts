import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  blockOf,
  lineOf,
  localBlock,
  rawBlock,
  unknownLine,
  usualFields,
} from '../../test/support/proxy-headers.ts';
import talker, { GREETING } from '../../test/support/services/talker.ts';
import { Conversation, type Next } from './conversation.ts';
import { Outbox } from './outbox.ts';
import { type Announcing, type Dismissal, Preamble } from './preamble.ts';
import type { ProxyHeader } from './proxy-header.ts';
import type { Peer, Protocol, Service } from './service.ts';
import { speakersOf } from './speaker.ts';
import zen from './zen.ts';

const client = { address: '203.0.113.7', port: 4711 };
const client6 = { address: '2001:db8::7', port: 4711 };
const headers: readonly Buffer[] = [
  lineOf(client),
  lineOf(client6),
  unknownLine(),
  blockOf(client),
  blockOf(client6, usualFields),
  localBlock(client),
];
const QUESTIONS = 'Simple is better than?Beautiful is better than?What?';
const ANSWERS = 'Complex.Ugly.Error: unknown aphorism.';

/** A conversation behind a header, and all that comes of it. */
function begin(service: Service | Protocol = zen, decide?: () => Dismissal) {
  const told: (ProxyHeader | string)[] = [];
  const announcing: Announcing = {
    announced(header) {
      told.push(header);
      return decide?.();
    },
    faulted(fault) {
      told.push(fault);
      return { reason: fault, text: '', isReset: true };
    },
  };
  const preamble = new Preamble(announcing);
  const nowhere: Peer = { family: 'unix', address: '', port: 0, path: '' };
  const speaker = speakersOf(service, false)(() => preamble.client ?? nowhere);
  const conversation = new Conversation(speaker, undefined, undefined, preamble);
  const out = new Outbox();
  const opened = conversation.open(out);
  return {
    conversation,
    told,
    opened,
    /** Hands over these bytes. Before them stand others, which do not count. */
    give(bytes: Uint8Array): Next {
      const all = Buffer.concat([Buffer.from('???'), bytes]);
      return conversation.receive(all, 3, all.length, out);
    },
    answers: () => out.copy().toString('latin1'),
  };
}

describe('a conversation behind a header', () => {
  it('gives the same answers to any cut of any header and questions', () => {
    const cuts = fc.array(fc.nat(2500), { maxLength: 8 });
    fc.assert(
      fc.property(fc.constantFrom(...headers), cuts, (header, places) => {
        const all = Buffer.concat([header, Buffer.from(QUESTIONS)]);
        const ends = [...places.map((place) => place % all.length), all.length];
        const talk = begin();
        let from = 0;
        for (const end of ends.sort((a, b) => a - b)) {
          expect(talk.give(all.subarray(from, end))).toBeUndefined();
          from = end;
        }
        expect(talk.answers()).toBe(ANSWERS);
        expect(talk.told).toMatchObject([{ length: header.length }]);
      }),
    );
  });

  it.each(
    headers.map((header) => [header.length, header] as const),
  )('takes a header of %i bytes cut at every byte, and byte by byte', (_, header) => {
    const all = Buffer.concat([header, Buffer.from(QUESTIONS)]);
    for (let cut = 0; cut <= header.length; cut++) {
      const talk = begin();
      talk.give(all.subarray(0, cut));
      talk.give(all.subarray(cut));
      expect(talk.answers()).toBe(ANSWERS);
    }
    const talk = begin();
    for (const byte of all) talk.give(Buffer.from([byte]));
    expect(talk.answers()).toBe(ANSWERS);
  });

  it('answers no question, and does not greet, after a header with a wrong start', () => {
    const change = fc.record({ at: fc.nat(5), bit: fc.nat(7) });
    fc.assert(
      fc.property(fc.constantFrom(...headers), change, (header, { at, bit }) => {
        const wrong = Buffer.from(header);
        wrong[at]! ^= 1 << bit;
        const talk = begin(talker);
        expect(talk.give(Buffer.concat([wrong, Buffer.from('count?')]))).toBe('close');
        expect(talk.give(Buffer.from('count?'))).toBe('close');
        expect(talk.answers()).toBe('');
        expect(talk.told).toEqual(['proxy-missing']);
      }),
    );
  });

  it('neither throws nor answers before a header, whatever the bytes are', () => {
    const pieces = fc.array(fc.uint8Array({ maxLength: 64 }), { maxLength: 8 });
    const starts = fc.constantFrom(...headers.map((header) => header.subarray(0, 13)));
    fc.assert(
      fc.property(fc.option(starts), pieces, (start, all) => {
        const talk = begin(talker);
        if (start !== null) talk.give(start);
        for (const piece of all) talk.give(piece);
        const isAnnounced = typeof talk.told[0] === 'object';
        if (!isAnnounced) expect(talk.answers()).toBe('');
        expect(talk.told.length).toBeLessThanOrEqual(1);
      }),
    );
  });

  it('greets when the header is whole, and not before', () => {
    const talk = begin(talker);
    const header = lineOf(client);
    expect(talk.opened).toBeUndefined();
    talk.give(header.subarray(0, -1));
    expect(talk.answers()).toBe('');
    expect(talk.conversation.idle).toBe(false);
    talk.give(header.subarray(-1));
    expect(talk.answers()).toBe(GREETING);
  });

  it('calls the hooks of the service with the announced peer, and not for a wrong header', () => {
    const peers: Peer[] = [];
    let left = 0;
    const service: Service = {
      delimiter: '?',
      connected: (peer) => void peers.push(peer),
      disconnected: () => void left++,
      answer: () => '',
    };
    const wrong = begin(service);
    wrong.give(Buffer.from('no header?'));
    wrong.conversation.closed();
    expect([peers, left]).toEqual([[], 0]);
    const right = begin(service);
    right.give(blockOf(client, usualFields));
    right.conversation.closed();
    expect(peers).toEqual([
      {
        family: 'IPv4',
        ...client,
        path: '',
        alpn: 'mondo/1',
        authority: 'mondo.example',
        uniqueId: 'ab12-\x1b[31m',
        tls: { version: 'TLSv1.3', isVerified: true, commonName: 'client.example' },
      },
    ]);
    expect(left).toBe(1);
    const local = begin(service);
    local.give(localBlock(client));
    expect(peers[1]).toEqual({ family: 'unix', address: '', port: 0, path: '' });
  });

  it('ends with the last words for a client that is refused when it is announced', () => {
    const talk = begin(talker, () => ({ reason: 'deny', text: 'No.', isReset: false }));
    expect(talk.give(Buffer.concat([lineOf(client), Buffer.from('count?')]))).toBe('close');
    expect(talk.answers()).toBe('No.');
    expect(talk.conversation.preamble?.dismissal?.reason).toBe('deny');
  });

  it('searches for a delimiter only behind the header', () => {
    const talk = begin();
    expect(talk.conversation.delimiter).toBeUndefined();
    talk.give(lineOf(client));
    expect(talk.conversation.delimiter?.toString()).toBe('?');
    expect(talk.conversation.preamble).toBeUndefined();
    expect(talk.conversation.idle).toBe(true);
  });

  it('keeps at most the longest header of a peer that sends without end', () => {
    const talk = begin();
    // It states 2,064 bytes, and a whole chunk comes with them.
    const header = rawBlock(0x20, 0, Buffer.alloc(2048, '?'));
    for (let at = 0; at < header.length - 1; at += 100) {
      talk.give(header.subarray(at, Math.min(at + 100, header.length - 1)));
    }
    expect(talk.told).toEqual([]);
    talk.give(Buffer.concat([header.subarray(-1), Buffer.from('?'.repeat(60_000))]));
    expect(talk.told).toMatchObject([{ kind: 'local', length: 2064 }]);
  });
});
