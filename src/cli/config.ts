/** `mondo config`: checks a configuration, shows the options in effect, and prints the schema. */
import type { Command } from 'commander';
import { stringify } from 'smol-toml';
import { loadArchitecture } from '../architectures/catalogue.ts';
import { ServeError } from '../host/errors.ts';
import { fastestArchitecture } from '../host/fastest.ts';
import { architectureNamed, DEFAULT_HOST, type Plan, planOf } from '../host/plan.ts';
import { limitDefaults } from '../limits/limits.ts';
import { configSchema, configurable, keyOf } from './config-schema.ts';
import { type Effective, effectiveOptions, lowered } from './effective.ts';
import { optionsOf } from './serve-configuration.ts';

interface Options {
  readonly check?: string;
  readonly show?: boolean;
  readonly schema?: boolean;
  readonly config?: string;
}

/** @param serve the command whose configuration it is */
export async function configCommand(command: Command, serve: Command): Promise<void> {
  const { check, show, schema, config } = command.opts<Options>();
  if ([check, show, schema].filter((one) => one !== undefined).length !== 1) {
    throw new ServeError('usage', 'Cannot tell what to do: give one of --check, --show, --schema');
  }
  if (schema) {
    console.log(JSON.stringify(configSchema(serve), undefined, 2));
    return;
  }
  if (check !== undefined && config !== undefined) {
    throw new ServeError('usage', 'Cannot use --config with --check: it names the file itself');
  }
  const effective = await effectiveOptions(command, check ?? config);
  for (const text of effective.warnings) console.error(`mondo: ${text}`);
  if (check === undefined) {
    console.log(shown(command, effective, await plannedFor(effective)));
    return;
  }
  await plannedFor(effective).catch((error: unknown) => {
    if (!(error instanceof ServeError)) throw error;
    throw new ServeError(error.kind, `${check}: ${lowered(error.message)}`, { cause: error });
  });
  console.log(`${check} is valid`);
}

/** @throws ServeError if `mondo serve` would refuse these options */
async function plannedFor(effective: Effective): Promise<Plan> {
  const { architecture = 'fastest' } = effective;
  const name =
    architecture === 'fastest'
      ? (await fastestArchitecture()).name
      : architectureNamed(architecture);
  return planOf(await loadArchitecture(name), optionsOf(effective));
}

/** One line for each option, in TOML, with its origin as a comment. As a file, the text has the same effect. */
function shown(command: Command, effective: Effective, plan: Plan): string {
  const { architecture = 'fastest', host = DEFAULT_HOST, options, origins } = effective;
  const others = configurable(command).filter((option) => keyOf(option) !== 'limit');
  const rows: Row[] = [
    ['architecture', architecture, origins.get('architecture')],
    ['host', host, origins.get('host')],
    ...others.map((option): Row => {
      const name = option.attributeName();
      return [keyOf(option), options[name] ?? plannedValue(plan, name), origins.get(keyOf(option))];
    }),
  ];
  const given = Map.groupBy(options.limit as readonly string[], (limit) => limit.split('=', 1)[0]!);
  const limitRows = limitDefaults().map(([, word, usual]): Row => {
    const texts = given.get(word)?.map((limit) => limit.slice(word.length + 1));
    const value = texts === undefined ? usual : limitValue(word, texts);
    // Its default is no value that an option can have.
    const hasNone = texts === undefined && word === 'connections';
    return [word, hasNone ? undefined : value, origins.get(`limit.${word}`) ?? 'default'];
  });
  return [...aligned(rows), '', '[limit]', ...aligned(limitRows)].join('\n');
}

type Row = readonly [key: string, value: unknown, origin: string | undefined];

/** The value that the server takes if no source has one; undefined: none, or it depends on the clients. */
function plannedValue(plan: Plan, name: string): unknown {
  if (name === 'think') return plan.think.ms;
  if (name === 'thinkHow') return plan.think.how;
  const value: unknown = plan[name as keyof Plan];
  return typeof value === 'object' ? undefined : value;
}

/** The last value counts, and networks add up until an `off`. */
function limitValue(word: string, texts: readonly string[]): string | readonly string[] {
  if (word !== 'allow' && word !== 'deny') return texts.at(-1)!;
  const networks = texts.slice(texts.lastIndexOf('off') + 1).flatMap((text) => text.split(','));
  return networks.length === 0 ? 'off' : networks;
}

function aligned(rows: readonly Row[]): string[] {
  const lines = rows.map(([key, value, origin = '']): readonly [string, string] => [
    value === undefined ? `# ${key}: not given` : stringify({ [key]: value }).trim(),
    value === undefined ? '' : `  # ${origin.replaceAll(/\p{Cc}/gu, '?')}`,
  ]);
  const widest = Math.max(...lines.map(([text, comment]) => (comment === '' ? 0 : text.length)));
  return lines.map(([text, comment]) => (comment === '' ? text : text.padEnd(widest) + comment));
}
