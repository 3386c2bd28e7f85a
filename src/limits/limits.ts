/**
 * The limits of a server as data: one set for all architectures, its defaults, and its text form. admission.ts
 * applies the limits on accepting, and the conversation applies the limits inside a connection.
 */
import { LimitError } from './errors.ts';
import { parseNetwork } from './networks.ts';
import { MS_IN } from './units.ts';

/**
 * Times are in ms and sizes in bytes; 0 and [] switch a limit off.
 *
 * @example
 * ```ts
 * import { type Limits, serve } from 'mondo';
 *
 * const limits: Partial<Limits> = { idle: 5000, questionSize: 1024, deny: ['10.0.0.0/8'] };
 * const server = await serve({ architecture: 'epoll', port: 0, limits });
 * console.log(server.counts());
 * await server.close();
 * ```
 */
export interface Limits {
  /** Connections of all threads and processes together; 0: as many as there are descriptors for. */
  readonly connections: number;
  /** Connections of one address; on IPv6, of one /64. */
  readonly connectionsPerAddress: number;
  /** How often one address may connect per second. As many may come at once. */
  readonly acceptsPerSecond: number;
  /** Time between questions. */
  readonly idle: number;
  /** Time to finish a question, from its first byte. */
  readonly questionTime: number;
  /** Time to take an answer. */
  readonly answerTime: number;
  readonly questionSize: number;
  /** Answer bytes that a peer has not taken, for one connection … */
  readonly unsent: number;
  /** … and for all. */
  readonly unsentTotal: number;
  /** Questions per connection. */
  readonly questions: number;
  /** Age of a connection. */
  readonly age: number;
  /**
   * A connection may reach its age earlier by a random time up to this one. Otherwise clients that came together leave
   * together, and come together again.
   */
  readonly ageJitter: number;
  /** Time for the header of a proxy to be complete. Only for a server with the option `proxy`. */
  readonly proxyHeader: number;
  /** Networks as CIDR. If any is given, the server refuses every address outside of them. */
  readonly allow: readonly string[];
  /** Networks as CIDR. The server refuses their addresses even if `allow` contains them. */
  readonly deny: readonly string[];
}

export const defaultLimits: Limits = {
  connections: 0,
  connectionsPerAddress: 0,
  acceptsPerSecond: 0,
  idle: 60_000,
  questionTime: 10_000,
  answerTime: 10_000,
  questionSize: 4096,
  unsent: 65_536,
  unsentTotal: 67_108_864,
  questions: 0,
  age: 0,
  ageJitter: 0,
  // At least one lost segment must have time to come again (PROXY protocol, section 3).
  proxyHeader: 3000,
  allow: [],
  deny: [],
};

/** Value of `connections` for no limit, because 0 means the number of descriptors. */
export const UNBOUNDED = 2 ** 31 - 1;

/** No limit at all, not even the number of descriptors: for a server without limits. */
export const noLimits: Limits = {
  ...defaultLimits,
  connections: UNBOUNDED,
  idle: 0,
  questionTime: 0,
  answerTime: 0,
  questionSize: 0,
  unsent: 0,
  unsentTotal: 0,
  proxyHeader: 0,
};

type Kind = 'count' | 'duration' | 'size' | 'networks';

const kinds: Readonly<Record<keyof Limits, Kind>> = {
  connections: 'count',
  connectionsPerAddress: 'count',
  acceptsPerSecond: 'count',
  idle: 'duration',
  questionTime: 'duration',
  answerTime: 'duration',
  questionSize: 'size',
  unsent: 'size',
  unsentTotal: 'size',
  questions: 'count',
  age: 'duration',
  ageJitter: 'duration',
  proxyHeader: 'duration',
  allow: 'networks',
  deny: 'networks',
};

const names = Object.keys(kinds) as (keyof Limits)[];
const isName = (name: string): name is keyof Limits => Object.hasOwn(kinds, name);

/** The name as the command spells it: `question-time`. */
const kebab = (name: string) => name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
const nameOf = new Map(names.map((name) => [kebab(name), name]));

/** The largest values: timers take no longer time, and the tables of the admission count no further. */
const most: Readonly<Record<Exclude<Kind, 'networks'>, number>> = {
  count: UNBOUNDED,
  duration: 2 ** 31 - 1,
  size: 2 ** 40,
};
/** The clock of rates has 62,500 ticks per second. A larger rate would be too inexact. */
const MOST_PER_SECOND = 10_000;

const mostOf = (name: keyof Limits, kind: Exclude<Kind, 'networks'>) =>
  name === 'acceptsPerSecond' ? MOST_PER_SECOND : most[kind];

const units: Readonly<Record<Exclude<Kind, 'networks'>, Readonly<Record<string, number>>>> = {
  count: { '': 1 },
  duration: { ms: MS_IN.ms, s: MS_IN.s, m: MS_IN.m, h: MS_IN.h },
  size: { '': 1, KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30 },
};

const wanted: Readonly<Record<Kind, string>> = {
  count: 'a whole number',
  duration: 'a time such as 500ms, 10s or 2m',
  size: 'a size such as 4096, 64KiB or 1MiB',
  networks: 'networks such as 10.0.0.0/8 or 2001:db8::/32',
};

/** A limit as the command writes it: `30s`, `64KiB`. */
function valueText(name: keyof Limits): string {
  const value = defaultLimits[name];
  if (typeof value !== 'number' || value === 0) return 'off';
  const kind = kinds[name];
  if (kind === 'duration') return `${value / 1000}s`;
  if (kind !== 'size') return String(value);
  return value % 2 ** 20 === 0 ? `${value / 2 ** 20}MiB` : `${value / 2 ** 10}KiB`;
}

/** All limits: the name, the command's word for it, and its default as the command writes it. */
export const limitDefaults = (): (readonly [keyof Limits, word: string, value: string])[] =>
  names.map((name) => [
    name,
    kebab(name),
    name === 'connections' ? 'as many as descriptors allow' : valueText(name),
  ]);

type Setting = { readonly name: keyof Limits; readonly value: number | readonly string[] };

/** Parses one limit as the command takes it: `idle=30s`. @throws LimitError */
export function parseLimit(text: string): Setting {
  const [, word = '', value = ''] = /^([^=]*)=(.*)$/s.exec(text) ?? [];
  if (word === '') {
    throw new LimitError(`Cannot read limit "${text}": give name=value, such as idle=30s`);
  }
  const name = nameOf.get(word);
  if (name === undefined) throw unknown(word, [...nameOf.keys()]);
  const kind = kinds[name];
  if (kind === 'networks') return { name, value: networksIn(word, value) };
  if (value === 'off') return { name, value: name === 'connections' ? UNBOUNDED : 0 };
  return { name, value: numberIn(name, kind, value) };
}

/**
 * Parses a list of `name=value` to the limits that it names. If a name is given twice, the last value counts;
 * networks add up until an `off`. @throws LimitError
 */
export function parseLimits(list: readonly string[]): Partial<Limits> {
  const limits: Record<string, number | readonly string[]> = {};
  for (const text of list) {
    const { name, value } = parseLimit(text);
    const earlier = limits[name];
    limits[name] =
      typeof value === 'object' && value.length > 0 && typeof earlier === 'object'
        ? [...earlier, ...value]
        : value;
  }
  return limits as Partial<Limits>;
}

/** Returns the whole set, with defaults for limits that are not given. @throws LimitError */
export function checkLimits(given: { readonly [Name in keyof Limits]?: Limits[Name] | undefined }) {
  const limits: Record<string, unknown> = { ...defaultLimits };
  for (const [name, value] of Object.entries(given)) {
    if (!isName(name)) throw unknown(name, names);
    if (value === undefined) continue;
    limits[name] = checked(name, value);
  }
  return limits as unknown as Limits;
}

function checked(name: keyof Limits, value: unknown): number | readonly string[] {
  const kind = kinds[name];
  if (kind === 'networks') {
    if (!Array.isArray(value)) {
      throw new LimitError(`Cannot use ${shown(value)} as limit ${name}: give a list of networks`);
    }
    for (const network of value) parseNetwork(String(network));
    return value.map(String);
  }
  const greatest = mostOf(name, kind);
  if (Number.isInteger(value) && (value as number) >= 0 && (value as number) <= greatest) {
    return value as number;
  }
  const unit = { count: '', duration: ' of ms', size: ' of bytes' }[kind];
  throw new LimitError(
    `Cannot use ${shown(value)} as limit ${name}: give a whole number${unit} from 0 to ${greatest}, 0 for off`,
  );
}

const shown = (value: unknown) =>
  typeof value === 'number' ? String(value) : `"${String(value)}"`;

function numberIn(name: keyof Limits, kind: Exclude<Kind, 'networks'>, text: string): number {
  const [, digits, unit = ''] = /^(\d{1,15}(?:\.\d{1,6})?)([A-Za-z]*)$/.exec(text) ?? [];
  const factor = Object.hasOwn(units[kind], unit) ? units[kind][unit] : undefined;
  const greatest = mostOf(name, kind);
  if (digits !== undefined && factor !== undefined) {
    // Round off only the error of binary fractions, as in 1.1 × 1,000.
    const number = Number(digits) * factor;
    const whole = Math.round(number);
    const isWhole = Math.abs(number - whole) < 1e-6;
    if (isWhole && whole > 0 && whole <= greatest) return whole;
    if (whole > greatest) {
      throw new LimitError(`Cannot use "${text}" as limit ${kebab(name)}: the most is ${greatest}`);
    }
  }
  throw new LimitError(
    `Cannot use "${text}" as limit ${kebab(name)}: give ${wanted[kind]}, or off`,
  );
}

function networksIn(word: string, text: string): readonly string[] {
  if (text === 'off') return [];
  const networks = text.split(',').map((part) => part.trim());
  if (networks.includes('')) {
    throw new LimitError(`Cannot use "${text}" as limit ${word}: give ${wanted.networks}, or off`);
  }
  for (const network of networks) parseNetwork(network);
  return networks;
}

const unknown = (name: string, all: readonly string[]) =>
  new LimitError(`There is no limit "${name}"; there are ${all.join(', ')}`);
