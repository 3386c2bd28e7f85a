/**
 * Parses command-line words for the parts of a plan, and files of questions. Invalid input gives a
 * one-line error.
 */
import { ServeError } from '../../host/errors.ts';
import { MS_IN } from '../../limits/units.ts';
import { oneOf, refuse } from './check.ts';
import type { Exchange, Framing, LoadPlan, Stage } from './plan.ts';
import { checkShard, exchanges, KINDS, LONGEST_MS, MOST_RATE, SHORTEST } from './plan-shapes.ts';

/** @throws ServeError that names the file */
export function parseJson(content: string, name: string): unknown {
  try {
    return JSON.parse(content);
  } catch (error) {
    throw new ServeError('usage', `"${name}" is not JSON: ${(error as Error).message}`, {
      cause: error,
    });
  }
}

/**
 * Parses a file of questions.
 *
 * A file whose name ends in `.json` holds a list of `{ question, answer, base64 }`; only the
 * question is required. Any other file has one question per line, and after a tab the expected
 * answer. There, `\n`, `\t`, `\r`, `\\` and `\xNN` stand for those characters.
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

/** Parses `delimiter`, `delimiter:END`, `line`, `length:1`, `length:2` or `length:4`. */
export function parseFraming(words: string): Framing {
  const [kind, ...rest] = words.split(':');
  const argument = rest.join(':');
  if (kind === 'line' && argument === '') return { kind };
  if (kind === 'delimiter') {
    return { kind, answerEnd: argument === '' ? '.' : unescaped(argument, '--framing') };
  }
  if (kind === 'length' && /^[124]$/.test(argument)) {
    return { kind, bytes: Number(argument) as 1 | 2 | 4 };
  }
  return refuse(
    '--framing',
    words,
    'delimiter, delimiter:END, line, length:1, length:2 or length:4',
  );
}

/**
 * Parses a time such as `500ms`, `10s` or `2m`, and returns ms. A bare number is in `unit`. The
 * least value is `least` ms.
 */
export function parseTime(words: string, where: string, unit: 's' | 'ms' = 's', least = 0): number {
  const [, digits, given = unit] = /^(\d{1,9}(?:\.\d{1,6})?)(us|ms|s|m|h)?$/.exec(words) ?? [];
  const ms =
    digits === undefined ? Number.NaN : Number(digits) * MS_IN[given as keyof typeof MS_IN];
  if (ms >= least && ms <= LONGEST_MS) return ms;
  const from = least === 0 ? '' : `${timeText(least)} to `;
  return refuse(where, words, `a time such as 500ms, 10s or 2m, of ${from}a day at most`);
}

const timeText = (ms: number) => (ms < 1 ? `${ms * 1000}us` : `${ms}ms`);

/** Parses a duration: 0, or at least the shortest stage. */
const parseLength = (words: string, where: string): number =>
  parseTime(words, where, 's', /^0+(\.0+)?[a-z]*$/.test(words) ? 0 : SHORTEST);

/** Parses a rate such as `1000` or `2.5k`, per second. */
export function parseRate(words: string, where: string): number {
  const [, digits, unit = ''] = /^(\d{1,9}(?:\.\d{1,6})?)(k|M)?$/.exec(words) ?? [];
  const value = Number(digits) * (unit === 'k' ? 1e3 : unit === 'M' ? 1e6 : 1);
  if (digits !== undefined && value <= MOST_RATE) return value;
  return refuse(where, words, `a number per second such as 500 or 2.5k, of ${MOST_RATE} at most`);
}

/** Parses `KIND:TIME`, `KIND:TIME:RATE` or `KIND:TIME:FROM..TO`. */
export function parseStage(words: string): Stage {
  const where = `--stage "${words}"`;
  const [kind, length, rates, ...more] = words.split(':');
  if (length === undefined || more.length > 0) {
    throw new ServeError(
      'usage',
      `${where}: give KIND:TIME, KIND:TIME:RATE or KIND:TIME:FROM..TO, such as ramp:10s:100..1000`,
    );
  }
  const given = oneOf(...KINDS)(kind, `${where}: its kind`);
  const ms = parseTime(length, `${where}: its time`, 's', SHORTEST);
  if (rates === undefined) return { kind: given, seconds: ms / 1000 };
  const [from = '', to] = rates.split('..');
  const first = parseRate(from, `${where}: its rate`);
  const last = to === undefined ? first : parseRate(to, `${where}: its rate at the end`);
  return { kind: given, seconds: ms / 1000, from: first, to: last };
}

/** Parses a shard: `2/4` is the second of four. */
export function parseShard(words: string): LoadPlan['shard'] {
  const [, index, of] = /^(\d{1,6})\/(\d{1,6})$/.exec(words) ?? [];
  const shard = { index: Number(index), of: Number(of) };
  if (of === undefined || shard.index < 1)
    return refuse('--shard', words, 'which of how many, such as 1/4, or auto');
  return checkShard(shard, '--shard');
}

/**
 * Parses ISO 8601 with a time zone, s or ms since 1970, or `+10s` after `now`. Returns ms since
 * 1970.
 */
export function parseStartAt(words: string, now: number): number {
  const where = '--start-at';
  const instead = 'a time such as 2030-01-31T12:00:00Z, seconds since 1970, or +10s from now';
  let at: number;
  if (words.startsWith('+')) at = now + parseTime(words.slice(1), where);
  else if (/^\d{10}(\.\d+)?$/.test(words)) at = Number(words) * 1000;
  else if (/^\d{13}$/.test(words)) at = Number(words);
  // The zone is required, because without it each machine would read its own local time.
  else if (/T.*(Z|[+-]\d\d:?\d\d)$/.test(words)) at = Date.parse(words);
  else return refuse(where, words, instead);
  if (Number.isNaN(at)) return refuse(where, words, instead);
  if (at < now) return refuse(where, words, 'a time that is still to come');
  if (at > now + LONGEST_MS) return refuse(where, words, 'a time within the next day');
  return at;
}

/**
 * Parses a time after the start of this process. Returns ms since 1970. A scheduler starts the processes of a step
 * together, so this is the same moment for each.
 *
 * @param began when this process began, in ms since 1970
 */
export function parseStartIn(words: string, began: number, now: number): number {
  const where = '--start-in';
  const at = began + parseTime(words, where);
  if (at < now) {
    return refuse(where, words, `more than ${Math.ceil(now - began)}ms, which this process took`);
  }
  return at;
}

/** The words of the command line that set the schedule. */
export interface ScheduleWords {
  readonly stage?: readonly string[];
  readonly rate?: string;
  readonly duration?: string;
  readonly warmUp?: string;
}

const WARM_UP = 2;
const DURATION = 10;

/**
 * Combines the stages of the command line with those of the plan file.
 *
 * @throws ServeError if two options contradict each other
 */
export function stagesOf(
  { stage: stages = [], rate: rateWords, duration, warmUp }: ScheduleWords,
  file: Partial<LoadPlan>,
): Pick<Partial<LoadPlan>, 'loop' | 'stages'> {
  const before = warmUp === undefined ? undefined : parseLength(warmUp, '--warm-up') / 1000;
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
      'The plan has several stages, which --rate and --duration do not fit; give all stages with --stage',
    );
  }
  const at = rateWords === undefined ? steady!.from : parseRate(rateWords, '--rate');
  const seconds = duration === undefined ? steady!.seconds : parseDuration(duration) / 1000;
  const warm = own.find(({ kind }) => kind === 'warm-up')?.seconds ?? 0;
  const rates = at === undefined ? {} : { from: at, to: at };
  return loopOf(warmed([{ kind: 'steady', seconds, ...rates }], before ?? warm));
}

/** Parses `--duration`, in ms. */
export const parseDuration = (words: string): number =>
  parseTime(words, '--duration', 's', SHORTEST);

/** Adds a warm-up before the stages, of `seconds` and at their initial rate. */
function warmed(stages: readonly Stage[], seconds: number | undefined): Stage[] {
  if (seconds === undefined) return [...stages];
  const counted = stages.filter(({ kind }) => kind !== 'warm-up');
  const from = counted[0]?.from;
  const rates = from === undefined ? {} : { from, to: from };
  return seconds === 0 ? counted : [{ kind: 'warm-up', seconds, ...rates }, ...counted];
}

/** A schedule with rates makes an open loop. */
function loopOf(stages: readonly Stage[]): Pick<LoadPlan, 'loop' | 'stages'> {
  const paced = stages.filter(({ from }) => from !== undefined).length;
  return { loop: paced > 0 ? 'open' : 'closed', stages };
}
