/** The part of the probe that reports system calls, operations of io_uring, and questions. */
import { isMainThread, workerData } from 'node:worker_threads';
import { SocketQueue } from '../../drivers/blocking/socket-queue.ts';
import { addressText, decodeAddress } from '../../os/address.ts';
import { errno, errnoName, libc, setErrno, viewOf } from '../../os/libc.ts';
import { threadTime, timesSlept } from '../../os/thread-usage.ts';
import {
  ACCEPTED,
  CANCELLED,
  CLOSED,
  READY,
  RECEIVED,
  SENT,
  SENT_SHORT,
  Uring,
} from '../../os/uring.ts';
import { Conversation } from '../../protocol/conversation.ts';
import type { Outbox } from '../../protocol/outbox.ts';
import {
  areOverwritten,
  argumentsAfter,
  argumentsBefore,
  bytesAt,
  mayWait,
  resultText,
  type Surroundings,
} from './call-text.ts';
import { cut } from './records.ts';
import type { Reporter } from './reporter.ts';

type Call = (...args: never[]) => number;

const LISTENER = 'listener';

/** By descriptor: the peer, or `listener`. */
const names = new Map<number, string>();
/** The peer of the bytes that were received last. */
let current = '';

const around: Surroundings = {
  memory: (address, length) => new Uint8Array(viewOf(address, length)),
  nameOf: (fd) => names.get(fd),
};

export function knowListener(fd: number): void {
  names.set(fd, LISTENER);
}

/** Called for Node's own loop, before it works on the bytes of a peer. */
export function nowServing(peer: string): void {
  current = peer;
}

/** Not of a page: `dlsym` reads the symbols of this process, and in `ppoll` a worker waits until the server listens. */
const untraced: ReadonlySet<string> = new Set(['dlsym', 'ppoll']);

export function reportCalls(reporter: Reporter): void {
  const calls = libc as unknown as Record<string, Call>;
  for (const name of Object.keys(calls)) {
    if (!untraced.has(name)) calls[name] = traced(reporter, name, calls[name]!);
  }
  reportFutex(reporter);
  reportQuestions(reporter);
  reportRing(reporter);
  reportQueue(reporter);
  const task = isMainThread ? undefined : workerData.task;
  if (typeof task?.socket === 'number') names.set(task.socket, task.peer || 'peer');
  const assistant = isMainThread ? JSON.parse(process.argv[2]!).assistant : undefined;
  if (assistant !== undefined) names.set(0, assistant.accepts ? LISTENER : assistant.peer);
}

function traced(reporter: Reporter, name: string, call: Call): Call {
  const waits = mayWait.has(name);
  return (...args) => {
    if (reporter.isBusy) return call(...args);
    reporter.isBusy = true;
    try {
      const before = waits ? argumentsBefore(name, args, around) : '';
      if (waits) {
        reporter.report({ kind: 'begin', t: reporter.now(), name, args: before });
        reporter.flush();
      }
      const sleep = waits ? sleepSince() : awake;
      const t = reporter.now();
      const result = call(...args);
      // Read errno before any other call: the caller must find it unchanged.
      const failure = result < 0 ? errno() : 0;
      const end = reporter.now();
      const blocked = sleep(end - t);
      note(reporter, name, args, result);
      // `select` and `poll` overwrite their arguments with results.
      const asked = before !== '' && areOverwritten.has(name);
      reporter.report({
        kind: 'call',
        t,
        end,
        blocked,
        name,
        args: asked ? before : argumentsAfter(name, args, result, around),
        result: resultText(name, args, result, failure, around),
        begun: waits,
      });
      if (name === 'close') forget(reporter, args[0]!);
      if (result < 0) setErrno(failure);
      return result;
    } finally {
      reporter.isBusy = false;
    }
  };
}

/**
 * Starts to watch the thread. The returned function takes the ns that have passed since, and
 * returns how many of them it slept.
 */
function sleepSince(): (passed: number) => number {
  const before = timesSlept();
  const worked = threadTime();
  // The thread is also off the processor while others run; that is not sleep.
  return (passed) => (timesSlept() === before ? 0 : Math.max(0, passed - (threadTime() - worked)));
}

const awake = () => 0;

/** Records what a call reveals about descriptors. */
function note(reporter: Reporter, name: string, args: readonly never[], result: number): void {
  const [fd, address, length] = args as readonly unknown[] as [number, number, number];
  if (name === 'recv' && result > 0) current = names.get(fd) ?? '';
  else if (name === 'accept4' && result >= 0 && address !== 0) {
    const size = Buffer.from(around.memory(length, 4)).readInt32LE(0);
    addPeer(reporter, result, Buffer.from(around.memory(address, 128)), size);
  } else if (name === 'getpeername' && result === 0) {
    const [, bytes, size] = args as readonly unknown[] as [number, Buffer, Buffer];
    names.set(fd, addressText(decodeAddress(bytes, size.readInt32LE(0))));
  }
}

/** Records that a descriptor belongs to a new peer. */
function addPeer(reporter: Reporter, fd: number, address: Buffer, size: number): void {
  const peer = addressText(decodeAddress(address, size));
  names.set(fd, peer);
  reporter.report({ kind: 'opened', t: reporter.now(), peer, queued: timeInQueue(fd) });
}

const IPPROTO_TCP = 6;
const TCP_INFO = 11;
/** The offset of `tcpi_last_data_sent`, in ms, in `struct tcp_info`. tcp(7) */
const LAST_DATA_SENT = 44;

/**
 * How long a new connection was in the accept queue, in ns; undefined if it is not TCP. The server has sent nothing
 * yet. So the kernel counts the time since the last sending from the moment in which it connected the client.
 */
function timeInQueue(fd: number): number | undefined {
  const info = Buffer.alloc(LAST_DATA_SENT + 4);
  const size = Buffer.alloc(4);
  size.writeInt32LE(info.length, 0);
  const result = libc.getsockopt(fd, IPPROTO_TCP, TCP_INFO, info, size);
  return result === 0 ? info.readUInt32LE(LAST_DATA_SENT) * 1e6 : undefined;
}

function forget(reporter: Reporter, fd: number): void {
  const peer = names.get(fd);
  if (peer !== undefined && peer !== LISTENER)
    reporter.report({ kind: 'closed', t: reporter.now(), peer });
  names.delete(fd);
}

/** Results in the terms of futex(2). */
const futexResults = { ok: '0', 'not-equal': '-1 EAGAIN', 'timed-out': '-1 ETIMEDOUT' };

/** Threads sleep in futex(2) until another thread wakes them, or until a time has passed. */
function reportFutex(reporter: Reporter): void {
  const { wait } = Atomics;
  const traced = (array: Int32Array, index: number, value: number, timeout?: number) => {
    if (reporter.isBusy) return wait(array, index, value, timeout);
    reporter.isBusy = true;
    const name = 'futex';
    const time = timeout === undefined ? 'NULL' : `${timeout} ms`;
    const args = `FUTEX_WAIT, ${value}, ${time}`;
    reporter.report({ kind: 'begin', t: reporter.now(), name, args });
    reporter.flush();
    const sleep = sleepSince();
    const t = reporter.now();
    const outcome = wait(array, index, value, timeout);
    const end = reporter.now();
    const result = futexResults[outcome];
    reporter.report({
      kind: 'call',
      t,
      end,
      blocked: sleep(end - t),
      name,
      args,
      result,
      begun: true,
    });
    reporter.isBusy = false;
    return outcome;
  };
  Atomics.wait = traced as typeof Atomics.wait;
}

function reportQuestions(reporter: Reporter): void {
  const { receive, resume } = Conversation.prototype;
  const written = (out: Outbox, from: number) =>
    cut(out.buffer.subarray(Math.min(from, out.length), out.length).toString('latin1'));
  Conversation.prototype.receive = function (bytes, start, end, out) {
    const peer = current;
    const question = cut(bytes.subarray(start, end).toString('latin1'));
    const before = out.length;
    const t = reporter.now();
    const turn = receive.call(this, bytes, start, end, out);
    const answer = written(out, before);
    reporter.report({ kind: 'question', t, end: reporter.now(), peer, question, answer });
    return turn;
  };
  Conversation.prototype.resume = function (out) {
    const before = out.length;
    const t = reporter.now();
    const turn = resume.call(this, out);
    if (out.length > before) {
      const answer = written(out, before);
      reporter.report({ kind: 'question', t, end: reporter.now(), peer: '', question: '', answer });
    }
    return turn;
  };
}

const purposes: Readonly<Record<number, string>> = {
  [ACCEPTED]: 'accept',
  [READY]: 'poll',
  [RECEIVED]: 'recv',
  [SENT_SHORT]: 'send',
  [SENT]: 'send',
  [CANCELLED]: 'cancel',
  [CLOSED]: 'close',
};

function reportRing(reporter: Reporter): void {
  const ring = Uring.prototype;
  const fdText = (fd: number) => (names.has(fd) ? `${fd}<${names.get(fd)}>` : String(fd));
  const submitted = (text: string) =>
    reporter.report({ kind: 'operation', t: reporter.now(), text: `submit ${text}` });
  const { accept, acceptReady, watch, recv, sendNow, send, closeSocket, cancel, next } = ring;
  ring.accept = function (listener) {
    submitted(`accept ${fdText(listener)}, multishot`);
    accept.call(this, listener);
  };
  ring.acceptReady = function (listener, most) {
    submitted(`accept ${fdText(listener)}, at most ${most} waiting clients`);
    acceptReady.call(this, listener, most);
  };
  ring.watch = function (listener) {
    submitted(`poll ${fdText(listener)}`);
    watch.call(this, listener);
  };
  ring.recv = function (fd, generation) {
    submitted(`recv ${fdText(fd)}, multishot`);
    recv.call(this, fd, generation);
  };
  const bytes = (address: number, length: number) => bytesAt(address, length, around);
  ring.sendNow = function (fd, generation, address, length) {
    submitted(`send ${fdText(fd)}, ${bytes(address, length)}, ${length}`);
    sendNow.call(this, fd, generation, address, length);
  };
  ring.send = function (fd, generation, address, length) {
    submitted(`send ${fdText(fd)}, ${bytes(address, length)}, ${length}, waiting for room`);
    send.call(this, fd, generation, address, length);
  };
  ring.closeSocket = function (fd) {
    submitted(`close ${fdText(fd)}`);
    forget(reporter, fd);
    closeSocket.call(this, fd);
  };
  ring.cancel = function (purpose, fd, generation) {
    submitted(`cancel ${purposes[purpose]} ${fdText(fd)}`);
    cancel.call(this, purpose, fd, generation);
  };
  ring.next = function () {
    const isThere = next.call(this);
    if (isThere) {
      if (this.purpose === ACCEPTED && this.result >= 0) name(reporter, this.result);
      if (this.purpose === RECEIVED && this.result > 0) current = names.get(this.fd) ?? '';
      const result = this.result < 0 ? errnoName(-this.result) : String(this.result);
      const what = purposes[this.purpose] ?? `operation ${this.purpose}`;
      const text = `done ${what} ${fdText(this.fd)} = ${result}`;
      reporter.report({ kind: 'operation', t: reporter.now(), text });
    }
    return isThere;
  };
}

/** io_uring returns a descriptor without the address of its peer. */
function name(reporter: Reporter, fd: number): void {
  const bytes = Buffer.alloc(128);
  const length = Buffer.alloc(4);
  length.writeInt32LE(bytes.length, 0);
  reporter.isBusy = true;
  if (libc.getpeername(fd, bytes, length) === 0) {
    addPeer(reporter, fd, bytes, length.readInt32LE(0));
  }
  reporter.isBusy = false;
}

function reportQueue(reporter: Reporter): void {
  const queue = SocketQueue.prototype;
  const { put, take } = queue;
  const depth = (of: SocketQueue) =>
    reporter.report({ kind: 'queue', t: reporter.now(), depth: of.length });
  queue.put = function (accepted, stopping) {
    const isPut = put.call(this, accepted, stopping);
    depth(this);
    return isPut;
  };
  queue.take = function () {
    const taken = take.call(this);
    depth(this);
    if (taken !== undefined && taken.peer !== '') names.set(taken.socket, taken.peer);
    return taken;
  };
}
