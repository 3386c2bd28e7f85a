/**
 * Networks in CIDR notation, and the test whether an address is in one. An address is 16 bytes, in the form of
 * IPv6. An IPv4 address is `::ffff:` and its four bytes, and the kernel gives an IPv4 peer of an IPv6 listener in
 * the same form. IPv4 peers are only in IPv4 networks: `::/0` is every IPv6 address. RFC 4291, RFC 4632
 *
 * Node parses the addresses. It does not match them: its `BlockList` counts IPv4 peers to `::/0`, and takes only
 * text, which would have to be made for each peer. `ipaddr.js` matches correctly once mapped networks are converted. But
 * every worker would load it (3.8 ms at a start, measured), to replace the twenty lines of `isIn` and `maskOf`.
 */
import { LimitError } from './errors.ts';

/** Not a static import: node:net loads the streams, and workers of most architectures never need them. */
const net = () => process.getBuiltinModule('node:net');

export interface Network {
  /** The first address. */
  readonly address: Uint8Array;
  /** Number of leading bits, of 128, that all its addresses share. */
  readonly bits: number;
}

/** Length of the prefix of IPv4 addresses in the space of IPv6. */
const MAPPED_BITS = 96;
const isMapped = (address: Uint8Array): boolean => {
  for (let i = 0; i < 10; i++) if (address[i] !== 0) return false;
  return address[10] === 0xff && address[11] === 0xff;
};

/** The 16 bytes of an address given as text; undefined if it is not one. No zones: those name interfaces. */
export function parseAddress(text: string): Uint8Array | undefined {
  const family = net().isIP(text);
  if (family === 0 || text.includes('%')) return undefined;
  const address = new Uint8Array(16);
  if (family === 4) {
    address.fill(0xff, 10, 12);
    address.set(text.split('.').map(Number), 12);
    return address;
  }
  // The last four bytes may be dotted.
  const hex = text.replace(
    /(\d+)\.(\d+)\.(\d+)\.(\d+)$/,
    (_, a, b, c, d) => `${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`,
  );
  const [front = [], back = []] = hex.split('::').map((half) => half.split(':').filter(Boolean));
  const zeroes = new Array<string>(8 - front.length - back.length).fill('0');
  for (const [i, group] of [...front, ...zeroes, ...back].entries()) {
    const value = Number.parseInt(group, 16);
    address[i * 2] = value >> 8;
    address[i * 2 + 1] = value & 0xff;
  }
  return address;
}

/** Parses `10.0.0.0/8`, `2001:db8::/32`, or one address. @throws LimitError */
export function parseNetwork(text: string): Network {
  const [, before = '', after] = /^([^/]*)(?:\/(\d{1,3}))?$/.exec(text) ?? [];
  const address = parseAddress(before);
  if (address === undefined) {
    throw new LimitError(
      `Cannot read network "${text}": give an address and how many of its bits count, such as 10.0.0.0/8 or 2001:db8::/32`,
    );
  }
  const isIPv4 = !before.includes(':');
  const width = isIPv4 ? 32 : 128;
  const length = after === undefined ? width : Number(after);
  if (length > width) {
    throw new LimitError(
      `Cannot read network "${text}": an ${isIPv4 ? 'IPv4' : 'IPv6'} address has ${width} bits; give /0 to /${width}`,
    );
  }
  const bits = isIPv4 ? length + MAPPED_BITS : length;
  if (address.some((byte, i) => byte & ~maskOf(i, bits))) {
    const first = address.map((byte, i) => byte & maskOf(i, bits));
    throw new LimitError(
      `Cannot read network "${text}": it has bits set behind its first ${length}; give ${textOf(first, isIPv4)}/${length}, or more bits`,
    );
  }
  return { address, bits };
}

/** Mask of the bits of byte `i` that are among the first `bits` of an address. */
const maskOf = (i: number, bits: number): number => {
  const rest = bits - i * 8;
  if (rest >= 8) return 0xff;
  return rest <= 0 ? 0 : (0xff00 >> rest) & 0xff;
};

function textOf(address: Uint8Array, isIPv4: boolean): string {
  if (isIPv4) return address.subarray(12).join('.');
  const groups = Array.from({ length: 8 }, (_, i) =>
    ((address[i * 2]! << 8) | address[i * 2 + 1]!).toString(16),
  );
  // In the short form.
  const { SocketAddress } = net();
  return new SocketAddress({ address: groups.join(':'), family: 'ipv6' }).address;
}

function isIn(address: Uint8Array, { address: first, bits }: Network, mapped: boolean): boolean {
  // A wider IPv6 network contains the range of IPv4, but means IPv6.
  if (mapped && bits < MAPPED_BITS) return false;
  const whole = bits >> 3;
  for (let i = 0; i < whole; i++) if (address[i] !== first[i]) return false;
  return whole === 16 || ((address[whole]! ^ first[whole]!) & maskOf(whole, bits)) === 0;
}

/** Decides which addresses are allowed. */
export class Networks {
  readonly #allow: readonly Network[];
  readonly #deny: readonly Network[];

  /** @throws LimitError */
  constructor(allow: readonly string[], deny: readonly string[]) {
    this.#allow = allow.map(parseNetwork);
    this.#deny = deny.map(parseNetwork);
  }

  /** True if no list is given, so that no address must be looked at. */
  get isOff(): boolean {
    return this.#allow.length === 0 && this.#deny.length === 0;
  }

  /** Which list refuses that address; undefined if none does. */
  refuses(address: Uint8Array): 'deny' | 'allow' | undefined {
    const mapped = isMapped(address);
    const matches = (network: Network) => isIn(address, network, mapped);
    if (this.#deny.some(matches)) return 'deny';
    return this.#allow.length === 0 || this.#allow.some(matches) ? undefined : 'allow';
  }
}
