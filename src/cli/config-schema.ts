/** The JSON Schema of a configuration, made from the options of the command, so that no option can be missing. */
import { type Command, InvalidArgumentError, type Option } from 'commander';
import { architectureNames } from '../architectures/catalogue.ts';
import { LimitError } from '../limits/errors.ts';
import { defaultLimits, limitDefaults, parseLimit } from '../limits/limits.ts';
import { optionDescription } from './help.ts';
import { collect } from './words.ts';

export interface Schema {
  readonly $schema?: string;
  readonly title?: string;
  readonly description?: string;
  readonly type?: string | readonly string[];
  readonly enum?: readonly string[];
  readonly minimum?: number;
  readonly items?: Schema;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly additionalProperties?: false;
}

/** The key of an option in a file: its long name. */
export const keyOf = ({ long }: Pick<Option, 'long'>): string => long!.slice(2);

/** The file itself, and options that `mondo config` and `mondo unit` have besides those of `mondo serve`. */
const NOT_IN_FILE: ReadonlySet<string> = new Set([
  ...['config', 'check', 'show', 'schema'],
  ...['name', 'write', 'per-connection'],
]);

/** The options that a configuration can have. */
export const configurable = ({ options }: Command): readonly Option[] =>
  options.filter((option) => !NOT_IN_FILE.has(keyOf(option)));

/** True for an option that the command line can have several times. */
export const isRepeated = ({ parseArg }: Option): boolean => parseArg === collect;

/** @param serve the command `mondo serve` */
export function configSchema(serve: Command): Schema {
  const options = configurable(serve).map((option) => [keyOf(option), schemaOf(option)] as const);
  return {
    $schema: 'http://json-schema.org/draft-07/schema#',
    title: 'Configuration of mondo serve',
    type: 'object',
    additionalProperties: false,
    properties: {
      $schema: { type: 'string', description: 'the address of this schema, for editors' },
      architecture: {
        enum: ['fastest', ...architectureNames],
        description: 'which one serves (default: fastest)',
      },
      host: {
        type: 'string',
        description: 'where to listen: a name, an address, "" for all interfaces, or unix:PATH',
      },
      ...Object.fromEntries(options),
    },
  };
}

function schemaOf(option: Option): Schema {
  const description = optionDescription(option);
  if (keyOf(option) === 'limit') return limitsSchema();
  if (option.isBoolean()) return { type: 'boolean', description };
  if (option.argChoices !== undefined) return { enum: option.argChoices, description };
  if (isRepeated(option)) return { type: ['string', 'array'], items: TEXT, description };
  const takes = (text: string) => doesTake(() => option.parseArg?.(text, undefined as never));
  if (takes('x')) return { type: 'string', description };
  const type = takes('7s') ? ['string', 'integer'] : 'integer';
  return { type, minimum: 0, description };
}

function doesTake(parse: () => unknown): boolean {
  try {
    parse();
    return true;
  } catch (error) {
    if (error instanceof InvalidArgumentError || error instanceof LimitError) return false;
    throw error;
  }
}

const TEXT: Schema = { type: 'string' };

const limitsSchema = (): Schema => ({
  type: 'object',
  description: 'limits by name; "off" removes one',
  additionalProperties: false,
  properties: Object.fromEntries(
    limitDefaults().map(([name, word, usual]) => {
      const description = `as --limit ${word}=… (default: ${usual})`;
      if (Array.isArray(defaultLimits[name])) {
        return [word, { type: ['string', 'array'], items: TEXT, description }];
      }
      if (!doesTake(() => parseLimit(`${word}=7`))) return [word, { type: 'string', description }];
      return [word, { type: ['string', 'integer'], minimum: 1, description }];
    }),
  ),
});

/** What a value of this schema is, in words. */
export function allowedBy({ enum: words, type = [], minimum = 0 }: Schema): string {
  if (words !== undefined) return words.map((word) => `"${word}"`).join(', ');
  const names: Readonly<Record<string, string>> = {
    boolean: 'true or false',
    integer: `a whole number from ${minimum}`,
    string: 'a text in quotation marks',
    object: 'a table',
    array: 'a list of texts',
  };
  return [type]
    .flat()
    .map((name) => names[name] ?? name)
    .join(' or ');
}
