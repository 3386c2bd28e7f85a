/**
 * Checks for values from a file or a command line. Each error quotes the refused value and says
 * what to give instead.
 */
import { ServeError } from '../../host/errors.ts';

/** Throws the error for a refused value. `where` names the field or option. */
export function refuse(where: string, value: unknown, instead: string): never {
  const shown = typeof value === 'string' ? value : JSON.stringify(value);
  throw new ServeError('usage', `${where} is "${shown ?? 'nothing'}"; give ${instead}`);
}

/** Returns the value, or throws a `ServeError`. `where` names the field or option. */
export type Check<T> = (value: unknown, where: string) => T;

export const numberFrom =
  (least: number, most: number, isWhole = true): Check<number> =>
  (value, where) => {
    const fits = typeof value === 'number' && value >= least && value <= most;
    if (fits && (!isWhole || Number.isInteger(value))) return value;
    return refuse(where, value, `a ${isWhole ? 'whole ' : ''}number from ${least} to ${most}`);
  };

export const oneOf =
  <T extends string>(...all: readonly T[]): Check<T> =>
  (value, where) => {
    const found = all.find((one) => one === value);
    return found ?? refuse(where, value, all.join(', ').replace(/, ([^,]+)$/, ' or $1'));
  };

export const text: Check<string> = (value, where) =>
  typeof value === 'string' && value !== '' ? value : refuse(where, value, 'some text');

export const listOf =
  <T>(check: Check<T>, what: string): Check<readonly T[]> =>
  (value, where) => {
    if (!Array.isArray(value) || value.length === 0) refuse(where, value, `a list of ${what}`);
    return value.map((one, i) => check(one, `${where}, number ${i + 1},`));
  };

/** An object with only these fields. The `needed` ones are required. */
export function fields<T>(
  checks: { readonly [K in keyof T]-?: Check<NonNullable<T[K]>> },
  needed: readonly (keyof T)[],
): Check<T> {
  const known = Object.keys(checks) as (keyof T & string)[];
  return (value, where) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      refuse(where, value, `an object with ${known.join(', ')}`);
    }
    const given = value as Record<string, unknown>;
    const stranger = Object.keys(given).find((key) => !known.includes(key as keyof T & string));
    if (stranger !== undefined) {
      throw new ServeError('usage', `${where} has no "${stranger}"; there are ${known.join(', ')}`);
    }
    const missing = needed.find((key) => given[key as string] === undefined);
    if (missing !== undefined) {
      throw new ServeError('usage', `${where} needs "${String(missing)}"`);
    }
    const result: Partial<T> = {};
    for (const key of known) {
      if (given[key] !== undefined) result[key] = checks[key](given[key], `${where}: "${key}"`);
    }
    return result as T;
  };
}

export const flag: Check<boolean> = (value, where) =>
  typeof value === 'boolean' ? value : refuse(where, value, 'true or false');

/** Text, possibly empty. */
export const anyText: Check<string> = (value, where) =>
  typeof value === 'string' ? value : refuse(where, value, 'text');

export const orNull =
  <T>(check: Check<T>): Check<T | null> =>
  (value, where) =>
    value === null ? null : check(value, where);
