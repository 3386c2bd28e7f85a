/**
 * Datagrams to a service manager, by the protocol of sd_notify(3). Node has no datagram sockets of the unix family, so
 * each message is one sendmsg(2).
 */
import { AF_UNIX } from './address.ts';
import { addressOf, check, errno, errnoName, libc } from './libc.ts';
import { close } from './socket.ts';

const SOCK_DGRAM = 2;
const SOCK_CLOEXEC = 0o2000000;
const MSG_DONTWAIT = 0x40;
const MSG_NOSIGNAL = 0x4000;
const SOL_SOCKET = 1;
const SCM_RIGHTS = 1;
/** `sizeof(struct msghdr)` and `sizeof(struct cmsghdr)`, on x64 and arm64. */
const MSGHDR_SIZE = 56;
const CMSGHDR_SIZE = 16;
/** `sun_path` has room for this number of bytes. */
const PATH_SIZE = 108;
/** The most descriptors in one message: SCM_MAX_FD is 253. */
const MOST_DESCRIPTORS = 253;

/** Pause before the next attempt while the manager's queue is full, in ms. */
const RETRY_INTERVAL_MS = 50;
/** The most messages that wait for room. The manager does not read any more if there are more. */
const MOST_WAITING = 64;

interface Message {
  readonly text: string;
  readonly descriptors: readonly number[];
}

/**
 * The address of a notification socket; undefined if the text is none.
 *
 * @param text a path, or `@` and a name in the abstract namespace
 */
export function notifyAddress(text: string): Uint8Array | undefined {
  if (!/^[/@]./.test(text)) return undefined;
  const isAbstract = text.startsWith('@');
  const path = Buffer.from(isAbstract ? `\0${text.slice(1)}` : `${text}\0`);
  if (path.length > PATH_SIZE) return undefined;
  const address = Buffer.alloc(2 + path.length);
  address.set(new Uint8Array(Uint16Array.of(AF_UNIX).buffer), 0);
  path.copy(address, 2);
  return address;
}

/** Sends in order, and never blocks: while the manager's queue is full, messages wait here. */
export class NotifySocket {
  readonly #fd: number;
  readonly #address: Uint8Array;
  readonly #waiting: Message[] = [];
  #timer: NodeJS.Timeout | undefined;
  #isClosed = false;

  /** @param address as `notifyAddress` returns it @throws SystemError of `socket` */
  constructor(address: Uint8Array) {
    this.#address = address;
    this.#fd = check('socket', libc.socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  }

  /**
   * Sends a message, now or when there is room. Errors are ignored, as sd_notify(3) recommends: a service must not fail
   * because its manager does not listen.
   *
   * @param text lines of the form `NAME=value`
   * @param descriptors open descriptors, of which the manager gets copies
   */
  send(text: string, descriptors: readonly number[] = []): void {
    if (this.#isClosed || this.#waiting.length >= MOST_WAITING) return;
    this.#waiting.push({ text, descriptors: descriptors.slice(0, MOST_DESCRIPTORS) });
    if (this.#timer === undefined) this.#sendAll();
  }

  /** Sends nothing after this. Messages that wait for room are lost. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    clearTimeout(this.#timer);
    close(this.#fd);
  }

  #sendAll(): void {
    this.#timer = undefined;
    for (let next = this.#waiting[0]; next !== undefined; next = this.#waiting[0]) {
      if (!sendTo(this.#fd, this.#address, next)) {
        // A process that has ended its work does not wait for its manager.
        this.#timer = setTimeout(() => this.#sendAll(), RETRY_INTERVAL_MS).unref();
        return;
      }
      this.#waiting.shift();
    }
  }
}

/** False if there is no room for the message now. */
function sendTo(fd: number, address: Uint8Array, { text, descriptors }: Message): boolean {
  const name = Uint8Array.from(address);
  const bytes = Uint8Array.from(Buffer.from(text));
  const rights = rightsOf(descriptors);
  const vector = BigUint64Array.of(pointerTo(bytes), BigInt(bytes.length));
  const header = new BigUint64Array(MSGHDR_SIZE / 8);
  header[0] = pointerTo(name);
  header[1] = BigInt(name.length);
  header[2] = pointerTo(vector);
  header[3] = 1n;
  header[4] = rights.length > 0 ? pointerTo(rights) : 0n;
  header[5] = BigInt(rights.byteLength);
  const sent = libc.sendmsg(fd, Number(pointerTo(header)), MSG_DONTWAIT | MSG_NOSIGNAL);
  const isFull = sent < 0 && FULL.has(errnoName(errno()));
  // The kernel has read all parts through their addresses. This reference keeps them until then.
  return !isFull || [name, bytes, rights, vector, header].length === 0;
}

const FULL = new Set(['EAGAIN', 'EINTR', 'ENOBUFS', 'ENOMEM']);

const pointerTo = (words: BigUint64Array | Int32Array | Uint8Array): bigint =>
  BigInt(addressOf(new Uint8Array(words.buffer)));

/** The control message with these descriptors; empty if there are none. cmsg(3), unix(7) */
function rightsOf(descriptors: readonly number[]): Int32Array<ArrayBuffer> {
  if (descriptors.length === 0) return new Int32Array(0);
  // The length is a 64-bit number, and the machine is little-endian: x64 or arm64.
  const length = CMSGHDR_SIZE + descriptors.length * 4;
  const words = new Int32Array(Math.ceil(length / 8) * 2);
  words.set([length, 0, SOL_SOCKET, SCM_RIGHTS, ...descriptors]);
  return words;
}
