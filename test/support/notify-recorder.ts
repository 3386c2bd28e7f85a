/** A service manager's notification socket, which records each datagram with its descriptors. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import koffi from 'koffi';
import { check, libc } from '../../src/os/libc.ts';
import { notifyAddress } from '../../src/os/notify.ts';
import { close } from '../../src/os/socket.ts';
import { until } from './until.ts';

const AF_UNIX = 1;
const SOCK_DGRAM = 2;
const MSG_DONTWAIT = 0x40;
const MSG_CMSG_CLOEXEC = 0x40000000;
const INTERVAL_MS = 2;

const recvmsg = koffi.load('libc.so.6').func('intptr_t recvmsg(int, void *, int)');

export interface Datagram {
  /** Its lines, `NAME=value`. */
  readonly fields: Readonly<Record<string, string>>;
  readonly descriptors: readonly number[];
  /** By `performance.now`. */
  readonly at: number;
}

export class NotifyRecorder implements Disposable {
  readonly name: string;
  readonly datagrams: Datagram[] = [];
  readonly #fd = check('socket', libc.socket(AF_UNIX, SOCK_DGRAM, 0));
  readonly #folder = mkdtempSync(join(tmpdir(), 'mondo-notify-'));
  readonly #timer: NodeJS.Timeout;

  /** @param isAbstract true for a name in the abstract namespace, and false for a path */
  constructor(isAbstract = false) {
    const path = join(this.#folder, 'notify');
    this.name = isAbstract ? `@${path.slice(1)}` : path;
    const address = notifyAddress(this.name)!;
    check('bind', libc.bind(this.#fd, address, address.length));
    this.#timer = setInterval(() => this.#receive(), INTERVAL_MS);
  }

  /** The datagrams with that field. */
  having(field: string): Datagram[] {
    return this.datagrams.filter(({ fields }) => field in fields);
  }

  /** The first datagrams that matter, by the names of their fields, without STATUS and WATCHDOG. */
  get story(): string[] {
    const names = this.datagrams.map(({ fields }) =>
      Object.keys(fields)
        .filter((name) => name !== 'STATUS' && name !== 'WATCHDOG')
        .join(' '),
    );
    return names.filter((name) => name !== '');
  }

  /** Waits until `count` datagrams have that field. @returns the last of them */
  async has(field: string, count = 1): Promise<Datagram> {
    const found = () => this.having(field).length >= count;
    await until(`${count} datagrams with ${field}; there are ${this.story.join(', ')}`, found);
    return this.having(field)[count - 1]!;
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
    for (const { descriptors } of this.datagrams) descriptors.forEach(close);
    close(this.#fd);
    rmSync(this.#folder, { recursive: true });
  }

  #receive(): void {
    const bytes = Buffer.allocUnsafeSlow(8192);
    const control = Buffer.allocUnsafeSlow(256);
    const vector = BigUint64Array.of(koffi.address(bytes), BigInt(bytes.length));
    const header = new BigUint64Array(7);
    header[2] = koffi.address(new Uint8Array(vector.buffer));
    header[3] = 1n;
    header[4] = koffi.address(control);
    header[5] = BigInt(control.length);
    const flags = MSG_DONTWAIT | MSG_CMSG_CLOEXEC;
    const length = Number(recvmsg(this.#fd, header, flags));
    if (length <= 0) return;
    const lines = bytes.toString('utf8', 0, length).split('\n');
    const rights = Number(header[5]!) > 16 ? Number(control.readBigUInt64LE(0)) : 16;
    const descriptors = [];
    for (let at = 16; at < rights; at += 4) descriptors.push(control.readInt32LE(at));
    const fields = Object.fromEntries(
      lines.map((line) => [line.split('=', 1)[0]!, line.slice(line.indexOf('=') + 1)]),
    );
    this.datagrams.push({ fields, descriptors, at: performance.now() });
    this.#receive();
  }
}
