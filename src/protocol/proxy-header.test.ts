import fc from 'fast-check';
import {
  AddressFamilyType,
  Command,
  INETProtocol,
  IPv4Address,
  IPv4ProxyAddress,
  IPv6Address,
  IPv6ProxyAddress,
  Peer as OtherPeer,
  TransportProtocol,
  V1ProxyProtocol,
  V2ProxyProtocol,
} from 'proxy-protocol-js';
import { describe, expect, it } from 'vitest';
import {
  blockOf,
  bytesOf,
  type End,
  endsOf,
  fieldsOf,
  lineOf,
  localBlock,
  PROXY,
  rawBlock,
  SIGNATURE,
  unixBlock,
  unknownLine,
  unspecifiedBlock,
  usualFields,
} from '../../test/support/proxy-headers.ts';
import { checksumOf } from './proxy-extras.ts';
import { MOST_HEADER, type ProxyHeader, readHeader } from './proxy-header.ts';

const client: End = { address: '203.0.113.7', port: 4711 };
const client6: End = { address: '2001:db8::7', port: 4711 };

const read = (bytes: Uint8Array | string) => {
  const all = Buffer.from(bytes as string);
  return readHeader(all, 0, all.length);
};
const clientIn = (bytes: Uint8Array | string) => {
  const header = read(bytes);
  return typeof header === 'object' ? header.client : header;
};

const octets = fc.tuple(fc.nat(255), fc.nat(255), fc.nat(255), fc.nat(255));
const ports = fc.nat(65_535);
const ends4 = fc.record({ address: octets.map((bytes) => bytes.join('.')), port: ports });
const groups = fc.array(fc.nat(65_535), { minLength: 8, maxLength: 8 });
const ends6 = fc.record({
  address: groups.map((all) => all.map((group) => group.toString(16)).join(':')),
  port: ports,
});
const headers = fc.oneof(
  fc.oneof(ends4, ends6).map(lineOf),
  fc.oneof(ends4, ends6).map((end) => blockOf(end)),
  fc.oneof(ends4, ends6).map((end) => blockOf(end, usualFields)),
  ends4.map(localBlock),
  fc.constantFrom(unspecifiedBlock(), unixBlock(), unknownLine()),
);

describe('version 1', () => {
  it.each<[string, Partial<ProxyHeader>]>([
    [
      'PROXY TCP4 203.0.113.7 192.0.2.1 4711 1060\r\n',
      { kind: 'v1', client: { family: 'IPv4', ...client } },
    ],
    [
      'PROXY TCP6 2001:DB8:0:0:0:0:0:7 ::1 4711 1060\r\n',
      { kind: 'v1', client: { family: 'IPv6', ...client6 } },
    ],
    [
      'PROXY TCP6 ::ffff:203.0.113.7 ::1 4711 1060\r\n',
      { kind: 'v1', client: { family: 'IPv4', ...client } },
    ],
    [
      'PROXY TCP4 0.0.0.0 255.255.255.255 0 65535\r\n',
      { kind: 'v1', client: { family: 'IPv4', address: '0.0.0.0', port: 0 } },
    ],
    ['PROXY UNKNOWN\r\n', { kind: 'unspecified' }],
    ['PROXY UNKNOWN ffff:f...f:ffff ffff:f...f:ffff 65535 65535\r\n', { kind: 'unspecified' }],
  ])('reads %j', (line, expected) => {
    expect(read(line)).toEqual({ ...expected, length: line.length });
    expect(read(`${line}Simple is better than?`)).toEqual({ ...expected, length: line.length });
  });

  it.each([
    'PROXY TCP4 203.0.113.7 192.0.2.1 4711 1060\n',
    'PROXY TCP4 203.0.113.7 192.0.2.1 4711 1060\r\r\n',
    'PROXY TCP4 203.0.113.7 192.0.2.1 4711\r1060\r\n',
    'PROXY TCP4  203.0.113.7 192.0.2.1 4711 1060\r\n',
    'PROXY TCP4 203.0.113.7 192.0.2.1 4711 1060 \r\n',
    'PROXY TCP4 203.0.113.7\t192.0.2.1 4711 1060\r\n',
    'PROXY TCP4 203.0.113.07 192.0.2.1 4711 1060\r\n',
    'PROXY TCP4 203.0.113.256 192.0.2.1 4711 1060\r\n',
    'PROXY TCP4 203.0.113 192.0.2.1 4711 1060\r\n',
    'PROXY TCP4 203.0.113.7 192.0.2.1 04711 1060\r\n',
    'PROXY TCP4 203.0.113.7 192.0.2.1 +711 1060\r\n',
    'PROXY TCP4 203.0.113.7 192.0.2.1 65536 1060\r\n',
    'PROXY TCP4 203.0.113.7 192.0.2.1 4711 -1\r\n',
    'PROXY TCP4 203.0.113.7 192.0.2.1 4711\r\n',
    'PROXY TCP4 2001:db8::7 2001:db8::1 4711 1060\r\n',
    'PROXY TCP6 203.0.113.7 192.0.2.1 4711 1060\r\n',
    'PROXY TCP6 fe80::1%eth0 ::1 4711 1060\r\n',
    'PROXY TCP6 [::1] ::1 4711 1060\r\n',
    'PROXY UDP4 203.0.113.7 192.0.2.1 4711 1060\r\n',
    'PROXY TCP5 203.0.113.7 192.0.2.1 4711 1060\r\n',
    'PROXY UNKNOWNS\r\n',
    'PROXY unknown\r\n',
    'PROXY \r\n',
  ])('refuses %j', (line) => {
    expect(read(line)).toBe('proxy-malformed');
  });

  it.each([
    'GET / HTTP/1.1\r\n',
    'Simple is better than?',
    'proxy TCP4',
    'PROXYTCP4',
    ' PROXY',
    '\n',
  ])('finds no header in %j', (text) => {
    expect(read(text)).toBe('proxy-missing');
  });

  it('refuses a line that does not end within 107 bytes', () => {
    const longest = `PROXY UNKNOWN ${'x'.repeat(91)}\r\n`;
    expect(longest).toHaveLength(107);
    expect(read(longest)).toMatchObject({ kind: 'unspecified', length: 107 });
    expect(read(longest.slice(0, -2))).toBeUndefined();
    expect(read(`PROXY UNKNOWN ${'x'.repeat(92)}\r\n`)).toBe('proxy-too-long');
  });
});

describe('version 2', () => {
  it('reads addresses of both families', () => {
    const [four, six] = [blockOf(client), blockOf(client6)];
    const length = four.length;
    expect(read(four)).toEqual({ kind: 'v2', length, client: { family: 'IPv4', ...client } });
    expect(clientIn(six)).toEqual({ family: 'IPv6', ...client6 });
    const mapped = { address: '::ffff:cb00:7107', port: 4711 };
    expect(clientIn(blockOf(mapped))).toEqual({ family: 'IPv4', ...client });
  });

  it('reads the fields that a service may want, and skips all others', () => {
    expect(read(blockOf(client, usualFields))).toMatchObject({
      kind: 'v2',
      alpn: 'mondo/1',
      authority: 'mondo.example',
      uniqueId: 'ab12-\x1b[31m',
      tls: { version: 'TLSv1.3', isVerified: true, commonName: 'client.example' },
    });
  });

  it.each([
    ['no certificate', 0x01, 0, false],
    ['a certificate that is not verified', 0x03, 1, false],
    ['a verified certificate', 0x03, 0, true],
    ['a verified certificate of this session', 0x05, 0, true],
  ])('names the client by its certificate only if it is verified: %s', (_, flags, result, isVerified) => {
    const head = Buffer.from([flags, 0, 0, 0, result]);
    const value = Buffer.concat([head, fieldsOf([[0x22, 'root']])]);
    const tls = isVerified ? { isVerified, commonName: 'root' } : { isVerified };
    expect(read(blockOf(client, [[0x20, value]]))).toMatchObject({ tls });
    expect((read(blockOf(client, [[0x20, value]])) as ProxyHeader).tls).toEqual(tls);
  });

  it.each<[string, Buffer]>([
    ['version 1', rawBlock(0x11, 0x11, endsOf(client))],
    ['version 3', rawBlock(0x31, 0x11, endsOf(client))],
    ['command 2', rawBlock(0x22, 0x11, endsOf(client))],
    ['a family that is unknown', rawBlock(PROXY, 0x41, endsOf(client))],
    ['a protocol that is unknown', rawBlock(PROXY, 0x13, endsOf(client))],
    ['a family without a protocol', rawBlock(PROXY, 0x10, endsOf(client))],
    ['an address that is cut', rawBlock(PROXY, 0x21, endsOf(client))],
    [
      'a field without its length',
      rawBlock(PROXY, 0x11, Buffer.concat([endsOf(client), Buffer.from([4, 0])])),
    ],
    [
      'a field behind the end',
      rawBlock(PROXY, 0x11, Buffer.concat([endsOf(client), Buffer.from([4, 0, 9])])),
    ],
    ['a TLS field that is cut', blockOf(client, [[0x20, 'abcd']])],
    ['a field in TLS behind the end', blockOf(client, [[0x20, '\0\0\0\0\0\x22\0\x05']])],
    ['a checksum of three bytes', blockOf(client, [[0x03, 'abc']])],
    ['a wrong checksum', blockOf(client, [[0x03, 'abcd']])],
  ])('refuses %s', (_, bytes) => {
    expect(read(bytes)).toBe('proxy-malformed');
  });

  it('verifies a checksum', () => {
    // The check value of CRC32C.
    expect(checksumOf(Buffer.from('123456789'))).toBe(0xe3069283);
    const block = blockOf(client, [
      [0x03, Buffer.alloc(4)],
      [0x02, 'mondo.example'],
    ]);
    const at = 16 + 12 + 3;
    block.writeUInt32BE(checksumOf(block), at);
    expect(read(block)).toMatchObject({ kind: 'v2', authority: 'mondo.example' });
    for (let i = 16; i < block.length; i++) {
      // Another type there, and the header has no checksum.
      if (i === at - 3) continue;
      const wrong = Buffer.from(block);
      wrong[i]! ^= 1;
      expect(read(wrong)).toBe('proxy-malformed');
    }
  });

  it('uses no address of datagrams and unix sockets, which it does not serve', () => {
    expect(read(rawBlock(PROXY, 0x12, endsOf(client)))).toEqual({
      kind: 'unspecified',
      length: 28,
    });
    expect(read(unixBlock())).toEqual({ kind: 'unspecified', length: 16 + 216 });
  });

  it('refuses a header longer than 2,064 bytes as soon as its length is known', () => {
    const fits = 2048 - 12 - 3;
    expect(read(blockOf(client, [[4, Buffer.alloc(fits)]]))).toMatchObject({ length: MOST_HEADER });
    const long = blockOf(client, [[4, Buffer.alloc(fits + 1)]]);
    expect(read(long.subarray(0, 15))).toBeUndefined();
    expect(read(long.subarray(0, 16))).toBe('proxy-too-long');
    expect(read(rawBlock(0x20, 0, Buffer.alloc(0), 65_535))).toBe('proxy-too-long');
  });
});

describe('faults that other servers had', () => {
  it('CVE-2024-23327: a health check with LOCAL and no address', () => {
    expect(read(rawBlock(0x20, 0x00, Buffer.alloc(0)))).toEqual({ kind: 'local', length: 16 });
  });

  it('CVE-2024-23325: an address of a family that the machine may lack', () => {
    expect(read(unixBlock())).toMatchObject({ kind: 'unspecified' });
    expect(clientIn(blockOf(client6))).toMatchObject({ family: 'IPv6' });
  });

  it('CVE-2024-23324: a field that is no UTF-8', () => {
    const bytes = Buffer.from([0xc3, 0x28, 0xff]);
    const header = read(blockOf(client, [[0x02, bytes]])) as ProxyHeader;
    expect(header.authority).toBe('\ufffd(\ufffd');
  });

  it('CVE-2026-47692: 65 KB of fields never become bytes of the conversation', () => {
    const block = rawBlock(PROXY, 0x11, Buffer.concat([endsOf(client), Buffer.alloc(65_523)]));
    expect(read(block)).toBe('proxy-too-long');
  });

  it('sozu 1334: LOCAL with a filled block does not choose an address', () => {
    expect(read(localBlock(client))).toEqual({ kind: 'local', length: 28 });
    const odd = rawBlock(0x20, 0xff, Buffer.alloc(40, 0xff));
    expect(read(odd)).toEqual({ kind: 'local', length: 56 });
  });

  it('caddy-proxyprotocol 8: PROXY with a family and no addresses', () => {
    expect(read(rawBlock(PROXY, 0x11, Buffer.alloc(0)))).toBe('proxy-malformed');
    expect(read(rawBlock(PROXY, 0x21, Buffer.alloc(0)))).toBe('proxy-malformed');
  });
});

describe('any header', () => {
  it('is read only when it is whole, and with the same result whatever follows', () => {
    fc.assert(
      fc.property(headers, fc.uint8Array(), fc.nat(40), (header, rest, before) => {
        const whole = Buffer.concat([Buffer.alloc(before, 'P'), header, rest]);
        const expected = read(header);
        expect(expected).toMatchObject({ length: header.length });
        expect(readHeader(whole, before, whole.length)).toEqual(expected);
        for (let end = 0; end < header.length; end++) {
          expect(read(header.subarray(0, end))).toBeUndefined();
        }
      }),
      { numRuns: 50 },
    );
  });

  it('with any change is read, refused or unfinished, and never throws', () => {
    const change = fc.record({ at: fc.nat(), byte: fc.nat(255), remove: fc.nat(3) });
    fc.assert(
      fc.property(headers, fc.array(change, { minLength: 1, maxLength: 4 }), (header, changes) => {
        let bytes = Buffer.from(header);
        for (const { at, byte, remove } of changes) {
          const from = at % bytes.length;
          const tail = bytes.subarray(from + remove);
          bytes = Buffer.concat([bytes.subarray(0, from), Buffer.from([byte]), tail]);
        }
        const outcome = read(bytes);
        if (typeof outcome !== 'object') return;
        expect(outcome.length).toBeLessThanOrEqual(Math.min(bytes.length, MOST_HEADER));
        const { client: found } = outcome;
        if (found !== undefined) expect(found.port).toBeLessThan(65_536);
      }),
      { numRuns: 1000 },
    );
  });

  it('never needs more bytes than the longest', () => {
    const starts = fc.constantFrom(Buffer.from('PROXY '), SIGNATURE, Buffer.alloc(0));
    const rests = fc.uint8Array({ minLength: MOST_HEADER, maxLength: MOST_HEADER });
    fc.assert(
      fc.property(starts, rests, (start, rest) => {
        expect(read(Buffer.concat([start, rest]))).not.toBeUndefined();
      }),
    );
  });
});

describe('a second opinion, proxy-protocol-js', () => {
  it('makes lines that are read the same', () => {
    fc.assert(
      fc.property(ends4, ends4, (from, to) => {
        const source = new OtherPeer(from.address, from.port);
        const target = new OtherPeer(to.address, to.port);
        const text = new V1ProxyProtocol(INETProtocol.TCP4, source, target).build();
        expect(clientIn(text)).toEqual({ family: 'IPv4', ...from });
      }),
    );
  });

  it('reads lines the same', () => {
    fc.assert(
      fc.property(fc.oneof(ends4, ends6), (from) => {
        const { source } = V1ProxyProtocol.parse(lineOf(from).toString())!;
        const found = clientIn(lineOf(from));
        expect(found).toMatchObject({ port: source!.port });
        const { address } = found as End;
        expect(bytesOf(address)).toEqual(bytesOf(source!.ipAddress));
      }),
    );
  });

  it('makes blocks that are read the same', () => {
    fc.assert(
      fc.property(octets, ports, fc.uint8Array({ maxLength: 40 }), (from, port, rest) => {
        const to = IPv4Address.createFrom([192, 0, 2, 1]);
        const address = new IPv4ProxyAddress(IPv4Address.createFrom(from), port, to, 1060);
        const other = new V2ProxyProtocol(Command.PROXY, TransportProtocol.STREAM, address);
        const built = Buffer.from(other.build());
        const header = read(Buffer.concat([built, rest]));
        const client = { family: 'IPv4', address: from.join('.'), port };
        expect(header).toEqual({ kind: 'v2', length: built.length, client });
      }),
    );
    fc.assert(
      fc.property(ends6, (from) => {
        const tuple = [...bytesOf(from.address)] as unknown as Parameters<
          typeof IPv6Address.createFrom
        >[0];
        const source = IPv6Address.createFrom(tuple);
        const address = new IPv6ProxyAddress(source, from.port, source, 1060);
        const other = new V2ProxyProtocol(Command.PROXY, TransportProtocol.STREAM, address);
        const found = clientIn(Buffer.from(other.build())) as End;
        expect(found.port).toBe(from.port);
        expect(bytesOf(found.address)).toEqual(bytesOf(from.address));
      }),
    );
  });

  it('reads blocks the same', () => {
    fc.assert(
      fc.property(ends4, (from) => {
        const other = V2ProxyProtocol.parse(blockOf(from))!;
        expect(other.addressFamilyType).toBe(AddressFamilyType.INET);
        const { sourceAddress, sourcePort } = other.proxyAddress as IPv4ProxyAddress;
        const address = sourceAddress.address.join('.');
        expect(clientIn(blockOf(from))).toEqual({ family: 'IPv4', address, port: sourcePort });
      }),
    );
  });
});
