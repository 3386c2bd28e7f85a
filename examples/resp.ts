/**
 * A store of keys and values in memory that speaks the protocol of Redis (RESP 2). Each thread has a store of its own,
 * so serve it with one: `epoll`, `uring`, `coroutine`. Texts are latin1: each character is a byte.
 */
import type { Answer, AnswerWriter, DirectDialogue, Protocol } from '../src/index.ts';
import { array, bulk, ProtocolError, Words } from './resp-words.ts';

interface Entry {
  /** The value as an answer: `$3\r\nabc\r\n`. */
  answer: Buffer;
  /** Where the bytes of the value begin in the answer. */
  head: number;
  /** In ms since 1970. */
  expires: number;
}

/** Returns an answer. The first word is the command's name. */
type Command = (words: Words) => Answer;

const NEVER = Number.POSITIVE_INFINITY;
const OK = '+OK\r\n';
const NOTHING = '$-1\r\n';
const NO_INTEGER = 'value is not an integer or out of range';
/** Numbers have 64 bits, and a time in ms must fit into them. */
const LARGEST = 2n ** 63n - 1n;

const number = (value: number | bigint): string => `:${value}\r\n`;
const fail = (text: string): string => `-ERR ${text.replace(/[\r\n]/g, ' ')}\r\n`;
const wrongCount = (name: string): string =>
  fail(`wrong number of arguments for '${name}' command`);

/** A word in an error: up to a zero, because Redis prints it as C does. */
const shown = (words: Words, word: number, most?: number): string =>
  words.text(word).split('\0', 1)[0]!.slice(0, most);

const store = new Map<string, Entry>();
/** Goes round the store. */
let sweep = store.keys();

function find(key: string): Entry | undefined {
  const entry = store.get(key);
  if (entry === undefined || entry.expires === NEVER || entry.expires > Date.now()) return entry;
  store.delete(key);
  return undefined;
}

const textOf = (key: string): string => find(key)?.answer.toString('latin1') ?? NOTHING;

const remove = (key: string): boolean => find(key) !== undefined && store.delete(key);

/** Removes values that have expired and that no client asks for: looks at two for each value that gets a time. */
function sweepTwo(): void {
  for (let i = 0; i < 2; i++) {
    const { value, done } = sweep.next();
    if (done) sweep = store.keys();
    else find(value);
  }
}

/** The entry with room for a value of this size. A value of the same size takes the place of the old one. */
function entryFor(key: string, size: number, expires: number): Entry {
  let entry = store.get(key);
  if (entry === undefined || entry.answer.length - entry.head - 2 !== size) {
    const head = `$${size}\r\n`;
    const answer = Buffer.allocUnsafeSlow(head.length + size + 2);
    answer.write(head);
    answer.write('\r\n', head.length + size);
    entry = { answer, head: head.length, expires };
    store.set(key, entry);
  }
  entry.expires = expires;
  if (expires !== NEVER) sweepTwo();
  return entry;
}

/** @param value index of the word with the value */
function keep(key: string, words: Words, value: number, expires: number): void {
  const { answer, head } = entryFor(key, words.size(value), expires);
  words.copy(value, answer, head);
}

/** The text as an integer of 64 bits. */
function integer(text: string): bigint | undefined {
  if (!/^(?:0|-?[1-9]\d{0,18})$/.test(text)) return undefined;
  const value = BigInt(text);
  return value > LARGEST || value < -LARGEST - 1n ? undefined : value;
}

/** When a time in seconds from now is over, in ms since 1970; or the error that refuses the time. */
function deadline(text: string, command: string, least: bigint): number | string {
  const seconds = integer(text);
  if (seconds === undefined) return fail(NO_INTEGER);
  const now = Date.now();
  if (seconds >= least && seconds <= (LARGEST - BigInt(now)) / 1000n) {
    return now + Number(seconds) * 1000;
  }
  return fail(`invalid expire time in '${command}' command`);
}

function set(words: Words): string {
  let isNew = false;
  let expires: number | string = NEVER;
  for (let i = 3; i < words.count; i++) {
    if (words.is(i, 'nx')) isNew = true;
    else if (words.is(i, 'ex') && ++i < words.count) expires = deadline(words.text(i), 'set', 1n);
    else return fail('syntax error');
  }
  if (typeof expires === 'string') return expires;
  const key = words.text(1);
  if (isNew && find(key) !== undefined) return NOTHING;
  keep(key, words, 2, expires);
  return OK;
}

function setAll(words: Words): string {
  if (words.count % 2 === 0) return wrongCount('mset');
  for (let i = 1; i < words.count; i += 2) keep(words.text(i), words, i + 1, NEVER);
  return OK;
}

function increment(words: Words): string {
  const key = words.text(1);
  const entry = find(key);
  const old = integer(entry?.answer.toString('latin1', entry.head, entry.answer.length - 2) ?? '0');
  if (old === undefined) return fail(NO_INTEGER);
  if (old === LARGEST) return fail('increment or decrement would overflow');
  const next = String(old + 1n);
  const { answer, head } = entryFor(key, next.length, entry?.expires ?? NEVER);
  answer.write(next, head);
  return number(old + 1n);
}

function expire(words: Words): string {
  if (words.count > 3) return fail(`Unsupported option ${shown(words, 3)}`);
  const expires = deadline(words.text(2), 'expire', -LARGEST / 1000n);
  if (typeof expires === 'string') return expires;
  const entry = find(words.text(1));
  if (entry === undefined) return number(0);
  entry.expires = expires;
  sweepTwo();
  return number(1);
}

function secondsLeft(words: Words): string {
  const entry = find(words.text(1));
  if (entry === undefined) return number(-2);
  if (entry.expires === NEVER) return number(-1);
  return number(Math.floor((entry.expires - Date.now() + 500) / 1000));
}

function ping(words: Words): string {
  if (words.count === 1) return '+PONG\r\n';
  return words.count === 2 ? bulk(words.text(1)) : wrongCount('ping');
}

function config(words: Words): string {
  if (!words.is(1, 'get')) {
    return fail(`unknown subcommand '${shown(words, 1, 128)}'. Try CONFIG HELP.`);
  }
  if (words.count < 3) return wrongCount('config|get');
  const names = words.texts(2).map((name) => name.toLowerCase());
  const settings = { save: '', appendonly: 'no' };
  const known = Object.entries(settings).filter(([name]) => names.includes(name));
  return array(known.flat().map(bulk));
}

/** Describes the commands by name and number of words. Only clients of a cluster need more. */
function describe(words: Words): string {
  if (words.count > 1) return words.is(1, 'count') ? number(commands.length) : array([]);
  const zeros = number(0).repeat(3);
  return array(
    commands.map(({ name, size }) => `*6\r\n${bulk(name)}${number(size)}*0\r\n${zeros}`),
  );
}

/** By name: the number of words (negative: this number or more), and what the command does. */
const table: Readonly<Record<string, readonly [number, Command]>> = {
  get: [2, (words) => find(words.text(1))?.answer ?? NOTHING],
  set: [-3, set],
  incr: [2, increment],
  del: [-2, (words) => number(words.texts(1).filter(remove).length)],
  exists: [-2, (words) => number(words.texts(1).filter((key) => find(key)).length)],
  expire: [-3, expire],
  ttl: [2, secondsLeft],
  mget: [-2, (words) => array(words.texts(1).map(textOf))],
  mset: [-3, setAll],
  ping: [-1, ping],
  echo: [2, (words) => bulk(words.text(1))],
  command: [-1, describe],
  config: [-2, config],
};

const commands = Object.entries(table).map(([name, [size, run]]) => ({ name, size, run }));

function unknown(words: Words): string {
  let rest = '';
  for (let i = 1; i < words.count && rest.length < 128; i++) {
    rest += `'${shown(words, i, 128 - rest.length)}' `;
  }
  return fail(`unknown command '${shown(words, 0, 128)}', with args beginning with: ${rest}`);
}

function answerTo(words: Words): Answer {
  const command = commands.find(({ name }) => words.is(0, name));
  if (command === undefined) return unknown(words);
  const { name, size, run } = command;
  const isWrong = size < 0 ? words.count < -size : words.count !== size;
  return isWrong ? wrongCount(name) : run(words);
}

class Connection implements DirectDialogue {
  readonly #words = new Words();
  finished = false;

  respond(bytes: Buffer, start: number, end: number, searched: number, out: AnswerWriter): number {
    try {
      const next = this.#words.read(bytes, start, end, searched);
      if (next !== -1 && this.#words.count > 0) out.write(answerTo(this.#words), 'latin1');
      return next;
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.finished = true;
      out.write(fail(`Protocol error: ${error.message}`), 'latin1');
      return end;
    }
  }
}

const resp: Protocol = { questionSize: 4 * 1_048_576, dialogue: () => new Connection() };

export default resp;
