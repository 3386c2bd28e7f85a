/**
 * The header of the PROXY protocol, versions 1 and 2: a balancer announces with it which client it passes on. Pure:
 * bytes come in, a header or a fault goes out. The same bytes give the same result, however they are cut.
 * https://www.haproxy.org/download/2.6/doc/proxy-protocol.txt
 */
import { checksumOf, type Extras, extrasIn } from './proxy-extras.ts';

/** The longest header that is read, in bytes: the fixed part of version 2, and a block of 2 KiB. */
export const MOST_HEADER = 16 + 2048;

/** The longest line of version 1, in bytes, with its CR and LF. */
const MOST_LINE = 107;

const LINE_START = Buffer.from('PROXY ');
const SIGNATURE = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1');
/** Size of the fixed part of version 2, in bytes. */
const FIXED = 16;

const CR = 13;
const LF = 10;

/** Why bytes are no header: they begin with none, its rest is wrong, or it is longer than what is read. */
export type HeaderFault = 'proxy-missing' | 'proxy-malformed' | 'proxy-too-long';

/** The client that a proxy announces. */
export interface Announced {
  readonly family: 'IPv4' | 'IPv6';
  /** In the usual short form. An IPv4 address that is written as IPv6 is IPv4. */
  readonly address: string;
  readonly port: number;
}

export interface ProxyHeader extends Extras {
  readonly kind: 'v1' | 'v2' | 'local' | 'unspecified';
  /** Its length in bytes. What follows belongs to the conversation. */
  readonly length: number;
  /** Undefined: the connection is the proxy's own, such as a health check, or the proxy does not know the client. */
  readonly client?: Announced;
}

/** Not a static import: node:net loads the streams, and workers of most architectures never need them. */
const isIP = (text: string): number => process.getBuiltinModule('node:net').isIP(text);

/**
 * Reads the header at the start of `bytes[start, end)`.
 *
 * @returns undefined if more bytes are needed. That is never so for `MOST_HEADER` bytes
 */
export function readHeader(
  bytes: Uint8Array,
  start: number,
  end: number,
): ProxyHeader | HeaderFault | undefined {
  if (end === start) return undefined;
  if (agrees(bytes, start, end, LINE_START)) return readLine(bytes, start, end);
  if (agrees(bytes, start, end, SIGNATURE)) return readBlock(bytes, start, end);
  return 'proxy-missing';
}

/** True if the bytes are equal to the beginning of `expected`, as far as there are any. */
function agrees(bytes: Uint8Array, start: number, end: number, expected: Uint8Array): boolean {
  const length = Math.min(end - start, expected.length);
  for (let i = 0; i < length; i++) if (bytes[start + i] !== expected[i]) return false;
  return true;
}

/** Version 1: one line of text. */
function readLine(
  bytes: Uint8Array,
  start: number,
  end: number,
): ProxyHeader | HeaderFault | undefined {
  const most = Math.min(end, start + MOST_LINE);
  for (let at = start + LINE_START.length; at < most; at++) {
    if (bytes[at] === LF) return 'proxy-malformed';
    if (bytes[at] !== CR) continue;
    if (at + 1 === most) break;
    if (bytes[at + 1] !== LF) return 'proxy-malformed';
    const text = Buffer.from(bytes.subarray(start + LINE_START.length, at)).toString('latin1');
    return headerOfLine(text, at + 2 - start);
  }
  return end - start >= MOST_LINE ? 'proxy-too-long' : undefined;
}

function headerOfLine(text: string, length: number): ProxyHeader | HeaderFault {
  // What follows this word has no meaning, by the specification.
  if (text === 'UNKNOWN' || text.startsWith('UNKNOWN ')) return { kind: 'unspecified', length };
  const words = /^TCP([46]) ([^ ]+) ([^ ]+) ([^ ]+) ([^ ]+)$/.exec(text);
  if (words === null) return 'proxy-malformed';
  const [, family, from = '', to = '', fromPort = '', toPort = ''] = words;
  const isAddress = (word: string) => isIP(word) === Number(family) && !word.includes('%');
  const isRight = isAddress(from) && isAddress(to) && isPort(fromPort) && isPort(toPort);
  if (!isRight) return 'proxy-malformed';
  return { kind: 'v1', length, client: announced(from, Number(fromPort)) };
}

const isPort = (word: string): boolean =>
  /^(?:0|[1-9]\d{0,4})$/.test(word) && Number(word) < 65_536;

function announced(text: string, port: number): Announced {
  if (!text.includes(':')) return { family: 'IPv4', address: text, port };
  // URL writes every form of IPv6 text in its shortest form, also a dotted end.
  const address = new URL(`http://[${text}]/`).hostname.slice(1, -1);
  const mapped = /^::ffff:([\da-f]{1,4}):([\da-f]{1,4})$/.exec(address);
  if (mapped === null) return { family: 'IPv6', address, port };
  const bytes = mapped.slice(1).flatMap((group) => {
    const value = Number.parseInt(group, 16);
    return [value >> 8, value & 0xff];
  });
  return { family: 'IPv4', address: bytes.join('.'), port };
}

/** Size of both addresses and ports in the block, in bytes, by family and protocol. Other values are forbidden. */
const addressSizes: ReadonlyMap<number, number> = new Map([
  [0x00, 0],
  [0x11, 12],
  [0x12, 12],
  [0x21, 36],
  [0x22, 36],
  [0x31, 216],
  [0x32, 216],
]);
const TCP_OVER_IPV4 = 0x11;
const TCP_OVER_IPV6 = 0x21;
const VERSION_2 = 0x20;
const LOCAL = VERSION_2;
const PROXY = VERSION_2 | 1;

/** Version 2: a block of bytes. */
function readBlock(
  bytes: Uint8Array,
  start: number,
  end: number,
): ProxyHeader | HeaderFault | undefined {
  const has = end - start;
  const command = bytes[start + SIGNATURE.length];
  // Each byte is checked when it comes: a peer that sends something else must not wait for its answer.
  if (has > 12 && command !== LOCAL && command !== PROXY) return 'proxy-malformed';
  const addressSize = addressSizes.get(bytes[start + 13]!);
  if (has > 13 && command === PROXY && addressSize === undefined) return 'proxy-malformed';
  if (has < FIXED) return undefined;
  const size = (bytes[start + 14]! << 8) | bytes[start + 15]!;
  const length = FIXED + size;
  if (length > MOST_HEADER) return 'proxy-too-long';
  if (command === PROXY && size < addressSize!) return 'proxy-malformed';
  if (has < length) return undefined;
  // With this command a receiver must use the real address, whatever the block says.
  if (command === LOCAL) return { kind: 'local', length };
  const block = Buffer.from(bytes.subarray(start, start + length));
  return headerOfBlock(block, addressSize!);
}

function headerOfBlock(block: Buffer, addressSize: number): ProxyHeader | HeaderFault {
  const { length } = block;
  const found = extrasIn(block, FIXED + addressSize);
  if (found === undefined) return 'proxy-malformed';
  const { checksumAt, ...extras } = found;
  if (checksumAt !== undefined) {
    const expected = block.readUInt32BE(checksumAt);
    // The sender computed it with zeros in its place.
    if (checksumOf(block.fill(0, checksumAt, checksumAt + 4)) !== expected)
      return 'proxy-malformed';
  }
  const what = block[13];
  // A receiver treats families that it does not serve as unspecified, by the specification.
  if (what !== TCP_OVER_IPV4 && what !== TCP_OVER_IPV6) return { kind: 'unspecified', length };
  const isIPv4 = what === TCP_OVER_IPV4;
  const address = block.subarray(FIXED, FIXED + (isIPv4 ? 4 : 16));
  const port = block.readUInt16BE(FIXED + (isIPv4 ? 8 : 32));
  const text = isIPv4 ? address.join('.') : groupsOf(address);
  return { kind: 'v2', length, client: announced(text, port), ...extras };
}

const groupsOf = (address: Buffer): string =>
  Array.from({ length: 8 }, (_, i) => address.readUInt16BE(i * 2).toString(16)).join(':');
