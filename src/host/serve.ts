/** `serve`: the one call that starts a server of any architecture. */

import { type ArchitectureName, loadArchitecture } from '../architectures/catalogue.ts';
import { checkService } from '../protocol/service.ts';
import { ServeError } from './errors.ts';
import { serviceUrl, zenUrl } from './load-service.ts';
import { architectureNamed, hasSystemCalls, planOf, type ServeOptions } from './plan.ts';
import type { Server } from './server.ts';
import type { ServerEvent } from './server-event.ts';

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
  let name: ArchitectureName;
  if (options.architecture === undefined) {
    const { fastestArchitecture } = await import('./fastest.ts');
    const choice = fastestArchitecture();
    name = choice.name;
    onEvent?.({ type: 'chose', architecture: name, why: choice.why, at: Date.now() });
  } else {
    name = architectureNamed(options.architecture);
    if (name === 'uring' && hasSystemCalls) await requireUring();
  }
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

async function requireUring(): Promise<void> {
  const { whyNoUring } = await import('../os/uring.ts');
  const why = whyNoUring();
  if (why !== undefined) throw new ServeError('failed', why);
}

async function loadTraits(name: ArchitectureName) {
  if (!hasSystemCalls && name !== 'callback' && name !== 'coroutine') {
    throw new ServeError(
      'failed',
      `Cannot serve ${name} on ${process.platform} ${process.arch}: it makes Linux system calls (x64, arm64); callback and coroutine run anywhere`,
    );
  }
  return loadArchitecture(name);
}
