/** `serve`: the one call that starts a server of any architecture. */

import { loadArchitecture } from '../architectures/catalogue.ts';
import type { RowReading } from '../architectures/scoreboard.ts';
import type { SocketAddress } from '../os/address.ts';
import { checkService } from '../protocol/service.ts';
import { ServeError } from './errors.ts';
import { serviceUrl, zenUrl } from './load-service.ts';
import {
  architectureNamed,
  defaultArchitecture,
  hasSystemCalls,
  planOf,
  type ServeOptions,
} from './plan.ts';
import type { ServerEvent } from './server-event.ts';

/** A server that is running. */
export interface Server {
  readonly architecture: string;
  /** Where it listens: `{ family, host, port }` or `{ family: 'unix', path }`. */
  readonly address: SocketAddress;
  /** The same as text: `HOST:PORT`, `[HOST]:PORT` or `unix:PATH`. */
  readonly where: string;
  /** Process ids of its workers; none where it serves in this process. */
  readonly pids: readonly number[];
  /** What each worker is doing at this moment: state, accepted, open. */
  workers(): RowReading[];
  /** How many accepted sockets wait for a worker; only `queued` has a queue. */
  readonly queued: number;
  /** Stops listening, ends the conversations and the workers; resolves when nothing of it is left. */
  close(): Promise<void>;
}

/**
 * Starts a server and resolves once it serves.
 *
 * ```ts
 * const server = await serve({ architecture: 'epoll', port: 0, service: './my-service.ts' });
 * console.log(server.address);
 * await server.close();
 * ```
 *
 * @param onEvent is told what happens; without it no worker makes events, which is faster
 * @throws ServeError (`kind` `usage` or `failed`) where it cannot: port in use, unknown host, …
 */
export async function serve(
  options: ServeOptions = {},
  onEvent?: (event: ServerEvent) => void,
): Promise<Server> {
  const name = architectureNamed(options.architecture ?? defaultArchitecture);
  const traits = await loadTraits(name);
  const plan = planOf(traits, options);
  const service = options.service ?? zenUrl;
  const isObject = typeof service === 'object' && !(service instanceof URL);
  if (traits.arrangement === 'node' && (isObject || !hasSystemCalls)) {
    const { serveInProcess } = await import('./in-process.ts');
    return serveInProcess(
      plan,
      isObject ? checkService(service, 'the given object') : serviceUrl(service),
      onEvent,
    );
  }
  if (isObject) {
    throw new ServeError(
      'usage',
      `Cannot serve an object under ${name}: its threads and processes load the service themselves; name its module by path or URL`,
    );
  }
  const { Supervisor } = await import('./supervisor.ts');
  const supervisor = await Supervisor.start(plan, serviceUrl(service), onEvent);
  return {
    architecture: name,
    address: supervisor.address,
    where: supervisor.where,
    get pids() {
      return supervisor.pids;
    },
    workers: () => supervisor.read(),
    get queued() {
      return supervisor.queued;
    },
    close: () => supervisor.close(),
  };
}

async function loadTraits(name: Parameters<typeof loadArchitecture>[0]) {
  if (!hasSystemCalls && name !== 'callback' && name !== 'coroutine') {
    throw new ServeError(
      'failed',
      `Cannot serve ${name} on ${process.platform} ${process.arch}: it makes Linux system calls (x64, arm64); callback and coroutine run anywhere`,
    );
  }
  return loadArchitecture(name);
}
