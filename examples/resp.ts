/**
 * A store of keys and values in memory that speaks the protocol of Redis (RESP 2). Each thread has a store of its own,
 * so serve it with one: `epoll`, `uring`, `coroutine`. A direct dialogue answers in place: a GET makes one string, for
 * its key, and copies nothing but the answer.
 */
import type { Answer, AnswerWriter, DirectDialogue, Protocol } from '../src/index.ts';
import { ProtocolError, Words } from './resp-words.ts';

interface Entry {
  /** The value as an answer: `$3\r\nabc\r\n`. */
  answer: Buffer;
  /** Where its own bytes begin in the answer. */
  head: number;
  /** In ms since 1970. */
  expires: number;
}

/** Returns an answer, or its last piece. The first word is the command's name. */
type Command = (words: Words, out: AnswerWriter) => Answer;

const NEVER = Number.POSITIVE_INFINITY;
const OK = '+OK\r\n';
const NOTHING = '$-1\r\n';
const NO_INTEGER = 'value is not an integer or out of range';
/** Numbers have 64 bits, and a time in ms must fit into them. */
const LARGEST = 2n ** 63n - 1n;

const store = new Map<string, Entry>();
/** Goes round the store. */
let sweep = store.keys();

function find(key: string): Entry | undefined {
  const entry = store.get(key);
  if (entry === undefined || entry.expires === NEVER || entry.expires > Date.now()) return entry;
  store.delete(key);
  return undefined;
}

/** Removes values that have expired and that no client asks for: looks at two for each value that gets a time. */
function sweepTwo(): void {
  for (let i = 0; i < 2; i++) {
    const { value, done } = sweep.next();
    if (done) sweep = store.keys();
    else find(value);
  }
}

function keep(key: string, bytes: Buffer, from: number, to: number, expires: number): void {
  const size = to - from;
  let entry = store.get(key);
  // A value of the same length takes the place of the old one.
  if (entry === undefined || entry.answer.length - entry.head - 2 !== size) {
    const head = `$${size}\r\n`;
    const answer = Buffer.allocUnsafeSlow(head.length + size + 2);
    answer.write(head, 'latin1');
    answer.write('\r\n', head.length + size, 'latin1');
    entry = { answer, head: head.length, expires };
    store.set(key, entry);
  }
  entry.expires = expires;
  const { answer, head } = entry;
  if (size > 64) bytes.copy(answer, head, from, to);
  // For a few bytes, a loop is faster than a call into native code.
  else for (let i = 0; i < size; i++) answer[head + i] = bytes[from + i]!;
  if (expires !== NEVER) sweepTwo();
}

/** The text as an integer of 64 bits. */
function integer(text: string): bigint | undefined {
  if (!/^(?:0|-?[1-9]\d{0,18})$/.test(text)) return undefined;
  const value = BigInt(text);
  return value > LARGEST || value < -LARGEST - 1n ? undefined : value;
}

const fail = (text: string): Answer =>
  Buffer.from(`-ERR ${text.replace(/[\r\n]/g, ' ')}\r\n`, 'latin1');
const wrongCount = (name: string): Answer =>
  fail(`wrong number of arguments for '${name}' command`);
const number = (value: number | bigint): Answer => `:${value}\r\n`;
const bulk = (text: string): Answer => `$${text.length}\r\n${text}\r\n`;
const array = (answers: readonly Answer[]): Answer =>
  Buffer.concat([`*${answers.length}\r\n`, ...answers].map((answer) => Buffer.from(answer)));

/** A word in an error: up to a zero, because Redis prints it as C does. */
const shown = (words: Words, word: number, most?: number): string =>
  words.text(word).split('\0', 1)[0]!.slice(0, most);

const get = (words: Words, word: number): Answer => find(words.text(word))?.answer ?? NOTHING;

function echo(words: Words, word: number, out: AnswerWriter): Answer {
  out.write(`$${words.to(word) - words.from(word)}\r\n`);
  out.writeRange(words.bytes, words.from(word), words.to(word));
  return '\r\n';
}

/** When a time in seconds from now is over, in ms since 1970; or the error that refuses the time. */
function deadline(text: string, command: string, least: bigint): number | Answer {
  const seconds = integer(text);
  if (seconds === undefined) return fail(NO_INTEGER);
  const now = Date.now();
  if (seconds >= least && seconds <= (LARGEST - BigInt(now)) / 1000n) {
    return now + Number(seconds) * 1000;
  }
  return fail(`invalid expire time in '${command}' command`);
}

function set(words: Words): Answer {
  let isNew = false;
  let seconds = 0;
  for (let i = 3; i < words.count; i++) {
    const option = words.text(i).toUpperCase();
    if (option === 'NX') isNew = true;
    else if (option === 'EX' && i + 1 < words.count) seconds = ++i;
    else return fail('syntax error');
  }
  const expires = seconds === 0 ? NEVER : deadline(words.text(seconds), 'set', 1n);
  if (typeof expires !== 'number') return expires;
  const key = words.text(1);
  if (isNew && find(key) !== undefined) return NOTHING;
  keep(key, words.bytes, words.from(2), words.to(2), expires);
  return OK;
}

function setAll(words: Words): Answer {
  if (words.count % 2 === 0) return wrongCount('mset');
  for (let i = 1; i < words.count; i += 2) {
    keep(words.text(i), words.bytes, words.from(i + 1), words.to(i + 1), NEVER);
  }
  return OK;
}

function increment(words: Words): Answer {
  const key = words.text(1);
  const entry = find(key);
  const old = integer(entry?.answer.toString('latin1', entry.head, entry.answer.length - 2) ?? '0');
  if (old === undefined) return fail(NO_INTEGER);
  if (old === LARGEST) return fail('increment or decrement would overflow');
  const next = Buffer.from(String(old + 1n));
  keep(key, next, 0, next.length, entry?.expires ?? NEVER);
  return number(old + 1n);
}

function expire(words: Words): Answer {
  if (words.count > 3) return fail(`Unsupported option ${shown(words, 3)}`);
  const expires = deadline(words.text(2), 'expire', -LARGEST / 1000n);
  if (typeof expires !== 'number') return expires;
  const key = words.text(1);
  const entry = find(key);
  if (entry === undefined) return number(0);
  entry.expires = expires;
  sweepTwo();
  return number(1);
}

function secondsLeft(words: Words): Answer {
  const entry = find(words.text(1));
  if (entry === undefined) return number(-2);
  if (entry.expires === NEVER) return number(-1);
  return number(Math.floor((entry.expires - Date.now() + 500) / 1000));
}

/** Counts the keys for which `test` is true. */
function countKeys(words: Words, test: (key: string) => boolean): Answer {
  let found = 0;
  for (let i = 1; i < words.count; i++) if (test(words.text(i))) found++;
  return number(found);
}

const remove = (key: string): boolean => find(key) !== undefined && store.delete(key);

function ping(words: Words, out: AnswerWriter): Answer {
  if (words.count === 1) return '+PONG\r\n';
  return words.count === 2 ? echo(words, 1, out) : wrongCount('ping');
}

const settings: Readonly<Record<string, string>> = { save: '', appendonly: 'no' };

function config(words: Words): Answer {
  const order = words.text(1);
  if (order.toUpperCase() !== 'GET')
    return fail(`unknown subcommand '${shown(words, 1, 128)}'. Try CONFIG HELP.`);
  if (words.count < 3) return wrongCount('config|get');
  const names = Array.from({ length: words.count - 2 }, (_, i) => words.text(i + 2).toLowerCase());
  const known = Object.entries(settings).filter(([name]) => names.includes(name));
  return array(known.flat().map(bulk));
}

/** Describes the commands by name and number of words. Only clients of a cluster need more. */
function describe(words: Words): Answer {
  const order = words.count > 1 ? words.text(1).toUpperCase() : '';
  if (order === 'COUNT') return number(commands.length);
  if (order !== '') return array([]);
  return array(
    commands.map(({ name, size }) =>
      array([bulk(name), number(size), array([]), number(0), number(0), number(0)]),
    ),
  );
}

/** By name: the number of words (negative: this number or more), and what the command does. */
const table: Readonly<Record<string, readonly [number, Command]>> = {
  get: [2, (words) => get(words, 1)],
  set: [-3, set],
  incr: [2, increment],
  del: [-2, (words) => countKeys(words, remove)],
  exists: [-2, (words) => countKeys(words, (key) => find(key) !== undefined)],
  expire: [-3, expire],
  ttl: [2, secondsLeft],
  mget: [
    -2,
    (words) => array(Array.from({ length: words.count - 1 }, (_, i) => get(words, i + 1))),
  ],
  mset: [-3, setAll],
  ping: [-1, ping],
  echo: [2, (words, out) => echo(words, 1, out)],
  command: [-1, describe],
  config: [-2, config],
};

const commands = Object.entries(table).map(([name, [size, run]]) => ({
  name,
  bytes: Buffer.from(name),
  size,
  run,
}));

/** The first bytes of a name in small letters, as one number: no two commands have the same. */
function startOf(bytes: Buffer, from: number, to: number): number {
  let start = 0;
  for (let i = from; i < to && i < from + 4; i++) start = (start << 8) | bytes[i]! | 0x20;
  return start;
}

const byStart = new Map(
  commands.map((command) => [startOf(command.bytes, 0, command.bytes.length), command]),
);

/** Finds a command without making a string of its name. */
function commandOf(
  { bytes }: Words,
  from: number,
  to: number,
): (typeof commands)[number] | undefined {
  const command = byStart.get(startOf(bytes, from, to));
  const name = command?.bytes;
  if (name?.length !== to - from) return undefined;
  for (let i = 0; i < name.length; i++) if ((bytes[from + i]! | 0x20) !== name[i]) return undefined;
  return command;
}

function unknown(words: Words): Answer {
  let rest = '';
  for (let i = 1; i < words.count && rest.length < 128; i++) {
    rest += `'${shown(words, i, 128 - rest.length)}' `;
  }
  return fail(`unknown command '${shown(words, 0, 128)}', with args beginning with: ${rest}`);
}

function run(words: Words, out: AnswerWriter): Answer {
  const command = commandOf(words, words.from(0), words.to(0));
  if (command === undefined) return unknown(words);
  const { size, name } = command;
  if (size < 0 ? words.count < -size : words.count !== size) return wrongCount(name);
  return command.run(words, out);
}

const resp: Protocol = {
  questionSize: 4 * 1_048_576,
  dialogue(): DirectDialogue {
    const words = new Words();
    let isBroken = false;
    return {
      respond(bytes, start, end, searched, out) {
        try {
          const next = words.read(bytes, start, end, searched);
          if (next !== -1 && words.count > 0) out.write(run(words, out));
          return next;
        } catch (error) {
          if (!(error instanceof ProtocolError)) throw error;
          isBroken = true;
          out.write(fail(`Protocol error: ${error.message}`));
          return end;
        }
      },
      get finished() {
        return isBroken;
      },
    };
  },
};

export default resp;
