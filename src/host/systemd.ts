/**
 * Serves under a service manager: with the sockets that it passes (sd_listen_fds(3)), and with reports to it
 * (sd_notify(3)). `serve` does so with the option `systemd`, and `mondo serve` always.
 */
import { addressText, type SocketAddress } from '../os/address.ts';
import { whyNoSystemCalls } from '../os/libc.ts';
import { NotifySocket, notifyAddress } from '../os/notify.ts';
import { acceptQueueOf, close, localAddress } from '../os/socket.ts';
import { openOf } from '../worker/scoreboard.ts';
import {
  type GivenListener,
  listenerText,
  STORED_NAME,
  takeListeners,
  takeVariables,
} from './activation.ts';
import { ServeError } from './errors.ts';
import { resolveAddress } from './listen.ts';
import { Notifier } from './notifier.ts';
import { DEFAULT_HOST, DEFAULT_PORT, type Plan, type ServeOptions } from './plan.ts';
import type { Presence } from './presence.ts';
import type { Server } from './server.ts';
import type { ServerEvent } from './server-event.ts';
import { requireSystemCalls } from './system-calls.ts';

/** What a service manager has to do with the listeners of a server. */
export interface Given {
  /** Its listeners, which the server takes instead of opening its own. */
  readonly listeners: readonly GivenListener[];
  /** True if the manager also gets the listeners that the server opens. */
  readonly isStored: boolean;
  /** The server has opened these listeners. */
  opened(listeners: readonly number[]): void;
}

/** A server that serves, and what the outside sees of it. */
export interface Started {
  readonly server: Server;
  readonly presence: Presence;
}

type Start = (
  options: ServeOptions,
  onEvent: ((event: ServerEvent) => void) | undefined,
  given: Given,
) => Promise<Started>;

/**
 * Takes the manager's variables from the environment, starts the server, and reports its life.
 *
 * @param start starts the server with the manager's listeners
 * @throws ServeError if what the manager passes cannot be used, and all errors of `start`
 */
export async function serveManaged(
  options: ServeOptions,
  onEvent: ((event: ServerEvent) => void) | undefined,
  start: Start,
): Promise<Server> {
  const variables = takeVariables(process.env);
  const warn = (text: string) =>
    onEvent?.({ type: 'warning', text, at: Date.now(), ...supervisor, tid: process.pid });
  const why = whyNoSystemCalls();
  if (why !== undefined) {
    if (variables.LISTEN_PID === String(process.pid)) requireSystemCalls('take sockets of systemd');
    const { server } = await start(options, onEvent, nothing);
    warn(`Cannot report to systemd: that takes system calls of Mondo's own, and ${why}`);
    return server;
  }
  const notifier = notifierOf(variables);
  try {
    const { listeners, warning } = takeListeners(variables, process.pid);
    const usable = await usableListeners(options, listeners, notifier);
    const isStored = usable.length === 0 && mayStore(options, variables.FDSTORE);
    const started = await start(options, onEvent, {
      listeners: usable,
      isStored,
      opened: (own) => isStored && notifier?.store(STORED_NAME, own),
    });
    if (warning !== undefined) warn(warning);
    return reporting(started, notifier, usable);
  } catch (error) {
    notifier?.failed(error as Error);
    throw error;
  }
}

const supervisor = { pid: process.pid, worker: -1 };
const nothing: Given = { listeners: [], isStored: false, opened: () => {} };

/** @returns undefined if the manager wants no reports, or its address is of an unknown form */
function notifierOf(variables: NodeJS.ProcessEnv): Notifier | undefined {
  const address = notifyAddress(variables.NOTIFY_SOCKET ?? '');
  if (address === undefined) return undefined;
  const { WATCHDOG_USEC: time = '', WATCHDOG_PID: owner } = variables;
  const isOurs = owner === undefined || owner === String(process.pid);
  const watchdog = isOurs && /^\d{1,15}$/.test(time) ? Number(time) : 0;
  return new Notifier(new NotifySocket(address), watchdog);
}

/**
 * The manager may keep the one TCP listener. It does not say before version 254 (FDSTORE) whether it would. With a unix
 * path it would keep a listener whose file is gone.
 */
const mayStore = ({ host = DEFAULT_HOST, reuseport }: ServeOptions, most: string | undefined) =>
  Number(most) >= 1 && !host.startsWith('unix:') && reuseport !== true;

/** Separates the listeners of the manager from those that an earlier process has left with it. */
async function usableListeners(
  options: ServeOptions,
  all: readonly GivenListener[],
  notifier: Notifier | undefined,
): Promise<readonly GivenListener[]> {
  const stored = all.filter(({ name }) => name === STORED_NAME);
  const passed = all.filter(({ name }) => name !== STORED_NAME);
  if (passed.length > 0) checkOptions(options, passed[0]!);
  if (stored.length === 0) return passed;
  const { host = DEFAULT_HOST, port = DEFAULT_PORT } = options;
  const wanted = await resolveAddress(host, port);
  const kept = passed.length > 0 ? undefined : stored.find(({ fd }) => isAt(fd, wanted));
  if (kept === undefined) notifier?.forget(STORED_NAME);
  for (const { fd } of stored) if (fd !== kept?.fd) close(fd);
  return kept === undefined ? passed : [kept];
}

function isAt(fd: number, wanted: SocketAddress): boolean {
  const address = localAddress(fd);
  if (addressText(address) === addressText(wanted)) return true;
  // Without IPv6, all interfaces are those of IPv4.
  const isAll = wanted.family === 'IPv6' && wanted.host === '::';
  return isAll && address.family === 'IPv4' && address.port === wanted.port;
}

/** The manager has chosen the address, so the options would silently do nothing. */
function checkOptions(options: ServeOptions, listener: GivenListener): void {
  for (const name of ['host', 'port', 'backlog'] as const) {
    if (options[name] === undefined) continue;
    throw new ServeError(
      'usage',
      `Cannot use ${name} "${options[name]}" with ${listenerText(listener)}: the service manager has opened it; leave ${name} out, and change the socket unit`,
    );
  }
}

/** Number of connections that the kernel may keep at any listener of this machine. */
const LONGEST_BACKLOG = 65_535;

/** The plan for a server with these listeners. @throws ServeError if they do not fit the plan */
export function planFor(plan: Plan, { listeners, isStored }: Given): Plan {
  const [first] = listeners;
  if (first === undefined) return isStored ? { ...plan, isKept: true } : plan;
  const { traits, threads, processes, reuseport } = plan;
  const needed = reuseport ? threads * processes : 1;
  const extra = listeners[needed];
  if (extra !== undefined) {
    throw new ServeError(
      'usage',
      `Cannot use ${listenerText(extra)}: ${traits.name} needs ${needed === 1 ? 'one listener' : `${needed} listeners`}, and the service manager passes ${listeners.length}; remove a ListenStream= line${reuseport ? '' : ', or serve with reuseport'}`,
    );
  }
  if (listeners.length < needed) {
    throw new ServeError(
      'usage',
      `Cannot serve with reuseport on ${needed} workers: the service manager passes ${listeners.length} listeners; write ListenStream= once for each worker, with ReusePort=yes`,
    );
  }
  const other = listeners.find(({ fd }) => whereOf(fd) !== whereOf(first.fd));
  if (other !== undefined) {
    throw new ServeError(
      'usage',
      `Cannot use ${listenerText(other)} together with ${listenerText(first)}: one server has one address; run a second server for the other one`,
    );
  }
  // A unix socket does not tell its backlog.
  const backlog = (acceptQueueOf(first.fd)?.limit ?? LONGEST_BACKLOG + 1) - 1;
  return { ...plan, backlog, isKept: true, inherited: listeners.map(({ fd }) => fd) };
}

const whereOf = (fd: number) => addressText(localAddress(fd));

/** The same server, which reports its restarts and its end. */
function reporting(
  { server, presence }: Started,
  notifier: Notifier | undefined,
  listeners: readonly GivenListener[],
): Server {
  notifier?.ready({
    text: () => statusOf(server),
    isStuck: () => (presence.view?.stuck ?? 0) > 0,
  });
  const reported: Server = Object.create(null, Object.getOwnPropertyDescriptors(server));
  let isOver = false;
  return Object.assign(reported, {
    async restart(changes) {
      notifier?.reloading();
      try {
        await server.restart(changes);
      } catch (error) {
        notifier?.reloaded(error as Error);
        throw error;
      }
      notifier?.reloaded();
    },
    async close(closing) {
      notifier?.stopping(presence.longestStop(closing));
      await server.close(closing);
      if (isOver) return;
      isOver = true;
      notifier?.close();
      for (const { fd } of listeners) close(fd);
    },
  } satisfies Pick<Server, 'restart' | 'close'>);
}

function statusOf(server: Server): string {
  const workers = Math.max(1, server.pids.length);
  const connections = openOf(server.workers());
  return `serving ${server.architecture}, ${several(workers, 'worker')}, ${several(connections, 'connection')}`;
}

const several = (count: number, what: string) => `${count} ${what}${count === 1 ? '' : 's'}`;
