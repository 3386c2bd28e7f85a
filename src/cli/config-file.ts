/** Reads a configuration file. Only this file needs the parsers of TOML and JSON Schema, so others import it late. */
import { readFileSync } from 'node:fs';
import { Ajv, type ErrorObject } from 'ajv';
import type { Command } from 'commander';
import { parse, TomlError } from 'smol-toml';
import { ServeError } from '../host/errors.ts';
import { allowedBy, configSchema, type Schema } from './config-schema.ts';
import { nearest } from './nearest.ts';

const usage = (text: string, cause?: unknown) => new ServeError('usage', text, { cause });

/** Texts of options, by key, as a command line has them. A limit is `name=value`. */
export type Given = ReadonlyMap<string, readonly string[]>;

/**
 * Reads a configuration: JSON if the name of the file ends in `.json`, else TOML.
 *
 * @param serve has the options that there are
 * @throws ServeError that names the file, the place in it, the value, and what is allowed there
 */
export function readConfiguration(file: string, serve: Command): Given {
  const data = dataOf(file);
  const ajv = new Ajv({ verbose: true, allowUnionTypes: true });
  const validate = ajv.compile(configSchema(serve));
  if (!validate(data)) throw usage(`${file}: ${faultOf(validate.errors![0]!)}`);
  const given = new Map<string, readonly string[]>();
  for (const [key, value] of Object.entries(data as Record<string, unknown>)) {
    if (key === 'limit') given.set(key, Object.entries(value as object).map(limitText));
    else if (key !== '$schema') given.set(key, [value].flat().map(String));
  }
  return given;
}

/** A limit as on the command line. An empty list of networks switches the limit off. */
function limitText([name, value]: readonly [string, unknown]): string {
  const text = Array.isArray(value) ? value.join(',') || 'off' : String(value);
  return `${name}=${text}`;
}

function dataOf(file: string): unknown {
  const isJson = file.endsWith('.json');
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw usage(`${file}: cannot read it: ${code}; name a file that you may read`, error);
  }
  try {
    return isJson ? JSON.parse(text) : parse(text);
  } catch (error) {
    if (error instanceof TomlError) {
      const [what] = error.message.replace(/^Invalid TOML document: /, '').split('\n');
      throw usage(`${file}:${error.line}:${error.column}: this is not TOML: ${what}`, error);
    }
    throw usage(`${file}${placeIn(text, error as Error)}: this is not JSON`, error);
  }
}

/** The line and column of a fault in JSON. V8 gives its position, except at the end of the text. */
function placeIn(text: string, { message }: Error): string {
  const [, position] = /at position (\d+)/.exec(message) ?? [];
  const lines = text.slice(0, position === undefined ? undefined : Number(position)).split('\n');
  return `:${lines.length}:${lines.at(-1)!.length + 1}`;
}

function faultOf({ instancePath, keyword, params, parentSchema, data }: ErrorObject): string {
  const place = instancePath.slice(1).replaceAll('/', '.');
  if (keyword !== 'additionalProperties') {
    const value = typeof data === 'number' ? String(data) : JSON.stringify(data);
    const what = place === '' ? 'the configuration' : `"${place}"`;
    return `cannot use ${value} as ${what}: give ${allowedBy(parentSchema as Schema)}`;
  }
  const { additionalProperty: key } = params as { additionalProperty: string };
  const known = Object.keys((parentSchema as Schema).properties!);
  const near = nearest(key, known);
  const hint = near === undefined ? `there are ${known.join(', ')}` : `do you mean "${near}"?`;
  return `there is no key "${place === '' ? '' : `${place}.`}${key}"; ${hint}`;
}
