/** The options of `serve`, checked, with defaults for the rest. */

import {
  type ArchitectureName,
  architectureNames,
  isArchitectureName,
} from '../architectures/catalogue.ts';
import { LimitError } from '../limits/errors.ts';
import { checkLimits, defaultLimits, type Limits } from '../limits/limits.ts';
import { checkTrusted, trustsUnix } from '../limits/trusted.ts';
import { parseWhenFull, type WhenFull } from '../limits/when-full.ts';
import type { Protocol, Service } from '../protocol/service.ts';
import type { PageOptions, Traits } from '../worker/contract.ts';
import { ServeError } from './errors.ts';
import { unknownOption } from './known-options.ts';
import type { ProxyOptions } from './worker/proxies.ts';

/**
 * The options of a server. All have defaults.
 *
 * @example
 * ```ts
 * import { type ServeOptions, serve } from 'mondo';
 *
 * const options: ServeOptions = {
 *   architecture: 'threaded',
 *   threads: 8,
 *   host: '0.0.0.0',
 *   port: 1060,
 *   limits: { idle: 5000, connections: 1000 },
 * };
 * const server = await serve(options);
 * await server.close();
 * ```
 */
export interface ServeOptions {
  /** The architecture; see `mondo architectures`. Default: the fastest that this machine supports. */
  readonly architecture?: ArchitectureName | (string & {});
  /** A name, an IPv4 or IPv6 address, `''` for all interfaces, or `unix:PATH`. Default `127.0.0.1`. */
  readonly host?: string;
  /** TCP port; 0: any free one. Default 1060. */
  readonly port?: number;
  /**
   * The service: path or URL of a module whose default export is one (default: the Zen questions). `callback` and
   * `coroutine` also accept the object itself, and then serve in this process.
   */
  readonly service?: string | URL | Service | Protocol;
  readonly threads?: number;
  readonly processes?: number;
  /** A listener for each thread and process, with SO_REUSEPORT, instead of one that they share. Default false. */
  readonly reuseport?: boolean;
  /** Number of connections that the kernel keeps until they are accepted. Default 1,024. */
  readonly backlog?: number;
  /** Delay of each answer, in ms. Default 0. */
  readonly think?: number;
  /** How an answer is delayed: `block` blocks its thread, `defer` uses the loop's timers. Default `block`. */
  readonly thinkHow?: 'block' | 'defer';
  /** The limits of the server. Limits that are not given have their defaults; 0 switches one off. See `Limits`. */
  readonly limits?: Partial<Limits>;
  /** Count what the limits would refuse or close, and do neither. Default false. */
  readonly dryRun?: boolean;
  /**
   * Each connection must begin with a header of the PROXY protocol, version 1 or 2, in which a proxy announces its
   * client. Logs, limits by address, and services then see the client's address. `false` (the default): connections
   * have no header.
   */
  readonly proxy?: ProxyOptions | false;
  /** Time that a leaving worker still has for connections that wait for an answer, in ms. Default 10,000. */
  readonly drain?: number;
  /**
   * Time in which the server is not ready any more and still accepts clients, before it stops, in ms. Balancers need
   * some seconds until they send no more clients. Default 0.
   */
  readonly lameDuck?: number;
  /** Time without a turn after which a worker that has work is reported as stuck, in ms; 0: never. Default 5,000. */
  readonly stuck?: number;
  /**
   * Where a small HTTP server shows `/livez`, `/readyz`, `/status` and `/metrics`: `[HOST:]PORT` or `unix:PATH`.
   * Default: nowhere.
   */
  readonly admin?: string | undefined;
  /** Lets other machines reach `admin`. Default false: it must be an address of this machine only. */
  readonly adminAnywhere?: boolean;
  /**
   * Times one answer in 64, for the metric `mondo_answer_seconds` of `admin`. Default false: no question reads a clock.
   */
  readonly metricsLatency?: boolean;
  /** Where HAProxy's agent check gets its line: `[HOST:]PORT` or `unix:PATH`. Default: nowhere. */
  readonly agentCheck?: string | undefined;
  /** The user of the workers, by name or number. Needs a supervisor that root has started. */
  readonly user?: string;
  /** The group of the workers, by name or number. Default: the user's own. */
  readonly group?: string;
  /** `queued`: how many accepted sockets may wait for a worker thread. Default 64. */
  readonly queue?: number;
  /** `socketserver`: the most threads (or processes) at once; 0: no cap. Default 0. */
  readonly maxThreads?: number;
  /**
   * `socketserver`: how many threads (or processes) without a client may wait for one; 0: each client gets a
   * new one. -1 (the default): as many as were needed at once in the last minute.
   */
  readonly threadCache?: number;
  /** `socketserver`: which mixin. Default `threading`. */
  readonly mixin?: 'threading' | 'forking';
  /** `epoll`: EPOLLEXCLUSIVE on the shared listener. Default false. */
  readonly exclusive?: boolean;
  /**
   * `inetd`: how many processes without a client may wait for one; 0: each client gets a new one. -1 (the default):
   * as many as were needed at once in the last minute, and one that is ready before a client comes.
   */
  readonly processCache?: number;
  /** `inetd`: a process per connection, or one that accepts until no client has come for 8 s. Default `nowait`. */
  readonly inetd?: 'nowait' | 'wait';
  /**
   * What happens to new clients when the server has as many connections as it may: `wait` in the kernel's queue
   * (the default), `busy` (one line, then close), `reset`, or `random` (drop some before the server is full;
   * `random:START:RATE:FULL` like OpenSSH's MaxStartups).
   */
  readonly whenFull?:
    | 'wait'
    | 'busy'
    | 'reset'
    | 'random'
    | `random:${number}:${number}:${number}`
    | undefined;
  /**
   * Take the sockets that systemd passes to this process, and report to systemd (sd_listen_fds(3), sd_notify(3)). Then
   * the variables of systemd are removed from `process.env`. Default false.
   */
  readonly systemd?: boolean;
}

/**
 * What a restart can change: everything that belongs to the workers, and the times of a stop. An option that is left
 * out stays as it is.
 *
 * @example
 * ```ts
 * import { type RestartOptions, serve } from 'mondo';
 *
 * const server = await serve({ architecture: 'epoll', port: 0 });
 * const stricter: RestartOptions = { limits: { idle: 1000 } };
 * await server.restart(stricter);
 * await server.close();
 * ```
 */
export type RestartOptions = Pick<
  ServeOptions,
  | 'limits'
  | 'dryRun'
  | 'whenFull'
  | 'think'
  | 'thinkHow'
  | 'threads'
  | 'processes'
  | 'proxy'
  | 'drain'
  | 'lameDuck'
  | 'stuck'
  | 'metricsLatency'
  | 'queue'
  | 'maxThreads'
  | 'threadCache'
  | 'mixin'
  | 'exclusive'
  | 'processCache'
  | 'inetd'
> & {
  /** Path or URL of another module with a service. */
  readonly service?: string | URL;
};

// A record, so that the compiler finds a name that is missing here.
const changeable: Readonly<Record<keyof RestartOptions, true>> = {
  limits: true,
  dryRun: true,
  whenFull: true,
  think: true,
  thinkHow: true,
  threads: true,
  processes: true,
  proxy: true,
  drain: true,
  lameDuck: true,
  stuck: true,
  metricsLatency: true,
  queue: true,
  maxThreads: true,
  threadCache: true,
  mixin: true,
  exclusive: true,
  processCache: true,
  inetd: true,
  service: true,
};

export interface Plan {
  readonly traits: Traits;
  readonly host: string;
  readonly port: number;
  readonly threads: number;
  readonly processes: number;
  readonly reuseport: boolean;
  readonly backlog: number;
  readonly think: { readonly ms: number; readonly how: 'block' | 'defer' };
  readonly limits: Limits;
  readonly whenFull: WhenFull;
  readonly dryRun: boolean;
  readonly proxy: ProxyOptions | undefined;
  readonly drain: number;
  readonly lameDuck: number;
  readonly stuck: number;
  readonly admin: string | undefined;
  readonly adminAnywhere: boolean;
  readonly metricsLatency: boolean;
  readonly agentCheck: string | undefined;
  readonly user: string | undefined;
  readonly group: string | undefined;
  readonly page: PageOptions;
  /** Listeners that another process has opened, and that this server uses; empty: it opens its own. */
  readonly inherited: readonly number[];
  /** True if another process holds the listeners too, so that a stop must not end their accepting. */
  readonly isKept: boolean;
  /** True under a service manager: it may want to know whether workers are stuck. */
  readonly isManaged: boolean;
}

/** The most worker processes. */
export const MOST_PROCESSES = 256;
/** The most generations of workers at once: the one that serves, and those that are leaving. */
export const MOST_GENERATIONS = 5;

/** In ms. */
const DEFAULT_DRAIN = 10_000;
/** In ms. */
const DEFAULT_STUCK = 5000;

export const DEFAULT_PORT = 1060;
export const DEFAULT_HOST = '127.0.0.1';

/** The architecture of that name. @throws ServeError that lists the names */
export function architectureNamed(name: string): ArchitectureName {
  if (isArchitectureName(name)) return name;
  throw new ServeError(
    'usage',
    `There is no architecture "${name}"; there are ${architectureNames.join(', ')}`,
  );
}

/** Checks a whole number in a range. @throws ServeError that quotes the value and gives the range */
function wholeNumber(what: string, value: number, least: number, most: number): number {
  if (Number.isInteger(value) && value >= least && value <= most) return value;
  throw new ServeError(
    'usage',
    `Cannot use ${value} as ${what}: give a whole number from ${least} to ${most}`,
  );
}

/** As many as are needed. */
const USUAL_CACHE = -1;

const cacheSize = (what: string, value = USUAL_CACHE): number =>
  value === USUAL_CACHE ? value : wholeNumber(what, value, 0, 4096);

/** Checks a drain time, in ms. @throws ServeError */
export const checkedDrain = (what: string, ms: number): number =>
  wholeNumber(what, ms, 0, 3_600_000);

/** The deadline that `close` is given, in ms. @throws ServeError */
export function deadlineOf(options: { readonly deadline?: number } = {}, usual: number): number {
  const fault = unknownOption('close', options, ['deadline']);
  if (fault !== undefined) throw new ServeError('usage', fault);
  return checkedDrain('a deadline in ms', options.deadline ?? usual);
}

function oneOf<T extends string>(what: string, value: T, all: readonly T[]): T {
  if (all.includes(value)) return value;
  throw new ServeError('usage', `Cannot use "${value}" as ${what}: give ${all.join(' or ')}`);
}

/** Runs a check of limits, and turns its LimitError into a ServeError. @throws ServeError */
export function checkedLimits<T>(check: () => T): T {
  try {
    return check();
  } catch (error) {
    if (!(error instanceof LimitError)) throw error;
    throw new ServeError('usage', error.message, { cause: error });
  }
}

/** Options of only one architecture. */
const ownerOf = {
  queue: 'queued',
  maxThreads: 'socketserver',
  threadCache: 'socketserver',
  mixin: 'socketserver',
  exclusive: 'epoll',
  inetd: 'inetd',
  processCache: 'inetd',
} as const satisfies Partial<Record<keyof ServeOptions, ArchitectureName>>;

/** Of the options of single architectures, those of this one: a restart refuses the others. */
export const ownOptions = (name: string, page: PageOptions): Partial<PageOptions> =>
  Object.fromEntries(
    Object.entries(page).filter(([key]) => ownerOf[key as keyof PageOptions] === name),
  );

/** Refuses options of another architecture: they would silently do nothing. @throws ServeError */
function checkOwner({ name }: Traits, options: ServeOptions): void {
  for (const [option, owner] of Object.entries(ownerOf)) {
    const value = options[option as keyof typeof ownerOf];
    if (value === undefined || value === false || name === owner) continue;
    throw new ServeError('usage', `Cannot use ${option} with ${name}: it is for ${owner}`);
  }
}

/** A literal with every name, so that the compiler finds one that is missing here. */
const optionNames = Object.keys({
  architecture: true,
  host: true,
  port: true,
  service: true,
  threads: true,
  processes: true,
  reuseport: true,
  backlog: true,
  think: true,
  thinkHow: true,
  limits: true,
  whenFull: true,
  dryRun: true,
  proxy: true,
  drain: true,
  lameDuck: true,
  stuck: true,
  admin: true,
  adminAnywhere: true,
  metricsLatency: true,
  agentCheck: true,
  user: true,
  group: true,
  queue: true,
  maxThreads: true,
  threadCache: true,
  mixin: true,
  exclusive: true,
  processCache: true,
  inetd: true,
  systemd: true,
} satisfies Record<keyof ServeOptions, true>);

/** @throws ServeError for a name that `serve` does not know */
export function checkOptionNames(options: ServeOptions): void {
  const fault = unknownOption('serve', options, optionNames);
  if (fault !== undefined) throw new ServeError('usage', fault);
}

const thinkOf = (ms: number, how: 'block' | 'defer'): Plan['think'] => ({
  ms: wholeNumber('a thinking time in ms', ms, 0, 3_600_000),
  how: oneOf('the way of thinking', how, ['block', 'defer']),
});
const drainOf = (ms: number) => checkedDrain('a drain in ms', ms);
const lameDuckOf = (ms: number) => checkedDrain('a lame duck in ms', ms);
const stuckOf = (ms: number) =>
  wholeNumber('a time in ms until a worker is stuck', ms, 0, 3_600_000);

/** @param usual for the options that are not given */
const pageOptionsOf = (options: Partial<PageOptions>, usual: PageOptions): PageOptions => ({
  queue: wholeNumber('the length of the queue', options.queue ?? usual.queue, 1, 65_535),
  maxThreads: wholeNumber('the most threads', options.maxThreads ?? usual.maxThreads, 0, 10_000),
  threadCache: cacheSize('the size of the thread cache', options.threadCache ?? usual.threadCache),
  processCache: cacheSize(
    'the size of the process cache',
    options.processCache ?? usual.processCache,
  ),
  mixin: oneOf('the mixin', options.mixin ?? usual.mixin, ['threading', 'forking']),
  exclusive: options.exclusive ?? usual.exclusive,
  inetd: oneOf('the inetd mode', options.inetd ?? usual.inetd, ['nowait', 'wait']),
});

const usualPage: PageOptions = {
  queue: 64,
  maxThreads: 0,
  threadCache: USUAL_CACHE,
  processCache: USUAL_CACHE,
  mixin: 'threading',
  exclusive: false,
  inetd: 'nowait',
};

/** @param value undefined: the default of the architecture */
function numberOf(
  what: 'threads' | 'processes',
  traits: Traits,
  value = traits[what].default,
): number {
  wholeNumber(`the number of ${what}`, value, 1, what === 'threads' ? 400 : MOST_PROCESSES);
  if (!traits[what].adjustable && value !== traits[what].default) {
    throw new ServeError(
      'usage',
      `Cannot serve ${traits.name} with ${value} ${what}: it is ${traits.processModel} by definition; ${what} go with another architecture`,
    );
  }
  return value;
}

/** Checks the options against the traits of the architecture. @throws ServeError */
export function planOf(traits: Traits, options: ServeOptions): Plan {
  checkOptionNames(options);
  const plan: Plan = {
    traits,
    host: options.host ?? DEFAULT_HOST,
    port: wholeNumber('a port', options.port ?? DEFAULT_PORT, 0, 65_535),
    threads: numberOf('threads', traits, options.threads),
    processes: numberOf('processes', traits, options.processes),
    reuseport: options.reuseport ?? false,
    backlog: wholeNumber('a backlog', options.backlog ?? 1024, 1, 65_535),
    think: thinkOf(options.think ?? 0, options.thinkHow ?? 'block'),
    limits: checkedLimits(() => checkLimits(options.limits ?? {})),
    whenFull: checkedLimits(() => parseWhenFull(options.whenFull ?? 'wait')),
    dryRun: options.dryRun ?? false,
    proxy: proxyOf(options.proxy, options.host ?? DEFAULT_HOST),
    drain: drainOf(options.drain ?? DEFAULT_DRAIN),
    lameDuck: lameDuckOf(options.lameDuck ?? 0),
    stuck: stuckOf(options.stuck ?? DEFAULT_STUCK),
    admin: options.admin,
    adminAnywhere: options.adminAnywhere ?? false,
    metricsLatency: options.metricsLatency ?? false,
    agentCheck: options.agentCheck,
    user: options.user,
    group: options.group,
    page: pageOptionsOf(options, usualPage),
    inherited: [],
    isKept: false,
    isManaged: false,
  };
  checkOwner(traits, options);
  checkAdmin(plan);
  checkHeaderTime(plan.proxy, options.limits);
  if (plan.reuseport && plan.host.startsWith('unix:')) {
    throw new ServeError(
      'usage',
      `Cannot use reuseport with "${plan.host}": a unix socket has no port`,
    );
  }
  if (plan.reuseport && traits.arrangement === 'crew') {
    throw new ServeError('usage', `Cannot use reuseport with ${traits.name}: one thread accepts`);
  }
  return plan;
}

/** @throws ServeError */
function checkAdmin({ admin, metricsLatency, adminAnywhere }: Plan): void {
  if (admin !== undefined || !(metricsLatency || adminAnywhere)) return;
  const option = metricsLatency ? 'metricsLatency' : 'adminAnywhere';
  throw new ServeError('usage', `Cannot use ${option} without admin: it belongs to that listener`);
}

/** @throws ServeError */
function proxyOf(proxy: ProxyOptions | false | undefined, host: string): ProxyOptions | undefined {
  if (proxy === undefined || proxy === false) return undefined;
  const fault = unknownOption('proxy', proxy, ['trusted']);
  if (fault !== undefined) throw new ServeError('usage', fault);
  const trusted = checkedLimits(() => checkTrusted(proxy.trusted));
  if (host.startsWith('unix:') && !trustsUnix(trusted)) {
    throw new ServeError(
      'usage',
      `Cannot serve at "${host}" only for ${trusted.join(', ')}: peers of a unix socket have no address; add unix to the trusted proxies`,
    );
  }
  return { trusted };
}

/** Refuses a limit that would silently do nothing. @throws ServeError */
function checkHeaderTime(proxy: ProxyOptions | undefined, limits: Partial<Limits> = {}): void {
  // A whole set of limits has one, too: the default, or none.
  const usual = [undefined, 0, defaultLimits.proxyHeader];
  if (proxy !== undefined || usual.includes(limits.proxyHeader)) return;
  throw new ServeError(
    'usage',
    'Cannot limit the time of proxy headers: connections have none; give --proxy-protocol and --trusted, or the option proxy',
  );
}

/**
 * The plan with what a restart changes. It has no service, so that option has no effect here.
 *
 * @throws ServeError
 */
export function changedPlan(plan: Plan, options: RestartOptions): Plan {
  const fault = unknownOption('restart', options, Object.keys(changeable));
  if (fault !== undefined) throw new ServeError('usage', fault);
  const { traits, think } = plan;
  const { limits, whenFull, proxy } = options;
  const { threads = plan.threads, processes = plan.processes } = options;
  checkOwner(traits, options);
  if (plan.reuseport && threads * processes !== plan.threads * plan.processes) {
    throw new ServeError(
      'usage',
      'Cannot change the number of workers with reuseport: each one has a listener of its own; start another server',
    );
  }
  const changed: Plan = {
    ...plan,
    threads: numberOf('threads', traits, threads),
    processes: numberOf('processes', traits, processes),
    think: thinkOf(options.think ?? think.ms, options.thinkHow ?? think.how),
    whenFull: whenFull === undefined ? plan.whenFull : checkedLimits(() => parseWhenFull(whenFull)),
    limits: checkedLimits(() => checkLimits({ ...plan.limits, ...limits })),
    dryRun: options.dryRun ?? plan.dryRun,
    proxy: proxy === undefined ? plan.proxy : proxyOf(proxy, plan.host),
    drain: drainOf(options.drain ?? plan.drain),
    lameDuck: lameDuckOf(options.lameDuck ?? plan.lameDuck),
    stuck: stuckOf(options.stuck ?? plan.stuck),
    metricsLatency: options.metricsLatency ?? plan.metricsLatency,
    page: pageOptionsOf(options, plan.page),
  };
  checkAdmin(changed);
  checkHeaderTime(changed.proxy, limits);
  return changed;
}
