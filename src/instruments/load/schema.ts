/**
 * Declares every field of a plan once: its default, its allowed values, and its command-line
 * option. The defaults, the checks of plan files, and the options of `mondo load` with their help
 * come from this table.
 */
import { ServeError } from '../../host/errors.ts';
import { unknownOption } from '../../host/known-options.ts';
import { type Check, listOf, numberFrom, oneOf, text } from './check.ts';
import type { Exchange, LoadPlan } from './plan.ts';
import {
  exchanges,
  framing,
  LONGEST_MS,
  MOST_CONNECTIONS,
  rate,
  shard,
  stage,
} from './plan-shapes.ts';
import {
  parseFraming,
  parseQuestions,
  parseRate,
  parseShard,
  parseStartAt,
  parseTime,
} from './plan-words.ts';
import { shardOf } from './shard-auto.ts';

/** What an option's parser may use. */
interface Reading {
  /** In ms since 1970. */
  readonly now: number;
  /** Reads a file that the option names. */
  readonly read: (file: string) => string;
  /** The environment variables, in which a scheduler says which shard this process is. */
  readonly variables: Readonly<Record<string, string | undefined>>;
}

/** An option of the command line. */
export interface PlanOption {
  /** In the syntax of commander: `-c, --connections <n>`. */
  readonly flags: string;
  readonly help: string;
  /** The allowed words, if the option takes only some. */
  readonly choices?: readonly string[];
  /**
   * Parses the words; the check of the field follows.
   *
   * @param where name of the option, for errors
   */
  readonly parse: (words: string, where: string, reading: Reading) => unknown;
}

interface Part<T> {
  /** The default; undefined if the field is optional. */
  readonly usual: T;
  readonly check: Check<NonNullable<T>>;
  readonly option?: PlanOption;
}

/** Words that are not a whole number are passed on as text, so that the check refuses them. */
const whole = (words: string): unknown => (/^\d+$/.test(words) ? Number(words) : words);
const asIs = (words: string): unknown => words;

const milliseconds = (least: number) => numberFrom(least, LONGEST_MS, false);

const withUsual = (help: string, usual: string): string => `${help} (default: ${usual})`;

/** A time in ms, from `least` to one day, with its option. */
const timed = (usual: number, least: number, flags: string, help: string): Part<number> => ({
  usual,
  check: milliseconds(least),
  option: {
    flags,
    help: withUsual(
      help,
      usual === 0 ? '0' : usual % 1000 === 0 ? `${usual / 1000}s` : `${usual}ms`,
    ),
    parse: (words, where) => parseTime(words, where, 'ms', least),
  },
});

/** One of several words, with its option. */
const chosen = <T extends string>(
  usual: T,
  all: readonly T[],
  flags: string,
  help: string,
): Part<T> => ({
  usual,
  check: oneOf(...all),
  option: { flags, help: withUsual(help, usual), choices: all, parse: asIs },
});

/** A whole number, with its option. @param none what 0 means, if that is the default */
const counted = (
  usual: number,
  [least, most]: readonly [number, number],
  flags: string,
  help: string,
  none = '0',
): Part<number> => ({
  usual,
  check: numberFrom(least, most),
  option: { flags, help: withUsual(help, usual === 0 ? none : String(usual)), parse: whole },
});

/** The Zen questions. Three of the eight ask the first aphorism; one is unknown to the server. */
const zen: readonly Exchange[] = [
  { question: 'Beautiful is better than?', answer: 'Ugly.' },
  { question: 'Explicit is better than?', answer: 'Implicit.' },
  { question: 'Simple is better than?', answer: 'Complex.' },
  { question: 'Beautiful is better than?', answer: 'Ugly.' },
  { question: 'Explicit is better than?', answer: 'Implicit.' },
  { question: 'Simple is better than?', answer: 'Complex.' },
  { question: 'Beautiful is better than?', answer: 'Ugly.' },
  { question: 'Ugly is better than?', answer: 'Error: unknown aphorism.' },
];

/**
 * In the order of the help. The default plan is a closed loop of 64 connections: 2 s of warm-up,
 * then 10 s.
 */
const parts: { readonly [K in keyof LoadPlan]-?: Part<LoadPlan[K]> } = {
  host: { usual: '127.0.0.1', check: text },
  port: counted(1060, [0, 65_535], '-p, --port <port>', 'TCP port of the server'),
  connections: counted(
    64,
    [1, MOST_CONNECTIONS],
    '-c, --connections <n>',
    'connections that ask at the same time',
  ),
  loop: { usual: 'closed', check: oneOf('closed', 'open') },
  stages: {
    usual: [
      { kind: 'warm-up', seconds: 2 },
      { kind: 'steady', seconds: 10 },
    ],
    check: listOf(stage, 'stages'),
  },
  arrivals: {
    usual: 'even',
    check: oneOf('even', 'poisson'),
    option: {
      flags: '--poisson',
      help: 'open loop: ask at random times with that mean rate, as independent users do (default: at even intervals)',
      parse: () => 'poisson',
    },
  },
  pipeline: counted(
    1,
    [1, 65_536],
    '--pipeline <n>',
    'questions that a connection may have sent before the first of them is answered',
  ),
  questionsPerConnection: counted(
    0,
    [0, Number.MAX_SAFE_INTEGER],
    '--questions-per-connection <n>',
    'close a connection after this many answers and open it again; 1: a new connection for each question',
    'never',
  ),
  think: timed(
    0,
    0,
    '--think <time>',
    'closed loop: pause of a connection after each answer, such as 5ms',
  ),
  thinkHow: chosen(
    'constant',
    ['constant', 'exponential'],
    '--think-how <how>',
    'constant: all pauses are equally long; exponential: random, with --think as the mean',
  ),
  connectRate: {
    usual: 0,
    check: rate,
    option: {
      flags: '--connect-rate <n>',
      help: 'open at most this many connections per second (default: no limit)',
      parse: parseRate,
    },
  },
  timeout: timed(
    10_000,
    1,
    '--timeout <time>',
    'give up a question that has no answer after this time',
  ),
  connectTimeout: timed(
    5000,
    1,
    '--connect-timeout <time>',
    'give up an attempt to connect after this time',
  ),
  deadline: timed(
    10_000,
    0.001,
    '--deadline <time>',
    'count a right answer as late after this time',
  ),
  grace: timed(2000, 0, '--grace <time>', 'at the end, wait this long for missing answers'),
  exchanges: {
    usual: zen,
    check: exchanges,
    option: {
      flags: '--questions <file>',
      help: 'questions to ask and answers to expect, see below (default: the Zen questions)',
      parse: (file, _where, { read }) => parseQuestions(read(file), file),
    },
  },
  framing: {
    usual: { kind: 'delimiter', answerEnd: '.' },
    check: framing,
    option: {
      flags: '--framing <form>',
      help: 'how an answer ends. delimiter:END: with this text, such as delimiter:!; line: with a line end, as each question does; length:1, length:2, length:4: after its length in 1, 2 or 4 bytes, as each question does (default: delimiter:.)',
      parse: parseFraming,
    },
  },
  seed: counted(1, [0, 2 ** 32 - 1], '--seed <n>', 'seed of all that is random'),
  shard: {
    usual: { index: 1, of: 1 },
    check: shard,
    option: {
      flags: '--shard <i/n>',
      help: 'ask only shard i of n of this load: the others run on other machines. auto: the scheduler says which (Indexed Job, Slurm, MPI, Nomad, GNU parallel) (default: 1/1)',
      parse: (words, _where, { variables }) =>
        words === 'auto' ? shardOf(variables).shard : parseShard(words),
    },
  },
  startAt: {
    usual: undefined,
    check: numberFrom(0, Number.MAX_SAFE_INTEGER, false),
    option: {
      flags: '--start-at <time>',
      help: 'when to begin: 2030-01-31T12:00:00Z, seconds since 1970, or +10s (default: at once)',
      parse: (words, _where, { now }) => parseStartAt(words, now),
    },
  },
  pid: counted(
    0,
    [0, 2 ** 31 - 1],
    '--pid <pid>',
    'process ID of a server on this machine: also measure its CPU, memory and context switches',
    'none',
  ),
  engine: chosen(
    'auto',
    ['auto', 'uring', 'epoll'],
    '--engine <engine>',
    'how the load itself waits: uring, epoll, or auto: uring if this machine has io_uring',
  ),
  maxLag: timed(
    10,
    0.001,
    '--max-lag <time>',
    'do not trust a run whose own questions leave later than this after they were due (p99)',
  ),
};

type Checks = { readonly [K in keyof LoadPlan]-?: Check<NonNullable<LoadPlan[K]>> };

const each = <T>(of: (part: Part<unknown>, key: string) => T | undefined) =>
  Object.fromEntries(
    Object.entries(parts)
      .map(([key, part]) => [key, of(part as Part<unknown>, key)] as const)
      .filter(([, value]) => value !== undefined),
  );

/** The check of each field. */
export const checks = each(({ check }) => check) as Checks;

const usual = each((part) => part.usual) as unknown as LoadPlan;

/**
 * Completes a plan with the defaults.
 *
 * @throws ServeError if a field is unknown
 *
 * @example
 * ```ts
 * import { planOf } from 'mondo';
 *
 * const plan = planOf({ host: '127.0.0.1', connections: 100 });
 * console.log(plan.timeout, plan.stages);
 * ```
 */
export function planOf(given: Partial<LoadPlan>): LoadPlan {
  const fault = unknownOption('A load plan', given, Object.keys(parts));
  if (fault !== undefined) throw new ServeError('usage', fault);
  return { ...usual, ...given };
}

/** The options of all fields, in the order of the help. */
export const planOptions: readonly PlanOption[] = Object.values(
  each(({ option }) => option),
) as readonly PlanOption[];

/**
 * Reads the plan fields that the command line gives. Each is checked as in a file; errors name the
 * option.
 *
 * @param words returns the words of an option, or undefined if it was not given
 * @throws ServeError
 */
export function planGiven(
  words: (option: PlanOption) => string | undefined,
  reading: Reading,
): Partial<LoadPlan> {
  return each(({ option, check }) => {
    const given = option === undefined ? undefined : words(option);
    if (given === undefined) return undefined;
    const [where = ''] = /--[\w-]+/.exec(option!.flags) ?? [];
    return check(option!.parse(given, where, reading), where);
  }) as Partial<LoadPlan>;
}
