/**
 * The part of the probe for Node's own loop, whose system calls cannot be intercepted. It reports
 * the callbacks of each phase, how long the loop slept between them, and the events of sockets.
 */
import { createHook, executionAsyncId } from 'node:async_hooks';
import { Server, Socket } from 'node:net';
import { performance } from 'node:perf_hooks';
import { quoted, SHOWN } from './call-text.ts';
import { nowServing } from './probe-calls.ts';
import { cut } from './records.ts';
import type { Reporter } from './reporter.ts';

/** These run inside or right after other callbacks. */
const WITHIN = new Set(['PROMISE', 'TickObject', 'Microtask', 'RANDOMBYTESREQUEST']);

/** The phase of each kind of callback; all others run in `poll`. */
const phases: Readonly<Record<string, string>> = { Timeout: 'timers', Immediate: 'check' };

/** Texts for Node's names of callbacks. */
const meanings: Readonly<Record<string, string>> = {
  main: 'the start',
  Timeout: 'a timer is due',
  Immediate: 'what was put off to this phase',
  TCPSERVERWRAP: 'a client connects',
  PIPESERVERWRAP: 'a client connects',
  TCPWRAP: 'a socket is readable',
  PIPEWRAP: 'a socket is readable',
  SHUTDOWNWRAP: 'a shutdown is done',
  WRITEWRAP: 'a write is done',
};

/** True if a socket emitted `close` in this callback: libuv has a separate phase for that. */
let isClosing = false;

export function reportLoop(reporter: Reporter): void {
  reporter.hasMicrotasks = true;
  reportPhases(reporter);
  reportSockets(reporter);
}

function reportPhases(reporter: Reporter): void {
  const types = new Map<number, string>();
  const begun: { readonly id: number; readonly t: number; readonly type: string }[] = [];
  let slept = performance.nodeTiming.idleTime;
  createHook({
    init(id, type) {
      if (!WITHIN.has(type)) types.set(id, type);
    },
    before(id) {
      const type = types.get(id);
      if (type === undefined) return;
      const t = reporter.now();
      if (begun.length === 0) {
        // The loop has just slept the idle time since the last callback, in ms.
        const idle = performance.nodeTiming.idleTime;
        const since = Math.round((idle - slept) * 1e6);
        slept = idle;
        if (since > 1000) reporter.report({ kind: 'idle', t: t - since, end: t });
      }
      begun.push({ id, t, type });
      if (begun.length === 1) isClosing = false;
    },
    after(id) {
      if (begun.at(-1)?.id !== id) return;
      const { t, type } = begun.pop()!;
      if (begun.length > 0) return;
      const phase = isClosing ? 'close' : (phases[type] ?? 'poll');
      const text = isClosing ? 'a socket is closed' : (meanings[type] ?? type);
      reporter.report({ kind: 'phase', t, end: reporter.now(), phase, text });
    },
    destroy: (id) => void types.delete(id),
  }).enable();
  // The hook sees only callbacks that begin later. The code that runs now is the start of the
  // program.
  types.set(executionAsyncId(), 'main');
}

/** Accepted sockets, with their peers. */
const peers = new WeakMap<Socket, string>();

function reportSockets(reporter: Reporter): void {
  const say = (text: string) =>
    reporter.report({ kind: 'socket', t: reporter.now(), text: cut(text) });
  const emitOf = Server.prototype.emit;
  Server.prototype.emit = function (this: Server, event: string, ...args: unknown[]) {
    if (event === 'connection') {
      const socket = args[0] as Socket;
      const peer = peerText(socket);
      peers.set(socket, peer);
      say(`accept = ${peer}`);
      reporter.report({ kind: 'opened', t: reporter.now(), peer });
    }
    return emitOf.call(this, event, ...args);
  } as typeof emitOf;

  const { emit, write, end, destroy } = Socket.prototype;
  Socket.prototype.emit = function (this: Socket, event: string, ...args: unknown[]) {
    const peer = peers.get(this);
    if (peer !== undefined) {
      nowServing(peer);
      if (event === 'data') {
        const data = args[0] as Buffer;
        say(`read <${peer}> = ${data.length}, ${quoted(data.subarray(0, SHOWN), data.length)}`);
      } else if (event === 'end') say(`read <${peer}> = 0`);
      else if (event === 'error') say(`error <${peer}> ${(args[0] as Error).message}`);
      else if (event === 'close' || event === 'drain') say(`${event} <${peer}>`);
    }
    if (event === 'close' && peer !== undefined) {
      isClosing = true;
      reporter.report({ kind: 'closed', t: reporter.now(), peer });
    }
    return emit.call(this, event, ...args);
  } as typeof emit;
  Socket.prototype.write = function (this: Socket, ...args: unknown[]) {
    const peer = peers.get(this);
    const [bytes] = args as [Uint8Array];
    if (peer !== undefined && bytes.length > 0) {
      say(`write <${peer}>, ${quoted(bytes.subarray(0, SHOWN), bytes.length)}, ${bytes.length}`);
    }
    return write.apply(this, args as Parameters<typeof write>);
  } as typeof write;
  Socket.prototype.end = function (this: Socket, ...args: unknown[]) {
    const peer = peers.get(this);
    if (peer !== undefined) say(`shutdown <${peer}>`);
    return end.apply(this, args as Parameters<typeof end>);
  } as typeof end;
  Socket.prototype.destroy = function (this: Socket, error) {
    const peer = peers.get(this);
    if (peer !== undefined && !this.destroyed) say(`destroy <${peer}>`);
    return destroy.call(this, error);
  };
}

function peerText({ remoteAddress, remotePort }: Socket): string {
  if (remoteAddress === undefined) return 'unix';
  const host = remoteAddress.replace(/^::ffff:/, '');
  return host.includes(':') ? `[${host}]:${remotePort}` : `${host}:${remotePort}`;
}
