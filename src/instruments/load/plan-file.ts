/** Plans and questions as people write them: files and words of a command line, checked, and told of in one line where they make no sense. */
import { ServeError } from '../../host/errors.ts';
import { type Exchange, type Framing, type LoadPlan, planOf, type Stage } from './plan.ts';

/** A day; `setTimeout` takes no more than 24 of them. */
const LONGEST_MS = 86_400_000;
const LONGEST_SECONDS = 86_400;
const MOST_CONNECTIONS = 1_000_000;
const MOST_RATE = 10_000_000;
const KINDS: readonly Stage['kind'][] = ['warm-up', 'steady', 'ramp', 'step', 'spike'];

/** Complains of a value: `where` says whose it is. */
function refuse(where: string, value: unknown, instead: string): never {
  const shown = typeof value === 'string' ? value : JSON.stringify(value);
  throw new ServeError('usage', `${where} is "${shown ?? 'nothing'}"; give ${instead}`);
}

type Check<T> = (value: unknown, where: string) => T;

const numberFrom =
  (least: number, most: number, isWhole = true): Check<number> =>
  (value, where) => {
    const fits = typeof value === 'number' && value >= least && value <= most;
    if (fits && (!isWhole || Number.isInteger(value))) return value;
    return refuse(where, value, `a ${isWhole ? 'whole ' : ''}number from ${least} to ${most}`);
  };

const oneOf =
  <T extends string>(...all: readonly T[]): Check<T> =>
  (value, where) => {
    const found = all.find((one) => one === value);
    return found ?? refuse(where, value, all.join(', ').replace(/, ([^,]+)$/, ' or $1'));
  };

const text: Check<string> = (value, where) =>
  typeof value === 'string' && value !== '' ? value : refuse(where, value, 'some text');

const listOf =
  <T>(check: Check<T>, what: string): Check<readonly T[]> =>
  (value, where) => {
    if (!Array.isArray(value) || value.length === 0) refuse(where, value, `a list of ${what}`);
    return value.map((one, i) => check(one, `${where}, number ${i + 1},`));
  };

/** An object with these fields and no others; those that are `needed` have to be there. */
function fields<T>(
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

const rate = numberFrom(0, MOST_RATE, false);

const stage = fields<Stage>(
  {
    kind: oneOf(...KINDS),
    seconds: numberFrom(0.001, LONGEST_SECONDS, false),
    from: rate,
    to: rate,
  },
  ['kind', 'seconds'],
);

const framing: Check<Framing> = (value, where) => {
  const kind = (value as { kind?: unknown } | null)?.kind;
  switch (kind) {
    case 'delimiter':
      return fields<Extract<Framing, { kind: 'delimiter' }>>(
        { kind: oneOf('delimiter'), answerEnd: text },
        ['kind', 'answerEnd'],
      )(value, where);
    case 'line':
      return fields<Extract<Framing, { kind: 'line' }>>({ kind: oneOf('line') }, ['kind'])(
        value,
        where,
      );
    case 'length': {
      const bytes: Check<1 | 2 | 4> = (one, at) =>
        one === 1 || one === 2 || one === 4 ? one : refuse(at, one, '1, 2 or 4');
      return fields<Extract<Framing, { kind: 'length' }>>({ kind: oneOf('length'), bytes }, [
        'kind',
        'bytes',
      ])(value, where);
    }
    default:
      return refuse(where, value, 'an object whose kind is delimiter, line or length');
  }
};

const exchange = fields<Exchange>(
  {
    question: text,
    answer: (value, where) => (typeof value === 'string' ? value : refuse(where, value, 'text')),
    base64: (value, where) =>
      typeof value === 'boolean' ? value : refuse(where, value, 'true or false'),
  },
  ['question'],
);
const exchanges = listOf(exchange, 'objects with question and answer');

const milliseconds = (least: number) => numberFrom(least, LONGEST_MS, false);
const flags: { readonly [K in keyof LoadPlan]-?: Check<NonNullable<LoadPlan[K]>> } = {
  host: text,
  port: numberFrom(0, 65_535),
  loop: oneOf('closed', 'open'),
  connections: numberFrom(1, MOST_CONNECTIONS),
  pipeline: numberFrom(1, 65_536),
  arrivals: oneOf('even', 'poisson'),
  stages: listOf(stage, 'stages'),
  questionsPerConnection: numberFrom(0, Number.MAX_SAFE_INTEGER),
  think: milliseconds(0),
  thinkHow: oneOf('constant', 'exponential'),
  connectRate: rate,
  connectTimeout: milliseconds(1),
  timeout: milliseconds(1),
  grace: milliseconds(0),
  deadline: milliseconds(0.001),
  framing,
  exchanges,
  seed: numberFrom(0, 2 ** 32 - 1),
  shard: (value, where) =>
    checkShard(
      fields<LoadPlan['shard']>({ index: numberFrom(1, 1e6), of: numberFrom(1, 1e6) }, [
        'index',
        'of',
      ])(value, where),
      where,
    ),
  startAt: numberFrom(0, Number.MAX_SAFE_INTEGER, false),
  maxLag: milliseconds(0.001),
  engine: oneOf('auto', 'uring', 'epoll'),
  pid: numberFrom(0, 2 ** 31 - 1),
};

function checkShard(shard: LoadPlan['shard'], where: string): LoadPlan['shard'] {
  if (shard.index <= shard.of) return shard;
  return refuse(
    where,
    `${shard.index}/${shard.of}`,
    `one from 1/${shard.of} to ${shard.of}/${shard.of}`,
  );
}

const planFields = fields<LoadPlan>(flags, []);

/** @throws ServeError with the name of the file in it */
function parseJson(content: string, name: string): unknown {
  try {
    return JSON.parse(content);
  } catch (error) {
    throw new ServeError('usage', `"${name}" is no JSON: ${(error as Error).message}`, {
      cause: error,
    });
  }
}

/**
 * A plan file: a JSON object with any of the fields of `LoadPlan`.
 *
 * @throws ServeError for what it may not have
 */
export const parsePlan = (content: string, name: string): Partial<LoadPlan> =>
  planFields(parseJson(content, name), `Plan "${name}"`);

/** As `parsePlan` reads it again. */
export const planFile = (plan: LoadPlan): string => `${JSON.stringify(plan, null, 2)}\n`;

/**
 * A file of questions. With a name that ends in `.json`: a list of `{ question, answer, base64 }`, of which
 * only the question is needed. Else a line for each, and after a tab what must come back; `\n`, `\t`, `\r`, `\\`
 * and `\xNN` stand for those characters.
 */
export function parseQuestions(content: string, name: string): readonly Exchange[] {
  const where = `Questions "${name}"`;
  if (name.endsWith('.json')) return exchanges(parseJson(content, name), where);
  const all: Exchange[] = [];
  for (const [i, line] of content.split(/\r?\n/).entries()) {
    if (line === '') continue;
    const [question = '', answer, ...more] = line.split('\t');
    const at = `${where}, line ${i + 1},`;
    if (question === '') throw new ServeError('usage', `${at} has no question before its tab`);
    if (more.length > 0) {
      throw new ServeError(
        'usage',
        `${at} has more than one tab; write \\t for one that belongs to the text`,
      );
    }
    all.push({
      question: unescaped(question, at),
      ...(answer !== undefined && { answer: unescaped(answer, at) }),
    });
  }
  if (all.length === 0) throw new ServeError('usage', `${where} has none; give a line for each`);
  return all;
}

const ESCAPES: Readonly<Record<string, string>> = {
  n: '\n',
  r: '\r',
  t: '\t',
  '\\': '\\',
  0: '\0',
};

function unescaped(written: string, where: string): string {
  return written.replaceAll(/\\(x[0-9a-fA-F]{2}|.?)/gs, (whole, code: string) => {
    if (/^x../.test(code)) return String.fromCharCode(Number.parseInt(code.slice(1), 16));
    return ESCAPES[code] ?? refuse(where, whole, 'one of \\n, \\r, \\t, \\0, \\\\, \\xNN');
  });
}

/** `delimiter`, `delimiter:END`, `line`, `length:1`, `length:2` or `length:4`. */
export function parseFraming(words: string): Framing {
  const [kind, ...rest] = words.split(':');
  const argument = rest.join(':');
  if (kind === 'line' && argument === '') return { kind };
  if (kind === 'delimiter') {
    return { kind, answerEnd: argument === '' ? '.' : unescaped(argument, 'Framing') };
  }
  if (kind === 'length' && /^[124]$/.test(argument)) {
    return { kind, bytes: Number(argument) as 1 | 2 | 4 };
  }
  return refuse('Framing', words, 'delimiter, delimiter:END, line, length:1, length:2 or length:4');
}

const UNITS: Readonly<Record<string, number>> = {
  us: 1e-3,
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
};

/** A time such as `500ms`, `10s`, `2m` in ms; a bare number is in `unit`. */
export function parseTime(words: string, where: string, unit: 's' | 'ms' = 's'): number {
  const [, digits, given = unit] = /^(\d{1,9}(?:\.\d{1,6})?)(us|ms|s|m|h)?$/.exec(words) ?? [];
  const ms = digits === undefined ? Number.NaN : Number(digits) * UNITS[given]!;
  if (ms <= LONGEST_MS) return ms;
  return refuse(where, words, 'a time such as 500ms, 10s or 2m, of a day at most');
}

/** A rate such as `1000` or `2.5k`, per second. */
export function parseRate(words: string, where: string): number {
  const [, digits, unit = ''] = /^(\d{1,9}(?:\.\d{1,6})?)(k|M)?$/.exec(words) ?? [];
  const value = Number(digits) * (unit === 'k' ? 1e3 : unit === 'M' ? 1e6 : 1);
  if (digits !== undefined && value <= MOST_RATE) return value;
  return refuse(where, words, `a number per second such as 500 or 2.5k, of ${MOST_RATE} at most`);
}

/** `KIND:TIME`, `KIND:TIME:RATE` or `KIND:TIME:FROM..TO`. */
export function parseStage(words: string): Stage {
  const where = `Stage "${words}"`;
  const [kind, length, rates, ...more] = words.split(':');
  if (length === undefined || more.length > 0) {
    throw new ServeError(
      'usage',
      `${where}: give KIND:TIME, KIND:TIME:RATE or KIND:TIME:FROM..TO, such as ramp:10s:100..1000`,
    );
  }
  const given = oneOf(...KINDS)(kind, `${where}: its kind`);
  const ms = parseTime(length, `${where}: its time`);
  if (ms === 0) refuse(`${where}: its time`, length, 'more than nothing');
  if (rates === undefined) return { kind: given, seconds: ms / 1000 };
  const [from = '', to] = rates.split('..');
  const first = parseRate(from, `${where}: its rate`);
  const last = to === undefined ? first : parseRate(to, `${where}: its rate at the end`);
  return { kind: given, seconds: ms / 1000, from: first, to: last };
}

/** `2/4`: the second of four. */
export function parseShard(words: string): LoadPlan['shard'] {
  const [, index, of] = /^(\d{1,6})\/(\d{1,6})$/.exec(words) ?? [];
  const shard = { index: Number(index), of: Number(of) };
  if (of === undefined || shard.index < 1)
    return refuse('Shard', words, 'which of how many, such as 1/4');
  return checkShard(shard, 'Shard');
}

/** ISO 8601 with its zone, s or ms since 1970, or `+10s` from `now`; in ms since 1970. */
export function parseStartAt(words: string, now: number): number {
  const where = 'Start';
  const instead = 'a time such as 2030-01-31T12:00:00Z, seconds since 1970, or +10s from now';
  let at: number;
  if (words.startsWith('+')) at = now + parseTime(words.slice(1), where);
  else if (/^\d{10}(\.\d+)?$/.test(words)) at = Number(words) * 1000;
  else if (/^\d{13}$/.test(words)) at = Number(words);
  // Without a zone it would be another time on each machine.
  else if (/T.*(Z|[+-]\d\d:?\d\d)$/.test(words)) at = Date.parse(words);
  else return refuse(where, words, instead);
  if (Number.isNaN(at)) return refuse(where, words, instead);
  if (at < now) return refuse(where, words, 'a time that is still to come');
  if (at > now + LONGEST_MS) return refuse(where, words, 'a time within the next day');
  return at;
}

/** What a command line says of the schedule. */
export interface ScheduleWords {
  readonly stage?: readonly string[];
  readonly rate?: string;
  readonly duration?: string;
  readonly warmUp?: string;
}

const WARM_UP = 2;
const DURATION = 10;

/**
 * The stages of a plan by the command line, over those of the plan file.
 *
 * @throws ServeError where one word of the command line takes away what the other says
 */
export function stagesOf(
  { stage: stages = [], rate: rateWords, duration, warmUp }: ScheduleWords,
  file: Partial<LoadPlan>,
): Pick<Partial<LoadPlan>, 'loop' | 'stages'> {
  const before = warmUp === undefined ? undefined : parseTime(warmUp, 'Warm-up') / 1000;
  if (stages.length > 0) {
    const [named] =
      Object.entries({ rate: rateWords, duration }).find(([, value]) => value !== undefined) ?? [];
    if (named !== undefined) {
      throw new ServeError(
        'usage',
        `--${named} and --stage: each stage has a time and a rate of its own; leave out --${named}`,
      );
    }
    return loopOf(warmed(stages.map(parseStage), before));
  }
  if (rateWords === undefined && duration === undefined && before === undefined) {
    return file.stages === undefined ? {} : loopOf(file.stages);
  }
  const own = file.stages ?? [
    { kind: 'warm-up', seconds: WARM_UP },
    { kind: 'steady', seconds: DURATION },
  ];
  const counted = own.filter(({ kind }) => kind !== 'warm-up');
  const [steady] = counted;
  if (counted.length !== 1 || steady!.kind !== 'steady') {
    if (rateWords === undefined && duration === undefined) return loopOf(warmed(counted, before));
    throw new ServeError(
      'usage',
      'The plan has several stages, which --rate and --duration do not fit; say it all with --stage',
    );
  }
  const at = rateWords === undefined ? steady!.from : parseRate(rateWords, 'Rate');
  const seconds = duration === undefined ? steady!.seconds : parseTime(duration, 'Duration') / 1000;
  if (seconds === 0) refuse('Duration', duration, 'more than nothing');
  const warm = own.find(({ kind }) => kind === 'warm-up')?.seconds ?? 0;
  const rates = at === undefined ? {} : { from: at, to: at };
  return loopOf(warmed([{ kind: 'steady', seconds, ...rates }], before ?? warm));
}

/** With so many s of warm-up before it, at the rate with which it begins. */
function warmed(stages: readonly Stage[], seconds: number | undefined): Stage[] {
  if (seconds === undefined) return [...stages];
  const counted = stages.filter(({ kind }) => kind !== 'warm-up');
  const from = counted[0]?.from;
  const rates = from === undefined ? {} : { from, to: from };
  return seconds === 0 ? counted : [{ kind: 'warm-up', seconds, ...rates }, ...counted];
}

/** A schedule with rates is an open loop. */
function loopOf(stages: readonly Stage[]): Pick<LoadPlan, 'loop' | 'stages'> {
  const paced = stages.filter(({ from }) => from !== undefined).length;
  return { loop: paced > 0 ? 'open' : 'closed', stages };
}

/**
 * A whole plan, checked for what its parts make together.
 *
 * @throws ServeError
 */
export function wholePlan(given: Partial<LoadPlan>): LoadPlan {
  const plan = planOf(given);
  const fault = faultOf(plan);
  if (fault !== undefined) throw new ServeError('usage', `The plan makes no sense: ${fault}`);
  return plan;
}

function faultOf(plan: LoadPlan): string | undefined {
  const { loop, stages, connections, shard, think, pipeline } = plan;
  if (stages.every(({ kind }) => kind === 'warm-up')) {
    return 'all of it is warm-up; give a stage that counts, such as steady:10s';
  }
  const paced = stages.filter(({ from }) => from !== undefined).length;
  if (loop === 'open' && paced < stages.length) {
    return 'an open loop needs a rate in every stage; give --rate, or stages such as steady:10s:1000';
  }
  if (loop === 'closed' && paced > 0) {
    return 'a closed loop has no rate; leave the rates out, or make its loop "open"';
  }
  if (loop === 'open' && think > 0) {
    return 'think time is for the closed loop; in the open loop questions follow the clock';
  }
  if (think > 0 && pipeline > 1) {
    return 'think time is between an answer and the next question; leave out the pipeline, or the think time';
  }
  if (loop === 'open' && stages.every(({ from = 0, to = from }) => from + to === 0)) {
    return 'nothing is ever asked; give a rate above 0';
  }
  if (shard.of > connections) {
    return `${shard.of} shards share ${connections} connections, so some have none; give --connections ${shard.of} or more`;
  }
  return exchangeFault(plan);
}

function exchangeFault({ framing: frame, exchanges: all }: LoadPlan): string | undefined {
  for (const [i, { question, answer, base64 }] of all.entries()) {
    for (const one of answer === undefined ? [question] : [question, answer]) {
      const which = `${one === question ? 'question' : 'answer'} ${i + 1}`;
      if (base64 === true && !/^(?:[\w+/]{4})*(?:[\w+/]{2}==|[\w+/]{3}=)?$/.test(one)) {
        return `${which} is to be base64 and is not`;
      }
      const bytes = Buffer.from(one, base64 === true ? 'base64' : 'utf8');
      if (bytes.length === 0 && frame.kind === 'delimiter') return `${which} is empty`;
      if (frame.kind === 'line' && bytes.includes('\n')) {
        return `${which} has a line end inside; lines are told apart by it`;
      }
      if (frame.kind === 'length' && bytes.length >= 256 ** frame.bytes) {
        return `${which} has ${bytes.length} bytes, more than a length of ${frame.bytes} bytes can say`;
      }
    }
  }
  return undefined;
}
