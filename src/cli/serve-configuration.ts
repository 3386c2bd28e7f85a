/** What `mondo serve` makes of its configuration: the options of the server, and those of a restart. */
import { loadArchitecture } from '../architectures/catalogue.ts';
import { type Plan, planOf, type RestartOptions, type ServeOptions } from '../host/plan.ts';
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

/** Attributes that a restart can change. */
const CHANGEABLE: ReadonlySet<string> = new Set([
  ...['limit', 'dryRun', 'whenFull', 'think', 'thinkHow'],
  ...['threads', 'processes', 'queue', 'maxThreads'],
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
  return {
    limits: plan.limits,
    dryRun: plan.dryRun,
    whenFull: given.whenFull ?? 'wait',
    think: plan.think.ms,
    thinkHow: plan.think.how,
    threads: plan.threads,
    processes: plan.processes,
    ...pageOf(plan),
  };
}

/** Only the options of that architecture, because a restart refuses those of another. */
function pageOf({ traits, page }: Plan): RestartOptions {
  if (traits.name === 'queued') return { queue: page.queue };
  if (traits.name === 'socketserver') return { maxThreads: page.maxThreads };
  return {};
}
