/**
 * System calls as text, in the style of strace(1): names instead of numbers, bytes instead of
 * addresses. Pure except for `memory`, which reads what an address points to.
 */

import { addressText, decodeAddress } from '../../os/address.ts';
import { errnoName } from '../../os/libc.ts';
import { quoted as quotedText } from '../../protocol/shown.ts';
import { cut } from './records.ts';

/** Limit for the bytes of a send or receive that are shown. */
export const SHOWN = 48;
/** Limit for the descriptors of a set that are shown. */
const LISTED = 8;
/**
 * Limit for the characters of a text. A record holds two texts, which are already escaped, and must
 * fit into one write.
 */
const LONGEST = 400;

type Argument = number | string | Uint8Array | null;

export interface Surroundings {
  /** Returns the bytes `[address, address + length)` of this process. */
  memory(address: number, length: number): Uint8Array;
  /** Returns what is known of a descriptor: its peer, or `listener`. */
  nameOf(fd: number): string | undefined;
}

type Describe = (args: readonly Argument[], result: number, around: Surroundings) => string;

const bits = (names: Readonly<Record<string, number>>) => (value: number) => {
  const found: string[] = [];
  let rest = value;
  for (const [name, bit] of Object.entries(names)) {
    if ((rest & bit) === bit && bit !== 0) {
      found.push(name);
      rest &= ~bit;
    }
  }
  if (rest !== 0) found.push(`0x${(rest >>> 0).toString(16)}`);
  return found.length > 0 ? found.join('|') : '0';
};

const named = (names: Readonly<Record<number, string>>) => (value: number) =>
  names[value] ?? String(value);

const family = named({ 1: 'AF_UNIX', 2: 'AF_INET', 10: 'AF_INET6' });
const socketFlags = bits({ SOCK_CLOEXEC: 0o2000000, SOCK_NONBLOCK: 0o4000 });
const socketType = (value: number) => {
  const flags = socketFlags(value & ~0xf);
  return flags === '0' ? 'SOCK_STREAM' : `SOCK_STREAM|${flags}`;
};
const messageFlags = bits({ MSG_DONTWAIT: 0x40, MSG_WAITALL: 0x100, MSG_NOSIGNAL: 0x4000 });
const pollEvents = bits({
  POLLIN: 1,
  POLLPRI: 2,
  POLLOUT: 4,
  POLLERR: 8,
  POLLHUP: 0x10,
  POLLNVAL: 0x20,
  POLLRDHUP: 0x2000,
});
const epollEvents = bits({
  EPOLLIN: 1,
  EPOLLPRI: 2,
  EPOLLOUT: 4,
  EPOLLERR: 8,
  EPOLLHUP: 0x10,
  EPOLLRDHUP: 0x2000,
  EPOLLEXCLUSIVE: 1 << 28,
});
const epollOperation = named({ 1: 'EPOLL_CTL_ADD', 2: 'EPOLL_CTL_DEL', 3: 'EPOLL_CTL_MOD' });
const level = named({ 1: 'SOL_SOCKET', 6: 'IPPROTO_TCP', 41: 'IPPROTO_IPV6' });
const options: Readonly<Record<number, (value: number) => string>> = {
  1: named({
    2: 'SO_REUSEADDR',
    4: 'SO_ERROR',
    13: 'SO_LINGER',
    15: 'SO_REUSEPORT',
    20: 'SO_RCVTIMEO',
    21: 'SO_SNDTIMEO',
    30: 'SO_ACCEPTCONN',
  }),
  6: named({ 1: 'TCP_NODELAY', 11: 'TCP_INFO' }),
  41: named({ 26: 'IPV6_V6ONLY' }),
};
const option = (of: number, value: number) => options[of]?.(value) ?? String(value);
const F_GETFL = 3;
const F_SETFL = 4;
const fcntlCommand = named({
  1030: 'F_DUPFD_CLOEXEC',
  1: 'F_GETFD',
  2: 'F_SETFD',
  [F_GETFL]: 'F_GETFL',
  [F_SETFL]: 'F_SETFL',
});
const fileFlags = bits({ O_WRONLY: 1, O_RDWR: 2, O_APPEND: 0o2000, O_NONBLOCK: 0o4000 });
const protection = bits({ PROT_READ: 1, PROT_WRITE: 2 });
const mapping = bits({
  MAP_SHARED: 1,
  MAP_PRIVATE: 2,
  MAP_ANONYMOUS: 0x20,
  MAP_POPULATE: 0x8000,
});
const epollFlags = bits({ EPOLL_CLOEXEC: 0o2000000 });
const enterFlags = bits({
  IORING_ENTER_GETEVENTS: 1,
  IORING_ENTER_EXT_ARG: 8,
  IORING_ENTER_REGISTERED_RING: 16,
});

/** @param length number of bytes, of which `bytes` may be only the beginning */
export const quoted = (bytes: Uint8Array, length: number) =>
  quotedText(Buffer.from(bytes).toString('latin1')) + (length > bytes.length ? '…' : '');

const words = (bytes: Uint8Array): Int32Array => {
  // A copy, because the bytes at an address may not be aligned.
  const copy = Uint8Array.from(bytes);
  return new Int32Array(copy.buffer, 0, copy.length >> 2);
};

const fd = (value: Argument, { nameOf }: Surroundings) => {
  const name = nameOf(value as number);
  return name === undefined ? String(value) : `${value}<${name}>`;
};

const list = (items: readonly string[], all: number) =>
  `[${items.join(', ')}${all > items.length ? `, … ${all - items.length} more` : ''}]`;

/** The data of `recv` or `send`. */
export function bytesAt(address: Argument, count: number, around: Surroundings): string {
  if (count <= 0) return '""';
  return quoted(around.memory(address as number, Math.min(count, SHOWN)), count);
}

/** The events that a program waits for, by descriptor. */
function pollSet(address: number, count: number, around: Surroundings): string {
  const set = words(around.memory(address, Math.min(count, LISTED) * 8));
  const items: string[] = [];
  for (let i = 0; i + 1 < set.length; i += 2) {
    items.push(`{fd=${fd(set[i]!, around)}, events=${pollEvents(set[i + 1]! & 0xffff)}}`);
  }
  return list(items, count);
}

/** The events of the ready descriptors. */
function readyInPollSet(address: number, count: number, around: Surroundings): string {
  const set = words(around.memory(address, count * 8));
  const items: string[] = [];
  let all = 0;
  for (let i = 0; i + 1 < set.length; i += 2) {
    const found = set[i + 1]! >>> 16;
    if (found === 0 || ++all > LISTED) continue;
    items.push(`{fd=${fd(set[i]!, around)}, revents=${pollEvents(found)}}`);
  }
  return list(items, all);
}

/** `struct epoll_event` is packed to 12 bytes on x64 only. */
const EPOLL_FIELDS = process.arch === 'x64' ? 3 : 4;

function epollSet(address: number, count: number, around: Surroundings): string {
  const set = words(around.memory(address, Math.min(count, LISTED) * EPOLL_FIELDS * 4));
  const items: string[] = [];
  for (let i = 0; i + EPOLL_FIELDS <= set.length; i += EPOLL_FIELDS) {
    items.push(`{fd=${fd(set[i + EPOLL_FIELDS - 2]!, around)}, ${epollEvents(set[i]!)}}`);
  }
  return list(items, count);
}

function fdSet(address: number, count: number, around: Surroundings): string {
  if (address === 0) return 'NULL';
  const map = around.memory(address, Math.ceil(count / 32) * 4);
  const items: string[] = [];
  let all = 0;
  for (let number = 0; number < count; number++) {
    if ((map[number >> 3]! & (1 << (number & 7))) === 0) continue;
    if (++all <= LISTED) items.push(fd(number, around));
  }
  return list(items, all);
}

const timeOf = ([seconds, , microseconds]: Int32Array) => `{${seconds} s, ${microseconds} µs}`;

const timeval = (address: number, around: Surroundings) =>
  address === 0 ? 'NULL' : timeOf(words(around.memory(address, 16)));

/** `SO_RCVTIMEO` and `SO_SNDTIMEO` are a `struct timeval`; most others are an int. */
function optionValue(of: Argument, name: Argument, value: Uint8Array): string {
  const all = words(value);
  if (of === 1 && (name === 20 || name === 21) && all.length === 4) return timeOf(all);
  // TCP_INFO is long, so only its first four bytes are shown.
  return list([...all.subarray(0, 4)].map(String), all.length);
}

const sockaddr = (bytes: Uint8Array, length: number) =>
  addressText(decodeAddress(Buffer.from(bytes), length));

const place = (address: Argument, nothing = 'NULL') =>
  address === 0 ? nothing : `0x${Number(address).toString(16)}`;

const UNFINISHED = Number.NaN;

/** The arguments of each call, as far as known. `result` is NaN while the call runs. */
const describe: Readonly<Record<string, Describe>> = {
  accept4: ([listener, address, length, flags], result, around) => {
    let peer = '…';
    if (address === 0) peer = 'NULL';
    else if (result >= 0) {
      const size = words(around.memory(length as number, 4))[0]!;
      peer = sockaddr(around.memory(address as number, 128), size);
    }
    return `${fd(listener!, around)}, ${peer}, ${socketFlags(flags as number)}`;
  },
  recv: ([socket, address, length, flags], result, around) => {
    const got = Number.isNaN(result) ? '…' : bytesAt(address!, result, around);
    return `${fd(socket!, around)}, ${got}, ${length}, ${messageFlags(flags as number)}`;
  },
  send: ([socket, address, length, flags], _result, around) =>
    `${fd(socket!, around)}, ${bytesAt(address!, length as number, around)}, ${length}, ${messageFlags(flags as number)}`,
  socket: ([domain, type, protocol]) =>
    `${family(domain as number)}, ${socketType(type as number)}, ${protocol}`,
  bind: ([socket, address, length], _result, around) =>
    `${fd(socket!, around)}, ${sockaddr(address as Uint8Array, length as number)}`,
  connect: ([socket, address, length], _result, around) =>
    `${fd(socket!, around)}, ${sockaddr(address as Uint8Array, length as number)}`,
  listen: ([socket, backlog], _result, around) => `${fd(socket!, around)}, ${backlog}`,
  shutdown: ([socket, how], _result, around) =>
    `${fd(socket!, around)}, ${named({ 0: 'SHUT_RD', 1: 'SHUT_WR', 2: 'SHUT_RDWR' })(how as number)}`,
  close: ([socket], _result, around) => fd(socket!, around),
  fcntl: ([socket, command, argument], _result, around) => {
    const value = command === F_SETFL ? `, ${fileFlags(argument as number)}` : `, ${argument}`;
    return `${fd(socket!, around)}, ${fcntlCommand(command as number)}${command === F_GETFL ? '' : value}`;
  },
  getpeername: ([socket, address], result, around) =>
    `${fd(socket!, around)}, ${result === 0 ? sockaddr(address as Uint8Array, 28) : '…'}`,
  getsockname: ([socket, address], result, around) =>
    `${fd(socket!, around)}, ${result === 0 ? sockaddr(address as Uint8Array, 28) : '…'}`,
  getsockopt: ([socket, of, name, value], result, around) => {
    const got = result === 0 ? optionValue(of!, name!, value as Uint8Array) : '…';
    return `${fd(socket!, around)}, ${level(of as number)}, ${option(of as number, name as number)}, ${got}`;
  },
  setsockopt: ([socket, of, name, value], _result, around) =>
    `${fd(socket!, around)}, ${level(of as number)}, ${option(of as number, name as number)}, ${optionValue(of!, name!, value as Uint8Array)}`,
  select: ([count, read, write, , timeout], _result, around) => {
    const set = (address: Argument) => fdSet(address as number, count as number, around);
    return `${count}, ${set(read!)}, ${set(write!)}, NULL, ${timeval(timeout as number, around)}`;
  },
  poll: ([fds, count, timeout], _result, around) =>
    `${pollSet(fds as number, count as number, around)}, ${count}, ${timeout}`,
  epoll_create1: ([flags]) => epollFlags(flags as number),
  epoll_ctl: ([epoll, operation, socket, event], _result, around) => {
    const events = words(around.memory(event as number, 4))[0]!;
    const change = operation === 2 ? '' : `, {${epollEvents(events)}}`;
    return `${epoll}, ${epollOperation(operation as number)}, ${fd(socket!, around)}${change}`;
  },
  epoll_wait: ([epoll, events, count, timeout], result, around) => {
    const got = Number.isNaN(result)
      ? '…'
      : epollSet(events as number, Math.max(0, result), around);
    return `${epoll}, ${got}, ${count}, ${timeout}`;
  },
  mmap: ([address, length, access, flags, descriptor, offset]) =>
    `${place(address!)}, ${length}, ${protection(access as number)}, ${mapping(flags as number)}, ${descriptor}, ${place(offset!, '0')}`,
  munmap: ([address, length]) => `${place(address!)}, ${length}`,
  write: ([to, bytes, length], _result, around) =>
    `${fd(to!, around)}, ${quoted((bytes as Uint8Array).subarray(0, SHOWN), length as number)}, ${length}`,
  io_uring_setup: ([, entries]) => `${entries}`,
  io_uring_register: ([, ring, opcode, , count]) =>
    `${ring}, ${named({ 20: 'IORING_REGISTER_RING_FDS', 22: 'IORING_REGISTER_PBUF_RING' })(opcode as number)}, ${count}`,
  io_uring_enter: ([, ring, submit, wait, flags]) =>
    `${ring}, to_submit=${submit}, min_complete=${wait}, ${enterFlags(flags as number)}`,
};

/** Calls in which the thread may sleep. */
export const mayWait: ReadonlySet<string> = new Set([
  'accept4',
  'connect',
  'recv',
  'send',
  'select',
  'poll',
  'epoll_wait',
  'io_uring_enter',
]);

/** The arguments of a call before it returns. */
export const argumentsBefore = (name: string, args: readonly Argument[], around: Surroundings) =>
  argumentsAfter(name, args, UNFINISHED, around);

export function argumentsAfter(
  name: string,
  args: readonly Argument[],
  result: number,
  around: Surroundings,
): string {
  const text = describe[name];
  if (text !== undefined) return cut(text(args, result, around), LONGEST);
  return cut(
    args.map((arg) => (arg instanceof Uint8Array ? `${arg.length} bytes` : String(arg))).join(', '),
  );
}

/** Calls that overwrite their arguments with their results. */
export const areOverwritten: ReadonlySet<string> = new Set(['select', 'poll']);

export function resultText(
  name: string,
  args: readonly Argument[],
  result: number,
  errno: number,
  around: Surroundings,
): string {
  if (result < 0) return `-1 ${errnoName(errno)}`;
  if (name === 'mmap') return place(result);
  if (name === 'fcntl' && args[1] === F_GETFL) return `${result} (${fileFlags(result)})`;
  if (name === 'poll' && result > 0) {
    const [fds, count] = args as readonly number[];
    return cut(`${result} (${readyInPollSet(fds!, count!, around)})`, LONGEST);
  }
  if (name === 'select' && result > 0) {
    const [count, read, write] = args as readonly number[];
    return cut(
      `${result} (${fdSet(read!, count!, around)}, ${fdSet(write!, count!, around)})`,
      LONGEST,
    );
  }
  return String(result);
}
