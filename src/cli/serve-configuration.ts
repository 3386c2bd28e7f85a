/** What `mondo serve` makes of its configuration: the options of the server, and those of a restart. */
import { loadArchitecture } from '../architectures/catalogue.ts';
import { zenUrl } from '../host/load-service.ts';
import { ownOptions, planOf, type RestartOptions, type ServeOptions } from '../host/plan.ts';
import type { Effective } from './effective.ts';
import { type CommandOptions, serveOptionsOf } from './serve-options.ts';

/**
 * The options for the server. A name and an address that are only defaults are left out: with a listener from systemd,
 * an address is an error.
 *
 * @throws ServeError
 */
export function optionsOf({ architecture, host, options, origins }: Effective): ServeOptions {
  const { log: _, port, ...rest } = options;
  return {
    ...serveOptionsOf(rest as unknown as CommandOptions),
    ...(origins.get('port') === 'default' ? {} : { port: port as number }),
    ...(architecture === undefined || architecture === 'fastest' ? {} : { architecture }),
    ...(host === undefined ? {} : { host }),
  };
}

/** Attributes that a restart can change: all but the architecture, the users, the log, and what belongs to a listener. */
const CHANGEABLE: ReadonlySet<string> = new Set([
  ...['limit', 'dryRun', 'whenFull', 'think', 'thinkHow', 'service', 'threads', 'processes'],
  ...['proxyProtocol', 'trusted', 'drain', 'lameDuck', 'stuck', 'metricsLatency'],
  ...['queue', 'maxThreads', 'threadCache', 'mixin', 'exclusive', 'processCache', 'inetd'],
]);

/** Keys of options that differ from those at the start, and that a restart cannot change. */
export function refusedChanges(start: Effective, now: Effective): string[] {
  const valuesOf = ({ architecture = 'fastest', host, options }: Effective) =>
    ({ architecture, host, ...options }) as Record<string, unknown>;
  const [before, after] = [valuesOf(start), valuesOf(now)];
  return Object.keys(after)
    .filter((name) => !CHANGEABLE.has(name))
    .filter((name) => JSON.stringify(before[name]) !== JSON.stringify(after[name]))
    .map((name) => name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`));
}

/**
 * The options of a restart. An option that the configuration does not have any more gets its default again.
 *
 * @param serving the architecture of the running server
 * @throws ServeError if the server would not start with the options of now
 */
export async function restartOptionsOf(
  serving: string,
  start: Effective,
  now: Effective,
): Promise<RestartOptions> {
  const traits = await loadArchitecture(serving as Parameters<typeof loadArchitecture>[0]);
  const changed = Object.entries(now.options).filter(([name]) => CHANGEABLE.has(name));
  const options = { ...start.options, ...Object.fromEntries(changed) };
  const given = optionsOf({ ...start, options });
  const plan = planOf(traits, given);
  const { limits, dryRun, think, threads, processes, drain, lameDuck, stuck, metricsLatency } =
    plan;
  return {
    ...{ limits, dryRun, threads, processes, drain, lameDuck, stuck, metricsLatency },
    whenFull: given.whenFull ?? 'wait',
    think: think.ms,
    thinkHow: think.how,
    // A file names a module, never an object.
    service: (given.service as string | undefined) ?? zenUrl,
    proxy: plan.proxy ?? false,
    ...ownOptions(plan.traits.name, plan.page),
  };
}
