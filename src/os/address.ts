/** Socket addresses: converts between the kernel's `struct sockaddr` and text. ip(7), ipv6(7), unix(7) */
import { readdirSync, readFileSync } from 'node:fs';
import { endianness } from 'node:os';

/** Not a static import: node:net loads the streams, and workers of most architectures never need them. */
const isIP = (text: string): number => process.getBuiltinModule('node:net').isIP(text);
const isIPv6 = (text: string): boolean => isIP(text) === 6;

export const AF_UNIX = 1;
export const AF_INET = 2;
export const AF_INET6 = 10;

/** `sizeof(struct sockaddr_storage)`: room for an address of any family. */
export const ADDRESS_SIZE = 128;

/** `sun_path` has 108 bytes, the last of which ends the string. */
const UNIX_PATH_MAX = 107;

/**
 * The address of a server or of a peer.
 *
 * @example
 * ```ts
 * import type { SocketAddress } from 'mondo';
 *
 * export const portOf = (address: SocketAddress): number =>
 *   address.family === 'unix' ? 0 : address.port;
 * ```
 */
export type SocketAddress =
  | { readonly family: 'IPv4' | 'IPv6'; readonly host: string; readonly port: number }
  | { readonly family: 'unix'; readonly path: string };

export const familyOf = (address: SocketAddress): number =>
  ({ IPv4: AF_INET, IPv6: AF_INET6, unix: AF_UNIX })[address.family];

// The family field is in the machine's own byte order, unlike the port.
const little = endianness() === 'LE';
const writeFamily = (bytes: Buffer, family: number) =>
  little ? bytes.writeUInt16LE(family, 0) : bytes.writeUInt16BE(family, 0);
const readFamily = (bytes: Buffer) => (little ? bytes.readUInt16LE(0) : bytes.readUInt16BE(0));

export function encodeAddress(address: SocketAddress): Buffer {
  if (address.family === 'unix') {
    const path = Buffer.from(address.path);
    checkPath(address.path, path.length);
    const bytes = Buffer.alloc(2 + path.length + 1);
    writeFamily(bytes, AF_UNIX);
    path.copy(bytes, 2);
    return bytes;
  }
  if (address.family === 'IPv4') {
    const bytes = Buffer.alloc(16);
    writeFamily(bytes, AF_INET);
    bytes.writeUInt16BE(address.port, 2);
    bytes.set(address.host.split('.').map(Number), 4);
    return bytes;
  }
  const bytes = Buffer.alloc(28);
  writeFamily(bytes, AF_INET6);
  bytes.writeUInt16BE(address.port, 2);
  bytes.set(ipv6Bytes(address.host), 8);
  const zone = /%(.*)$/.exec(address.host)?.[1];
  const scope = zone === undefined ? 0 : interfaceIndex(zone, address.host);
  if (little) bytes.writeUInt32LE(scope, 24);
  else bytes.writeUInt32BE(scope, 24);
  return bytes;
}

function checkPath(path: string, length: number): void {
  if (length <= UNIX_PATH_MAX) return;
  throw new RangeError(
    `Cannot use socket path "${path}": ${length} bytes, the kernel takes ${UNIX_PATH_MAX}`,
  );
}

/**
 * Parses an address that needs no name server; undefined for a name.
 *
 * @param host an IPv4 or IPv6 address, with or without brackets, a link-local one with its zone (`fe80::1%eth0`),
 *   or `unix:PATH`
 * @throws RangeError if it has the form of an address, but no such address can exist
 */
export function literalAddress(host: string, port: number): SocketAddress | undefined {
  if (host.startsWith('unix:')) return unixAddress(host);
  const bare = host.replace(/^\[(.*)\]$/, '$1');
  const version = isIP(bare);
  if (version === 0) return undefined;
  if (version === 4) return { family: 'IPv4', host: bare, port };
  if (/^fe[89ab]/i.test(bare) && !bare.includes('%')) {
    throw new RangeError(
      `Cannot use "${host}" as an address: each network has its own fe80 addresses; add the interface, as in "${bare}%eth0"`,
    );
  }
  const address = { family: 'IPv6', host: bare, port } as const;
  encodeAddress(address);
  return address;
}

function unixAddress(host: string): SocketAddress {
  const path = host.slice('unix:'.length);
  const reason =
    path === ''
      ? 'no path follows; give unix:PATH'
      : path.startsWith('@')
        ? 'a name in the abstract namespace is not supported; give a path, or unix:./@NAME for a file of that name'
        : path.includes('\0')
          ? 'a path has no zero bytes; give another path'
          : undefined;
  if (reason !== undefined) throw new RangeError(`Cannot use "${host}" as an address: ${reason}`);
  checkPath(path, Buffer.byteLength(path));
  return { family: 'unix', path };
}

const INTERFACES = '/sys/class/net';

/** The kernel's number for an interface. */
function interfaceIndex(zone: string, host: string): number {
  if (/^[1-9]\d*$/.test(zone)) return Number(zone);
  const index = indexOf(zone);
  if (index !== undefined) return index;
  throw new RangeError(
    `Cannot use "${host}" as an address: no interface is called "${zone}"; ip link shows all of them`,
  );
}

function indexOf(name: string): number | undefined {
  if (name.includes('/')) return undefined;
  try {
    return Number(readFileSync(`${INTERFACES}/${name}/ifindex`, 'latin1'));
  } catch {
    return undefined;
  }
}

const zones = new Map<number, string>();

/** The name of an interface, or its number if it has no name here. Looked up once for each. */
function zoneOf(index: number): string {
  let zone = zones.get(index);
  if (zone === undefined) {
    zone = interfaceNames().find((name) => indexOf(name) === index) ?? String(index);
    zones.set(index, zone);
  }
  return zone;
}

function interfaceNames(): string[] {
  try {
    return readdirSync(INTERFACES);
  } catch {
    return [];
  }
}

export function decodeAddress(bytes: Buffer, length: number): SocketAddress {
  const family = length < 2 ? AF_UNIX : readFamily(bytes);
  if (family === AF_INET) {
    return { family: 'IPv4', host: bytes.subarray(4, 8).join('.'), port: bytes.readUInt16BE(2) };
  }
  if (family === AF_INET6) {
    const scope = little ? bytes.readUInt32LE(24) : bytes.readUInt32BE(24);
    const zone = scope === 0 ? '' : `%${zoneOf(scope)}`;
    const host = ipv6Text(bytes.subarray(8, 24)) + zone;
    return { family: 'IPv6', host, port: bytes.readUInt16BE(2) };
  }
  const path = bytes.subarray(2, length);
  const end = path.indexOf(0);
  return { family: 'unix', path: path.subarray(0, end < 0 ? path.length : end).toString() };
}

/** Only the address, as 16 bytes; an IPv4 address as `::ffff:` and its four bytes. Undefined for a unix peer. */
export function addressBytes(bytes: Buffer, length: number): Uint8Array | undefined {
  const family = length < 2 ? AF_UNIX : readFamily(bytes);
  if (family === AF_INET6) return bytes.subarray(8, 24);
  if (family !== AF_INET) return undefined;
  const address = new Uint8Array(16);
  address.fill(0xff, 10, 12);
  address.set(bytes.subarray(4, 8), 12);
  return address;
}

type InternetAddress = Exclude<SocketAddress, { readonly family: 'unix' }>;

/** An IPv4 address that is written as IPv6 becomes IPv4. */
export function unmapped(address: InternetAddress): InternetAddress;
export function unmapped(address: SocketAddress): SocketAddress;
export function unmapped(address: SocketAddress): SocketAddress {
  if (address.family !== 'IPv6') return address;
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/.exec(address.host);
  return mapped ? { family: 'IPv4', host: mapped[1]!, port: address.port } : address;
}

/** `127.0.0.1:1060`, `[::1]:1060` or `unix:PATH`. An IPv4 peer of an IPv6 listener is shown as IPv4. */
export function addressText(address: SocketAddress): string {
  if (address.family === 'unix') return address.path === '' ? 'unix' : `unix:${address.path}`;
  if (address.family === 'IPv4') return `${address.host}:${address.port}`;
  const { family, host, port } = unmapped(address);
  return family === 'IPv4' ? `${host}:${port}` : `[${host}]:${port}`;
}

function ipv6Bytes(text: string): Buffer {
  if (!isIPv6(text)) throw new RangeError(`Cannot use "${text}" as an IPv6 address`);
  // URL writes every form of IPv6 text in hexadecimal groups, also a dotted end.
  const plain = new URL(`http://[${text.replace(/%.*$/, '')}]/`).hostname.slice(1, -1);
  const [head = '', tail] = plain.split('::');
  const groups = (part: string) => (part === '' ? [] : part.split(':').map((g) => parseInt(g, 16)));
  const front = groups(head);
  const back = tail === undefined ? [] : groups(tail);
  const middle = new Array<number>(8 - front.length - back.length).fill(0);
  const bytes = Buffer.alloc(16);
  for (const [i, group] of [...front, ...middle, ...back].entries())
    bytes.writeUInt16BE(group, i * 2);
  return bytes;
}

function ipv6Text(bytes: Buffer): string {
  const isMapped = bytes.subarray(0, 10).every((b) => b === 0) && bytes.readUInt16BE(10) === 0xffff;
  if (isMapped) return `::ffff:${bytes.subarray(12, 16).join('.')}`;
  const groups = Array.from({ length: 8 }, (_, i) => bytes.readUInt16BE(i * 2).toString(16));
  return new URL(`http://[${groups.join(':')}]/`).hostname.slice(1, -1);
}
