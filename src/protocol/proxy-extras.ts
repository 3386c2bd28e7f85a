/** What version 2 of the PROXY protocol may say besides addresses: fields of a type, a length and a value (TLV). */

/**
 * What a balancer says of a client's TLS, which it has ended itself.
 *
 * @example
 * ```ts
 * import type { Peer, PeerTls } from 'mondo';
 *
 * const nameOf = (tls: PeerTls | undefined): string => tls?.commonName ?? 'without a certificate';
 * const greet = (peer: Peer): string => nameOf(peer.tls);
 * console.log(greet({ family: 'IPv4', address: '203.0.113.7', port: 4711, path: '' }));
 * ```
 */
export interface PeerTls {
  /** Such as `TLSv1.3`. */
  readonly version?: string;
  /** True if the client gave a certificate, and the balancer has verified it. */
  readonly isVerified: boolean;
  /** The common name in that certificate. Left out unless it is verified. */
  readonly commonName?: string;
}

/** Fields that a service may want. */
export interface Extras {
  /** The host name that the client asked for (SNI). */
  readonly authority?: string;
  /** The protocol that client and balancer agreed on (ALPN). */
  readonly alpn?: string;
  /** The balancer's own name for the connection: bytes, as latin1. */
  readonly uniqueId?: string;
  readonly tls?: PeerTls;
}

// Types of fields.
const ALPN = 0x01;
const AUTHORITY = 0x02;
const CRC32C = 0x03;
const UNIQUE_ID = 0x05;
const TLS = 0x20;
const TLS_VERSION = 0x21;
const TLS_COMMON_NAME = 0x22;

/** Size of the type and the length of a field, in bytes. */
const FIELD_HEAD = 3;
/** Size of the fixed part of the field TLS, in bytes: flags, and the result of the verification. */
const TLS_HEAD = 5;

// Flags of the field TLS: the client gave a certificate on this connection, or earlier in this session.
const CERTIFICATE_NOW = 0x02;
const CERTIFICATE_EARLIER = 0x04;

/** The fields in `block[start, …)`, by type. Undefined if their lengths do not fit. The first of a type counts. */
function fieldsIn(
  block: Buffer,
  start: number,
): Map<number, { at: number; value: Buffer }> | undefined {
  const fields = new Map<number, { at: number; value: Buffer }>();
  let at = start;
  while (at < block.length) {
    if (at + FIELD_HEAD > block.length) return undefined;
    const from = at + FIELD_HEAD;
    const end = from + block.readUInt16BE(at + 1);
    if (end > block.length) return undefined;
    const type = block[at]!;
    if (!fields.has(type)) fields.set(type, { at: from, value: block.subarray(from, end) });
    at = end;
  }
  return fields;
}

/**
 * Reads the fields behind the addresses. Unknown ones are skipped. Bytes that are no UTF-8 become U+FFFD.
 *
 * @param start where they begin in the header
 * @returns undefined if they are malformed. `checksumAt` is the place of the checksum, if there is one
 */
export function extrasIn(
  block: Buffer,
  start: number,
): (Extras & { readonly checksumAt?: number }) | undefined {
  const fields = fieldsIn(block, start);
  if (fields === undefined) return undefined;
  const checksum = fields.get(CRC32C);
  if (checksum !== undefined && checksum.value.length !== 4) return undefined;
  const tlsField = fields.get(TLS)?.value;
  const tls = tlsField && tlsIn(tlsField);
  if (tlsField !== undefined && tls === undefined) return undefined;
  const authority = fields.get(AUTHORITY)?.value.toString();
  const alpn = fields.get(ALPN)?.value.toString();
  const uniqueId = fields.get(UNIQUE_ID)?.value.toString('latin1');
  return {
    ...(authority === undefined ? {} : { authority }),
    ...(alpn === undefined ? {} : { alpn }),
    ...(uniqueId === undefined ? {} : { uniqueId }),
    ...(tls === undefined ? {} : { tls }),
    ...(checksum === undefined ? {} : { checksumAt: checksum.at }),
  };
}

function tlsIn(value: Buffer): PeerTls | undefined {
  if (value.length < TLS_HEAD) return undefined;
  const fields = fieldsIn(value, TLS_HEAD);
  if (fields === undefined) return undefined;
  const hasCertificate = (value[0]! & (CERTIFICATE_NOW | CERTIFICATE_EARLIER)) !== 0;
  const isVerified = hasCertificate && value.readUInt32BE(1) === 0;
  const version = fields.get(TLS_VERSION)?.value.toString();
  const commonName = isVerified ? fields.get(TLS_COMMON_NAME)?.value.toString() : undefined;
  return {
    isVerified,
    ...(version === undefined ? {} : { version }),
    ...(commonName === undefined ? {} : { commonName }),
  };
}

/** The polynomial of CRC32C, with its bits reversed. */
const CASTAGNOLI = 0x82f63b78;

/** CRC32C, RFC 3720 appendix B.4. */
export function checksumOf(bytes: Uint8Array): number {
  let rest = 0xffffffff;
  for (const byte of bytes) {
    rest ^= byte;
    for (let bit = 0; bit < 8; bit++) rest = (rest >>> 1) ^ (rest & 1 ? CASTAGNOLI : 0);
  }
  return (rest ^ 0xffffffff) >>> 0;
}
