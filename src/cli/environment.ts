/** Options of `mondo serve` from variables, such as MONDO_MAX_THREADS for `--max-threads`. */
import type { Given } from './config-file.ts';
import { nearest } from './nearest.ts';

const PREFIX = 'MONDO_';

/** The variable for an option's key. */
export const variableOf = (key: string): string =>
  `${PREFIX}${key.replaceAll('-', '_').toUpperCase()}`;

/** Between two limits. Networks have commas between them too: `idle=5s,allow=10.0.0.0/8,::1/128`. */
const BETWEEN_LIMITS = /,(?=[a-z-]+=)/;

/**
 * Reads the variables of the given options. An empty variable counts as none. Other variables with this prefix belong
 * to other commands or programs, so they are no error.
 *
 * @param keys of the options
 * @returns the texts by key, and a warning for each variable that it ignores and that may be a mistake
 */
export function environmentOf(
  environment: Readonly<Record<string, string | undefined>>,
  keys: readonly string[],
): { readonly given: Given; readonly warnings: readonly string[] } {
  const keyOfVariable = new Map(
    ['architecture', 'host', ...keys].map((key) => [variableOf(key), key] as const),
  );
  const given = new Map<string, readonly string[]>();
  const warnings: string[] = [];
  for (const [name, value = ''] of Object.entries(environment)) {
    if (!name.startsWith(PREFIX) || value === '') continue;
    const key = keyOfVariable.get(name);
    if (key === undefined) {
      const near = nearest(name.slice(PREFIX.length), [...keyOfVariable.keys()].map(unprefixed));
      if (near !== undefined) warnings.push(`Ignored ${name}: do you mean ${PREFIX}${near}?`);
    } else if (key === 'port' && /^\w+:\/\//.test(value)) {
      // Kubernetes sets it in each container if a Service has the name "mondo".
      warnings.push(
        `Ignored ${name}=${value}: it is the address of a Service of Kubernetes; give the port as --port or in the file`,
      );
    } else given.set(key, key === 'limit' ? value.split(BETWEEN_LIMITS) : [value]);
  }
  return { given, warnings };
}

const unprefixed = (name: string) => name.slice(PREFIX.length);
