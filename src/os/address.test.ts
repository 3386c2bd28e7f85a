import { isIP } from 'node:net';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  ADDRESS_SIZE,
  AF_INET,
  AF_INET6,
  AF_UNIX,
  addressText,
  decodeAddress,
  encodeAddress,
  type SocketAddress,
} from './address.ts';

const port = fc.integer({ min: 0, max: 65_535 });

/** An address as the kernel returns it: in a larger buffer whose rest has old bytes. */
function throughTheKernel(address: SocketAddress): SocketAddress {
  const bytes = encodeAddress(address);
  const room = Buffer.alloc(ADDRESS_SIZE, 0xaa);
  bytes.copy(room);
  return decodeAddress(room, bytes.length);
}

/** The canonical text of RFC 5952, as the platform's URL writes it. */
const canonical = (host: string) => new URL(`http://[${host}]/`).hostname.slice(1, -1);

describe('encodeAddress and decodeAddress', () => {
  it('return any IPv4 address unchanged', () => {
    fc.assert(
      fc.property(fc.ipV4(), port, (host, number) => {
        const address = { family: 'IPv4', host, port: number } as const;
        expect(throughTheKernel(address)).toEqual(address);
      }),
    );
  });

  it('return any IPv6 address in its canonical form', () => {
    fc.assert(
      fc.property(fc.ipV6(), port, (host, number) => {
        const address = { family: 'IPv6', host, port: number } as const;
        const back = throughTheKernel(address);
        expect(back.family).toBe('IPv6');
        if (back.family === 'unix') return;
        expect(isIP(back.host)).toBe(6);
        expect(canonical(back.host)).toBe(canonical(host));
        expect(back.port).toBe(number);
        expect(throughTheKernel(back)).toEqual(back);
      }),
    );
  });

  it('return any path of a unix socket', () => {
    const path = fc
      .string({ unit: 'grapheme', minLength: 1, maxLength: 60 })
      .filter((text) => !text.includes('\0') && Buffer.byteLength(text) <= 107);
    fc.assert(
      fc.property(path, (text) => {
        const address = { family: 'unix', path: text } as const;
        expect(throughTheKernel(address)).toEqual(address);
      }),
    );
  });

  it('lay out the bytes as in ip(7), ipv6(7) and unix(7)', () => {
    const little = (family: number) => [family, 0];
    expect([...encodeAddress({ family: 'IPv4', host: '127.0.0.1', port: 1060 })]).toEqual([
      ...little(AF_INET),
      ...[4, 36, 127, 0, 0, 1],
      ...new Array(8).fill(0),
    ]);
    expect([...encodeAddress({ family: 'IPv6', host: '::1', port: 1060 })]).toEqual([
      ...little(AF_INET6),
      ...[4, 36, 0, 0, 0, 0],
      ...new Array(15).fill(0),
      1,
      ...[0, 0, 0, 0],
    ]);
    expect([...encodeAddress({ family: 'unix', path: '/s' })]).toEqual([
      ...little(AF_UNIX),
      47,
      115,
      0,
    ]);
  });

  it('recognise an unnamed unix peer, for which the kernel gives only the family', () => {
    expect(decodeAddress(Buffer.from([AF_UNIX, 0]), 2)).toEqual({ family: 'unix', path: '' });
    expect(addressText({ family: 'unix', path: '' })).toBe('unix');
  });

  it('refuse a path that the kernel would shorten', () => {
    expect(() => encodeAddress({ family: 'unix', path: 'a'.repeat(108) })).toThrow('108 bytes');
    expect(() => encodeAddress({ family: 'unix', path: 'é'.repeat(54) })).toThrow('108 bytes');
    expect(encodeAddress({ family: 'unix', path: 'a'.repeat(107) })).toHaveLength(110);
  });

  it('keep the zone of a link-local address', () => {
    // Interface 1 is lo.
    const address = { family: 'IPv6', host: 'fe80::1%lo', port: 7 } as const;
    expect(encodeAddress(address).readUInt32LE(24)).toBe(1);
    expect(throughTheKernel(address)).toEqual(address);
    expect(throughTheKernel({ ...address, host: 'fe80::1%1' })).toEqual(address);
  });

  it('refuse text that is not an IPv6 address', () => {
    expect(() => encodeAddress({ family: 'IPv6', host: 'localhost', port: 1 })).toThrow(
      'localhost',
    );
  });
});

describe('addressText', () => {
  it.each([
    [{ family: 'IPv4', host: '127.0.0.1', port: 1060 }, '127.0.0.1:1060'],
    [{ family: 'IPv6', host: '::1', port: 1060 }, '[::1]:1060'],
    [{ family: 'IPv6', host: '::ffff:10.0.0.1', port: 9 }, '10.0.0.1:9'],
    [{ family: 'unix', path: '/tmp/s' }, 'unix:/tmp/s'],
  ] as const)('of %j is %s', (address, text) => {
    expect(addressText(address)).toBe(text);
    expect(addressText(throughTheKernel(address))).toBe(text);
  });
});
