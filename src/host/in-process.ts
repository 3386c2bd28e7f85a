/**
 * Serves in the caller's own process, on Node's own loop. It is for a service that is an object and not a module,
 * and for systems on which Mondo makes no system calls of its own. If it can make them, it opens the listener with
 * the same code as a supervisor.
 */

import type { AddressInfo, Server as NodeServer } from 'node:net';
import { loadArchitecture } from '../architectures/catalogue.ts';
import { Clients } from '../lifecycle/clients.ts';
import type { Orders } from '../lifecycle/drain.ts';
import type { HeaderResult } from '../lifecycle/proxied.ts';
import { addressText, type SocketAddress } from '../os/address.ts';
import { whyNoSystemCalls } from '../os/libc.ts';
import { acceptQueueOf, close } from '../os/socket.ts';
import type { Protocol, Service } from '../protocol/service.ts';
import { speakersOf } from '../protocol/speaker.ts';
import { ANSWER_TIMES_WORDS, AnswerTimes, readAnswerTimes } from '../worker/answer-times.ts';
import type { Journal, NodeHost } from '../worker/contract.ts';
import type { Reason } from '../worker/reasons.ts';
import {
  type Header,
  isHeader,
  noEnds,
  noReasons,
  onlyCounted,
  ownRow,
} from '../worker/scoreboard.ts';
import type { View } from './admin/view.ts';
import { ServeError } from './errors.ts';
import {
  type Bound,
  listenAll,
  listenError,
  openListeners,
  removeSocketFile,
  resolveAddress,
} from './listen.ts';
import { loadService, nameOf } from './load-service.ts';
import type { Plan } from './plan.ts';
import type { Presence } from './presence.ts';
import type { Server } from './server.ts';
import type { ServerEvent } from './server-event.ts';
import { beatFor } from './supervisor/stuck.ts';
import { conversationFactory } from './worker/conversation-factory.ts';
import { doorOf, ownAdmission } from './worker/door.ts';
import { closeService, openService } from './worker/life.ts';
import { proxyParts } from './worker/proxies.ts';

/**
 * Number of clients to keep until there is room, because Node accepts every client. At most a quarter of the
 * descriptors.
 */
const MOST_WAITING = 1024;

export async function serveInProcess(
  plan: Plan,
  service: Service | Protocol | string,
  onEvent: ((event: ServerEvent) => void) | undefined,
  presence: Presence,
): Promise<Server> {
  if (plan.threads > 1 || plan.processes > 1) {
    throw new ServeError(
      'usage',
      `Cannot serve in this process with ${plan.threads} threads and ${plan.processes} processes: name the service's module by path or URL, on Linux`,
    );
  }
  if (plan.user !== undefined || plan.group !== undefined) {
    throw new ServeError(
      'usage',
      `Cannot serve in this process as ${plan.user === undefined ? `group "${plan.group}"` : `user "${plan.user}"`}: it has no workers that could run as another user; name the service's module by path or URL, on Linux`,
    );
  }
  const loaded = typeof service === 'string' ? await loadService(service) : service;
  const wanted = await resolveAddress(plan.host, plan.port);
  // Without system calls, a port in use is reported only when Node listens.
  const bound =
    whyNoSystemCalls() === undefined
      ? await openListeners({ ...plan, reuseport: false })
      : undefined;
  const name = typeof service === 'string' ? nameOf(service) : 'the given object';
  const context = { architecture: plan.traits.name, worker: 0, thread: 0 };
  try {
    await openService(loaded, context, name);
  } catch (error) {
    release(bound);
    throw new ServeError('failed', (error as Error).message, { cause: error });
  }
  /** The listener, while it listens and system calls can look at it. */
  let open: number | undefined;
  const speakers = speakersOf(loaded, true);
  const counts = noReasons();
  const count = (reason: Reason) => void counts[reason]++;
  const ended = noEnds();
  const headers: Record<Header, number> = { v1: 0, v2: 0, local: 0, unspecified: 0 };
  const countHeader = (result: HeaderResult) => {
    if (isHeader(result)) headers[result]++;
    else count(result);
  };
  const { promise: stopped, resolve: stop } = Promise.withResolvers<void>();
  const { promise: listening, resolve: listens, reject } = Promise.withResolvers<SocketAddress>();
  const departed = { drained: 0, cut: 0 };
  let endsAt = Number.POSITIVE_INFINITY;
  const orders: { -readonly [Name in keyof Orders]: Orders[Name] } = {
    order: 'serve',
    drain: plan.drain,
    get left() {
      return endsAt - performance.now();
    },
    count: (outcome) => void departed[outcome === 'cut' ? 'cut' : 'drained']++,
  };
  const door = doorOf(plan.limits, 0, plan.traits);
  const waiting = Math.min(MOST_WAITING, door.descriptors >> 2);
  const row = ownRow(process.pid);
  const times = new Int32Array(ANSWER_TIMES_WORDS);
  const { conversation, exceeded } = conversationFactory(
    plan,
    loaded,
    speakers,
    count,
    row.work,
    (slot) => clients.preambleOf(slot),
    plan.metricsLatency ? new AnswerTimes(times, () => performance.now()) : undefined,
  );
  const journal: Journal = {
    on: onEvent !== undefined,
    record: (event) =>
      onEvent?.({ ...event, at: Date.now(), pid: process.pid, tid: process.pid, worker: 0 }),
  };
  const warn = (text: string) => journal.record({ type: 'warning', text });
  const admission = ownAdmission(plan, count, { ...door, descriptors: door.descriptors - waiting });
  const clients = new Clients({
    limits: plan.limits,
    orders,
    row,
    sparesNewcomers: plan.isKept,
    journal,
    countEnd: (how) => void ended[how]++,
    exceeded,
    unsentOfAll: () => row.unsent,
    release: (ticket) => admission.exit(ticket),
    proxy: proxyParts(plan.proxy, admission, 'tickets', countHeader),
  });
  const host: NodeHost = {
    get isLeaving() {
      return clients.isLeaving;
    },
    options: plan.page,
    conversation,
    clients,
    admission,
    hasOwnListener: true,
    journal,
    row,
    stopped,
    async listen(server) {
      const { backlog } = plan;
      if (bound === undefined) {
        const where = wanted.family === 'unix' ? { path: wanted.path } : wanted;
        await untilListening(server, (done) => server.listen({ ...where, backlog }, done)).catch(
          (error: Error) => {
            throw listenError(wanted, error);
          },
        );
        listens(addressOf(server.address()!));
        return;
      }
      if (!bound.isInherited) listenAll(bound.listeners, bound.address, backlog);
      const listener = { fd: bound.listeners[0]! };
      await untilListening(server, (done) => server.listen(listener, backlog, done));
      open = listener.fd;
      listens(bound.address);
    },
    ready() {},
    // Without a listener, another process could take its port.
    canPause: false,
    mostWaiting: waiting,
    beat: beatFor(plan.stuck),
  };
  const architecture = await loadArchitecture(plan.traits.name as 'callback');
  if (architecture.arrangement !== 'node')
    throw new Error(`${architecture.name} has a loop of its own`);
  const served = architecture.serve(host).catch(reject);
  let address: SocketAddress;
  try {
    address = await listening;
  } catch (error) {
    await closeService(loaded, warn);
    if (error instanceof ServeError) throw error;
    const { code, message } = error as NodeJS.ErrnoException;
    const where = plan.host.startsWith('unix:') ? plan.host : `${plan.host}:${plan.port}`;
    throw new ServeError(
      'failed',
      `Cannot listen at ${where}: ${code ?? message}; choose another address`,
      { cause: error },
    );
  }
  const where = addressText(address);
  let closing: Promise<void> | undefined;
  let hasStopped = false;
  const done = () => ({ questions: row.work[0]!, connections: row.connections });
  const queue = () => (open === undefined ? undefined : acceptQueueOf(open));
  async function end(): Promise<void> {
    orders.order = 'stop';
    open = undefined;
    removeSocketFile(bound?.file);
    stop();
    await served;
    await closeService(loaded, warn);
    hasStopped = true;
    onEvent?.({
      type: 'stopped',
      ...done(),
      ...departed,
      accepted: [],
      at: Date.now(),
    });
  }
  const view = (): View => ({
    architecture: plan.traits.name,
    where,
    generation: 1,
    serving: closing === undefined ? 1 : 0,
    // A loop that is stuck could not show it here.
    stuck: 0,
    connections: { open: clients.count, limit: admission.limit },
    unsent: row.unsent,
    dropped: 0,
    restarts: { done: 0, failed: 0, lastAt: undefined },
    exits: { left: 0, late: 0, failed: 0, signal: 0 },
    pids: [process.pid],
    workers: () => (hasStopped ? [] : [row.reading]),
    work: () => ({ ...done(), received: row.work[1]!, sent: row.work[2]! }),
    limited: () => counts,
    headers: () => headers,
    ended: () => ended,
    answerTimes: () => (plan.metricsLatency ? readAnswerTimes(times) : undefined),
    queue,
  });
  onEvent?.({ type: 'listening', address: where, architecture: plan.traits.name, at: Date.now() });
  presence.serves(view);
  return {
    architecture: plan.traits.name,
    address,
    where,
    port: address.family === 'unix' ? 0 : address.port,
    get state() {
      return presence.state;
    },
    admin: presence.where('admin'),
    agentCheck: presence.where('agent-check'),
    pids: [],
    workers: () => (hasStopped ? [] : [row.reading]),
    counts: () => onlyCounted(counts),
    proxyHeaders: () => ({ ...headers }),
    served: done,
    queued: 0,
    queue,
    restart: () =>
      Promise.reject(
        new ServeError(
          'usage',
          'Cannot restart a server in this process: it has no workers to replace; name the service as a module, on Linux',
        ),
      ),
    close: (options) =>
      presence.close(options, (drain) => {
        endsAt = Math.min(endsAt, performance.now() + drain);
        closing ??= end();
        return closing;
      }),
  };
}

/** Gives up an address that no client could use yet. */
function release(bound: Bound | undefined): void {
  removeSocketFile(bound?.file);
  for (const listener of bound?.listeners ?? []) close(listener);
}

function untilListening(server: NodeServer, listen: (done: () => void) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    listen(resolve);
  });
}

function addressOf(address: AddressInfo | string): SocketAddress {
  if (typeof address === 'string') return { family: 'unix', path: address };
  const { family, address: host, port } = address;
  return { family: family === 'IPv6' ? 'IPv6' : 'IPv4', host, port };
}
