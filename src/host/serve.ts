/** `serve`: the one call that starts a server of any architecture. */

import { type ArchitectureName, loadArchitecture } from '../architectures/catalogue.ts';
import { whyNoSystemCalls } from '../os/libc.ts';
import { checkService } from '../protocol/service.ts';
import type { Traits } from '../worker/contract.ts';
import { ServeError } from './errors.ts';
import { AS_ROOT, isRootUnasked } from './identity.ts';
import { serviceUrl, zenUrl } from './load-service.ts';
import {
  architectureNamed,
  checkOptionNames,
  type Plan,
  planOf,
  type ServeOptions,
} from './plan.ts';
import { Presence } from './presence.ts';
import type { Server } from './server.ts';
import type { ServerEvent } from './server-event.ts';
import type { Supervisor } from './supervisor/supervisor.ts';
import { requireSystemCalls } from './system-calls.ts';
import type { Given, Started } from './systemd.ts';

/**
 * Starts a server and resolves once it serves. If root starts it and gives no `user`, `onEvent` gets a `warning`.
 * Without `onEvent` Node prints the warning, with code MONDO_ROOT, once per process.
 *
 * @param onEvent called for each event; without it the workers make no events, which is faster
 * @throws ServeError (`kind` `usage` or `failed`) if it cannot start: port in use, unknown host, …
 *
 * @example
 * ```ts
 * import { serve } from 'mondo';
 *
 * const server = await serve({ architecture: 'epoll', port: 0, service: './my-service.ts' });
 * console.log(server.address);
 * await server.close();
 * ```
 */
export async function serve(
  options: ServeOptions = {},
  onEvent?: (event: ServerEvent) => void,
): Promise<Server> {
  const server = await startServer(options, onEvent);
  if (isRootUnasked(options)) {
    if (onEvent === undefined) warnOfRoot();
    else onEvent(rootWarning());
  }
  return server;
}

/** The warning that root serves, as an event of the supervisor's. */
const rootWarning = (): ServerEvent => {
  const { pid } = process;
  return { type: 'warning', text: AS_ROOT, at: Date.now(), pid, tid: pid, worker: -1 };
};

let hasWarned = false;
function warnOfRoot(): void {
  if (hasWarned) return;
  hasWarned = true;
  process.emitWarning(AS_ROOT, { code: 'MONDO_ROOT' });
}

/** Like `serve` without the warning about root, for callers that give it in another way or not at all. */
export async function startServer(
  options: ServeOptions,
  onEvent?: (event: ServerEvent) => void,
): Promise<Server> {
  checkOptionNames(options);
  if (options.systemd !== true || !isManaged(process.env))
    return (await start(options, onEvent)).server;
  const { serveManaged } = await import('./systemd.ts');
  return serveManaged(options, onEvent, start);
}

/** True if a service manager has passed sockets, or wants reports. */
const isManaged = ({ LISTEN_FDS, NOTIFY_SOCKET }: NodeJS.ProcessEnv): boolean =>
  LISTEN_FDS !== undefined || NOTIFY_SOCKET !== undefined;

/** @param given what a service manager has to do with the listeners */
async function start(
  options: ServeOptions,
  onEvent: ((event: ServerEvent) => void) | undefined,
  given?: Given,
): Promise<Started> {
  const source = options.service ?? zenUrl;
  const isObject = typeof source === 'object' && !(source instanceof URL);
  const service = isObject ? checkService(source, 'the given object') : serviceUrl(source);
  const planned = async (traits: Traits): Promise<Plan> => {
    const plan = planOf(traits, options);
    if (given === undefined) return plan;
    const { planFor } = await import('./systemd.ts');
    return planFor({ ...plan, isManaged: true }, given);
  };
  const choice = await choose(options.architecture, isObject);
  const traits = await loadTraits(choice.name);
  const plan = await planned(traits);
  const isInProcess =
    traits.arrangement === 'node' && (isObject || whyNoSystemCalls() !== undefined);
  if (!isInProcess && typeof service === 'object') {
    throw new ServeError(
      'usage',
      `Cannot serve an object under ${choice.name}: its threads and processes load the service themselves; name its module by path or URL`,
    );
  }
  const presence = await Presence.open(plan, onEvent);
  try {
    if (typeof service === 'string' && !isInProcess) {
      const parts = { planned, choice, plan, service, presence, given };
      return { server: await startSupervisor(parts, onEvent), presence };
    }
    const { serveInProcess } = await import('./in-process.ts');
    const server = await serveInProcess(plan, service, announcing(choice, onEvent), presence);
    return { server, presence };
  } catch (error) {
    await presence.abandon();
    throw error;
  }
}

interface Choice {
  readonly name: ArchitectureName;
  /** Why Mondo has chosen it; undefined if the user has. */
  readonly why?: string;
}

interface Start {
  /** Checks the options against an architecture. */
  readonly planned: (traits: Traits) => Promise<Plan>;
  readonly choice: Choice;
  readonly plan: Plan;
  readonly service: string;
  readonly presence: Presence;
  readonly given: Given | undefined;
}

async function startSupervisor(
  { planned, choice, plan, service, presence, given }: Start,
  onEvent: ((event: ServerEvent) => void) | undefined,
): Promise<Server> {
  const { Supervisor } = await import('./supervisor/supervisor.ts');
  try {
    const supervisor = await Supervisor.start(plan, service, announcing(choice, onEvent));
    given?.opened(supervisor.listeners);
    return serverOf(plan, supervisor, presence);
  } catch (error) {
    if (!(error instanceof ServeError) || error.lacks !== 'io_uring') throw error;
    // Only the workers can find out: they may run as another user, and there may be several rings.
    if (choice.why === undefined) throw cannotUseUring(error.message);
    const { withoutUring } = await import('./fastest.ts');
    const next = withoutUring(error.message);
    const nextPlan = await planned(await loadTraits(next.name));
    const supervisor = await Supervisor.start(nextPlan, service, announcing(next, onEvent));
    given?.opened(supervisor.listeners);
    return serverOf(nextPlan, supervisor, presence);
  }
}

/** Reports the chosen architecture once it is certain: directly before the `listening` event. */
function announcing(
  { name, why }: Choice,
  onEvent: ((event: ServerEvent) => void) | undefined,
): ((event: ServerEvent) => void) | undefined {
  if (onEvent === undefined || why === undefined) return onEvent;
  return (event) => {
    if (event.type === 'listening') {
      onEvent({ type: 'chose', architecture: name, why, at: Date.now() });
    }
    onEvent(event);
  };
}

function serverOf(plan: Plan, supervisor: Supervisor, presence: Presence): Server {
  presence.serves(
    () => supervisor.view,
    () => supervisor.stopTimes,
  );
  return {
    architecture: plan.traits.name,
    address: supervisor.address,
    where: supervisor.where,
    port: supervisor.address.family === 'unix' ? 0 : supervisor.address.port,
    get state() {
      return presence.state;
    },
    admin: presence.where('admin'),
    agentCheck: presence.where('agent-check'),
    get pids() {
      return supervisor.pids;
    },
    workers: () => supervisor.read(),
    counts: () => supervisor.counts,
    proxyHeaders: () => supervisor.proxyHeaders,
    served: () => supervisor.served,
    get queued() {
      return supervisor.queued;
    },
    queue: () => supervisor.queue(),
    restart: async (options) =>
      supervisor.restart(typeof options === 'function' ? await options() : options),
    close: (options) => presence.close(options, (drain) => supervisor.close(drain)),
  };
}

async function choose(wanted: string | undefined, isObject: boolean): Promise<Choice> {
  if (wanted !== undefined) {
    const name = architectureNamed(wanted);
    if (name === 'uring' && whyNoSystemCalls() === undefined) await requireUring();
    return { name };
  }
  if (isObject) return { name: 'callback', why: 'the service is an object of this process' };
  const { fastestArchitecture } = await import('./fastest.ts');
  return fastestArchitecture();
}

async function requireUring(): Promise<void> {
  const { whyNoUring } = await import('../os/uring.ts');
  const why = whyNoUring();
  if (why === undefined) return;
  throw cannotUseUring(why);
}

const cannotUseUring = (why: string) =>
  new ServeError(
    'failed',
    `Cannot serve with io_uring: ${why}; the next fastest architecture is epoll`,
  );

async function loadTraits(name: ArchitectureName) {
  if (name !== 'callback' && name !== 'coroutine') {
    requireSystemCalls(`serve ${name}`, 'callback and coroutine run anywhere');
  }
  return loadArchitecture(name);
}
