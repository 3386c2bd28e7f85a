/** Headers of the PROXY protocol, as a balancer makes them. They are built here without any code of the parser. */

export const SIGNATURE = Buffer.from('0d0a0d0a000d0a515549540a', 'hex');

/** The announced end of a connection. */
export interface End {
  readonly address: string;
  readonly port: number;
}

/** Where the balancer says that the client wanted to go. */
const target: Readonly<Record<'4' | '6', End>> = {
  '4': { address: '192.0.2.1', port: 1060 },
  '6': { address: '2001:db8::1', port: 1060 },
};

const isIPv6 = ({ address }: End): boolean => address.includes(':');

/** Version 1. */
export function lineOf(client: End): Buffer {
  const family = isIPv6(client) ? '6' : '4';
  const { address, port } = target[family];
  return Buffer.from(`PROXY TCP${family} ${client.address} ${address} ${client.port} ${port}\r\n`);
}

/** A field of version 2: its type, and its value. */
export type Field = readonly [type: number, value: string | Uint8Array];

export const fieldsOf = (fields: readonly Field[]): Buffer =>
  Buffer.concat(
    fields.map(([type, value]) => {
      const bytes = Buffer.from(value as string);
      return Buffer.concat([Buffer.from([type, bytes.length >> 8, bytes.length & 255]), bytes]);
    }),
  );

/** A header of version 2 of any content. @param size the length that it states; default: the true one */
export function rawBlock(
  command: number,
  family: number,
  block: Uint8Array,
  size = block.length,
): Buffer {
  const head = Buffer.from([command, family, size >> 8, size & 255]);
  return Buffer.concat([SIGNATURE, head, block]);
}

/** The 16 bytes of an IPv6 address, or the four of an IPv4 address. */
export function bytesOf(address: string): Buffer {
  if (!address.includes(':')) return Buffer.from(address.split('.').map(Number));
  const [front = '', back = ''] = address.split('::');
  const groups = (text: string) => text.split(':').filter(Boolean);
  const rest = 8 - groups(front).length - groups(back).length;
  const all = [...groups(front), ...Array<string>(rest).fill('0'), ...groups(back)];
  return Buffer.from(all.map((group) => group.padStart(4, '0')).join(''), 'hex');
}

/** The addresses and ports of version 2. */
export function endsOf(client: End): Buffer {
  const to = target[isIPv6(client) ? '6' : '4'];
  const ports = Buffer.alloc(4);
  ports.writeUInt16BE(client.port, 0);
  ports.writeUInt16BE(to.port, 2);
  return Buffer.concat([bytesOf(client.address), bytesOf(to.address), ports]);
}

export const PROXY = 0x21;
const LOCAL = 0x20;

/** Version 2. */
export const blockOf = (client: End, fields: readonly Field[] = []): Buffer =>
  rawBlock(PROXY, isIPv6(client) ? 0x21 : 0x11, Buffer.concat([endsOf(client), fieldsOf(fields)]));

/** A balancer's health check. The block announces a client, which a server must ignore. */
export const localBlock = (client: End): Buffer => rawBlock(LOCAL, 0x11, endsOf(client));

/** Addresses of the server's and the client's unix sockets. */
export const unixBlock = (): Buffer => rawBlock(PROXY, 0x31, Buffer.alloc(216, '/run/client'));

export const unspecifiedBlock = (): Buffer => rawBlock(PROXY, 0x00, Buffer.alloc(0));

export const unknownLine = (): Buffer => Buffer.from('PROXY UNKNOWN\r\n');

/** Fields that balancers send: ALPN, host name, connection id, and TLS with a verified certificate. */
export const usualFields: readonly Field[] = [
  [0x01, 'mondo/1'],
  [0x02, 'mondo.example'],
  [0x04, Buffer.alloc(7)],
  [0x05, 'ab12-\x1b[31m'],
  [
    0x20,
    Buffer.concat([
      Buffer.from([0x07, 0, 0, 0, 0]),
      fieldsOf([
        [0x21, 'TLSv1.3'],
        [0x22, 'client.example'],
        [0x23, 'TLS_AES_128_GCM_SHA256'],
      ]),
    ]),
  ],
  [0xea, Buffer.from([1, 118])],
];
