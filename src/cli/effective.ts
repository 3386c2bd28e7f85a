/**
 * The options of `mondo serve` from all their sources: command line, variables `MONDO_*`, file, defaults. The first
 * source that has an option decides. Each value goes through the same check as on the command line.
 */
import { type Command, InvalidArgumentError, type Option } from 'commander';
import { ServeError } from '../host/errors.ts';
import { LimitError } from '../limits/errors.ts';
import { parseLimits } from '../limits/limits.ts';
import type { Given } from './config-file.ts';
import { configurable, isRepeated, keyOf } from './config-schema.ts';
import { environmentOf, variableOf } from './environment.ts';

/** Where the value of an option comes from: `command line`, the name of a variable, the file, or `default`. */
type Origin = string;

const COMMAND_LINE: Origin = 'command line';
const DEFAULT: Origin = 'default';

export interface Effective {
  /** Undefined if no source names one. */
  readonly architecture: string | undefined;
  readonly host: string | undefined;
  /** By attribute name, as `command.opts()` returns them, with the defaults. */
  readonly options: Readonly<Record<string, unknown>>;
  /** By key. A limit has the key `limit.NAME`. */
  readonly origins: ReadonlyMap<string, Origin>;
  /** Variables that were ignored, and why. */
  readonly warnings: readonly string[];
}

interface Source {
  readonly given: Given;
  /** The origin of a key. */
  readonly origin: (key: string) => Origin;
  /** The error for a value that its option does not take. */
  readonly refusal: (key: string, value: string, allowed: string) => ServeError;
}

/**
 * Does not change the command, so a second call reads a changed file.
 *
 * @param command has the arguments and options of `mondo serve`
 * @param file the configuration; undefined: none
 * @param environment has the variables
 * @throws ServeError if the file or a variable has a value that its option does not take
 */
export async function effectiveOptions(
  command: Command,
  file: string | undefined,
  environment: Readonly<Record<string, string | undefined>> = process.env,
): Promise<Effective> {
  const options = configurable(command);
  const { given, warnings } = environmentOf(environment, options.map(keyOf));
  const sources: Source[] = [environmentSource(given)];
  if (file !== undefined) {
    const { readConfiguration } = await import('./config-file.ts');
    sources.push(fileSource(file, readConfiguration(file, command)));
  }
  const origins = new Map<string, Origin>();
  const found = (key: string): string | undefined => {
    const source = sources.find((one) => one.given.has(key));
    origins.set(key, source?.origin(key) ?? DEFAULT);
    return source?.given.get(key)?.[0];
  };
  const [architecture, host] = ['architecture', 'host'].map((key, i) => {
    const own = command.args[i];
    if (own === undefined) return found(key);
    origins.set(key, COMMAND_LINE);
    return own;
  });
  const values: Record<string, unknown> = {};
  for (const option of options) {
    const key = keyOf(option);
    if (key === 'limit') values[key] = limitsOf(command, sources, origins);
    else values[option.attributeName()] = effectiveValue(command, option, sources, origins);
  }
  return { architecture, host, options: values, origins, warnings };
}

function environmentSource(given: Given): Source {
  const refusal = (key: string, value: string, allowed: string) =>
    usage(`Cannot use "${value}" as ${variableOf(key)}: ${allowed}`);
  return { given, origin: variableOf, refusal };
}

function fileSource(file: string, given: Given): Source {
  const refusal = (key: string, value: string, allowed: string) =>
    usage(`${file}: cannot use "${value}" as "${key}": ${allowed}`);
  return { given, origin: () => file, refusal };
}

const usage = (text: string) => new ServeError('usage', text);

/** A message as it continues a line. */
export const lowered = (message: string): string =>
  message.replace(/^[A-Z]/, (letter) => letter.toLowerCase());

/** Checks the values of all sources, also those that another source overrides. */
function effectiveValue(
  command: Command,
  option: Option,
  sources: readonly Source[],
  origins: Map<string, Origin>,
): unknown {
  const key = keyOf(option);
  const name = option.attributeName();
  const values = sources.flatMap((source) => {
    const texts = source.given.get(key);
    return texts === undefined
      ? []
      : [{ value: parsed(option, texts, source), origin: source.origin(key) }];
  });
  const own = { value: command.getOptionValue(name) as unknown, origin: COMMAND_LINE };
  const usual = { value: own.value, origin: DEFAULT };
  const isOwn = command.getOptionValueSource(name) === 'cli';
  const [first] = isOwn ? [own] : [...values, usual];
  origins.set(key, first!.origin);
  return first!.value;
}

function parsed(option: Option, texts: readonly string[], { refusal }: Source): unknown {
  const key = keyOf(option);
  if (isRepeated(option)) return texts;
  const text = texts[0]!;
  if (option.isBoolean()) {
    if (/^(1|true|yes|on)$/.test(text)) return true;
    if (/^(0|false|no|off)$/.test(text)) return false;
    throw refusal(key, text, 'give true or false');
  }
  if (option.argChoices !== undefined && !option.argChoices.includes(text)) {
    throw refusal(key, text, `give ${option.argChoices.join(', ')}`);
  }
  try {
    return option.parseArg === undefined ? text : option.parseArg(text, undefined as never);
  } catch (error) {
    if (!(error instanceof InvalidArgumentError)) throw error;
    throw refusal(key, text, error.message.replace(/\.$/, ''));
  }
}

/** Each limit comes from the first source that has it. */
function limitsOf(
  command: Command,
  sources: readonly Source[],
  origins: Map<string, Origin>,
): string[] {
  const isOwn = command.getOptionValueSource('limit') === 'cli';
  const own: readonly string[] = isOwn ? command.getOptionValue('limit') : [];
  origins.set('limit', isOwn ? COMMAND_LINE : DEFAULT);
  const all: (readonly [Origin, readonly string[]])[] = [[COMMAND_LINE, own]];
  for (const { given, origin } of sources) {
    const limits = given.get('limit') ?? [];
    try {
      parseLimits(limits);
    } catch (error) {
      if (!(error instanceof LimitError)) throw error;
      throw usage(`${origin('limit')}: ${lowered(error.message)}`);
    }
    all.push([origin('limit'), limits]);
  }
  return all.flatMap(([origin, limits]) =>
    limits.filter((limit) => {
      const key = `limit.${limit.split('=', 1)[0]}`;
      const earlier = origins.get(key) ?? origin;
      origins.set(key, earlier);
      return earlier === origin;
    }),
  );
}
