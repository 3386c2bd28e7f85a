import { BlockList, isIP } from 'node:net';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LimitError } from './errors.ts';
import { Networks, parseAddress, parseNetwork } from './networks.ts';

const hex = (text: string) => Buffer.from(parseAddress(text) ?? []).toString('hex');

describe('parseAddress', () => {
  it.each([
    ['127.0.0.1', '00000000000000000000ffff7f000001'],
    ['::ffff:127.0.0.1', '00000000000000000000ffff7f000001'],
    ['::', '00000000000000000000000000000000'],
    ['2001:db8::1', '20010db8000000000000000000000001'],
    ['1:2:3:4:5:6:7:8', '00010002000300040005000600070008'],
    ['1:2:3:4:5:6:1.2.3.4', '00010002000300040005000601020304'],
    ['1::8', '00010000000000000000000000000008'],
    ['1:2:3:4:5:6:7::', '00010002000300040005000600070000'],
  ])('%s', (text, expected) => {
    expect(hex(text)).toBe(expected);
  });

  const addresses = fc.oneof(
    fc.ipV4(),
    fc.ipV4Extended(),
    fc.ipV6(),
    fc.string({ unit: fc.constantFrom(...'0123456789abcf:./% ') }),
    fc.string(),
    // Text that is close to an address, and usually not one.
    fc
      .tuple(
        fc.oneof(fc.ipV4(), fc.ipV6()),
        fc.nat(45),
        fc.constantFrom(':', '.', '0', 'g', '::', ''),
      )
      .map(([text, at, what]) => text.slice(0, at) + what + text.slice(at + 1)),
  );

  it('accepts what Node accepts as an address, except zones', () => {
    fc.assert(
      fc.property(addresses, (text) => {
        const expected = isIP(text) !== 0 && !text.includes('%');
        expect(parseAddress(text) !== undefined).toBe(expected);
      }),
      { numRuns: 5000 },
    );
  });
});

describe('parseNetwork', () => {
  it.each([
    ['10.0.0.0', 'of 32', 128],
    ['10.0.0.0/8', 'of 32', 104],
    ['0.0.0.0/0', 'of 32', 96],
    ['::/0', 'of 128', 0],
    ['2001:db8::/32', 'of 128', 32],
    ['::1', 'of 128', 128],
  ])('%s', (text, _width, bits) => {
    expect(parseNetwork(text).bits).toBe(bits);
  });

  it.each([
    ['', 'Cannot read network "": give an address and how many of its bits count'],
    ['10.0.0.0/', 'Cannot read network "10.0.0.0/": give an address'],
    ['10.0.0/8', 'Cannot read network "10.0.0/8": give an address'],
    ['010.0.0.0/8', 'Cannot read network "010.0.0.0/8": give an address'],
    ['fe80::1%eth0', 'Cannot read network "fe80::1%eth0": give an address'],
    ['10.0.0.0/33', 'an IPv4 address has 32 bits; give /0 to /32'],
    ['::/129', 'an IPv6 address has 128 bits; give /0 to /128'],
    ['10.1.2.3/8', 'it has bits set behind its first 8; give 10.0.0.0/8, or more bits'],
    ['2001:db8::1/32', 'it has bits set behind its first 32; give 2001:db8::/32, or more bits'],
    ['1:0:0:2::3/64', 'it has bits set behind its first 64; give 1:0:0:2::/64, or more bits'],
  ])('refuses "%s"', (text, message) => {
    expect(() => parseNetwork(text)).toThrow(LimitError);
    expect(() => parseNetwork(text)).toThrow(message);
  });

  it('proposes a network that it accepts', () => {
    fc.assert(
      fc.property(fc.oneof(fc.ipV4(), fc.ipV6()), fc.nat(128), (address, bits) => {
        let message = '';
        try {
          parseNetwork(`${address}/${bits}`);
        } catch (error) {
          message = (error as Error).message;
        }
        const proposed = /give (\S+\/\d+), or more/.exec(message)?.[1];
        if (proposed !== undefined) parseNetwork(proposed);
      }),
      { numRuns: 2000 },
    );
  });
});

describe('Networks', () => {
  const refuses = (allow: string[], deny: string[], address: string) =>
    new Networks(allow, deny).refuses(parseAddress(address)!);

  it('refuses a denied address, even if it is allowed', () => {
    expect(refuses([], ['10.0.0.0/8'], '10.1.2.3')).toBe('deny');
    expect(refuses([], ['10.0.0.0/8'], '11.1.2.3')).toBeUndefined();
    expect(refuses(['10.0.0.0/8'], ['10.1.0.0/16'], '10.1.2.3')).toBe('deny');
    expect(refuses(['10.0.0.0/8'], ['10.1.0.0/16'], '10.2.2.3')).toBeUndefined();
  });

  it('with a list of allowed networks, refuses all others', () => {
    expect(refuses(['127.0.0.0/8', '::1'], [], '127.0.0.9')).toBeUndefined();
    expect(refuses(['127.0.0.0/8', '::1'], [], '::1')).toBeUndefined();
    expect(refuses(['127.0.0.0/8', '::1'], [], '::2')).toBe('allow');
    expect(refuses(['127.0.0.0/8', '::1'], [], '128.0.0.1')).toBe('allow');
  });

  it('finds an IPv4 peer of an IPv6 listener in IPv4 networks, and only there', () => {
    expect(refuses([], ['10.0.0.0/8'], '::ffff:10.1.2.3')).toBe('deny');
    expect(refuses([], ['::ffff:10.0.0.0/104'], '10.1.2.3')).toBe('deny');
    expect(refuses([], ['::/0'], '10.1.2.3')).toBeUndefined();
    expect(refuses([], ['0.0.0.0/0'], '2001:db8::1')).toBeUndefined();
  });

  it('is off if no list is given', () => {
    expect(new Networks([], []).isOff).toBe(true);
    expect(new Networks(['::1'], []).isOff).toBe(false);
  });

  it('agrees with Node about any network and address of one family', () => {
    const family = fc.constantFrom('ipv4' as const, 'ipv6' as const);
    const bytes = fc.uint8Array({ minLength: 16, maxLength: 16 });
    fc.assert(
      fc.property(
        family,
        bytes,
        bytes,
        fc.nat(128),
        fc.nat(128),
        (kind, one, two, length, same) => {
          const size = kind === 'ipv4' ? 4 : 16;
          const bits = length % (size * 8 + 1);
          // The first bits of both addresses are equal, so that about half of the addresses are inside.
          const other = Uint8Array.from(two.subarray(0, size), (byte, i) => {
            const rest = Math.max(0, Math.min(8, same - i * 8));
            const mask = (0xff00 >> rest) & 0xff;
            return (one[i]! & mask) | (byte & ~mask & 0xff);
          });
          const first = Uint8Array.from(one.subarray(0, size), (byte, i) => {
            const rest = Math.max(0, Math.min(8, bits - i * 8));
            return byte & ((0xff00 >> rest) & 0xff);
          });
          const write = (address: Uint8Array) =>
            kind === 'ipv4'
              ? address.join('.')
              : Array.from({ length: 8 }, (_, i) =>
                  ((address[i * 2]! << 8) | address[i * 2 + 1]!).toString(16),
                ).join(':');
          // Node treats IPv4-mapped addresses as IPv4, even in IPv6 networks.
          fc.pre(kind === 'ipv4' || !write(other).startsWith('0:0:0:0:0:ffff'));
          const list = new BlockList();
          list.addSubnet(write(first), bits, kind);
          expect(refuses([], [`${write(first)}/${bits}`], write(other)) === 'deny').toBe(
            list.check(write(other), kind),
          );
        },
      ),
      { numRuns: 3000 },
    );
  });
});
