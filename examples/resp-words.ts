/**
 * Reads commands of the Redis protocol: a list of words (`*2\r\n$3\r\nGET\r\n$1\r\na\r\n`), or a typed line (`GET a`).
 * Words may have any bytes. What is wrong is an error with the text that Redis sends.
 */

/** Longest word, in bytes. Redis takes 512 MB, but each client can claim this memory with a few bytes. */
const LONGEST_WORD = 1_048_576;
/** Longest typed line, and longest text of a number, in bytes. */
const LONGEST_LINE = 65_536;
/** Most words of one command. */
const MOST_WORDS = 1_048_576;

const CR = 0x0d;
const LF = 0x0a;
const DASH = 0x2d;
const ZERO = 0x30;
const STAR = 0x2a;
const DOLLAR = 0x24;

/** The connection must end: its next command cannot be found. */
export class ProtocolError extends Error {}

export const bulk = (text: string): string => `$${text.length}\r\n${text}\r\n`;
export const array = (items: readonly string[]): string => `*${items.length}\r\n${items.join('')}`;

/** The command of one connection: where its words are in the received bytes. */
export class Words {
  count = 0;
  #bytes: Buffer = Buffer.alloc(0);
  #start = 0;
  /** Word i is `bytes[start + from[i], start + to[i])`: when more bytes have come, they may be elsewhere. */
  readonly #from: number[] = [];
  readonly #to: number[] = [];
  /** Number of words that the command announces, and length of the word that is read now; -1: not read yet. */
  #announced = -1;
  #size = -1;
  /** Where reading goes on when more bytes have come, from the start of the command. */
  #at = 0;

  /** The word as text in which each character is a byte. */
  text(word: number): string {
    const start = this.#start;
    return this.#bytes.toString('latin1', start + this.#from[word]!, start + this.#to[word]!);
  }

  /** The words from this one on. */
  texts(first: number): string[] {
    return Array.from({ length: this.count - first }, (_, i) => this.text(first + i));
  }

  /** Its length, in bytes. */
  size(word: number): number {
    return this.#to[word]! - this.#from[word]!;
  }

  /** Copies its bytes to `target`, from `at` on. */
  copy(word: number, target: Buffer, at: number): void {
    const bytes = this.#bytes;
    const from = this.#start + this.#from[word]!;
    const size = this.size(word);
    if (size > 64) bytes.copy(target, at, from, from + size);
    // For a few bytes, a loop is faster than a call into native code.
    else for (let i = 0; i < size; i++) target[at + i] = bytes[from + i]!;
  }

  /** True if the word is this name, in small or capital letters. Makes no string of it. */
  is(word: number, name: string): boolean {
    if (this.size(word) !== name.length) return false;
    const at = this.#start + this.#from[word]!;
    for (let i = 0; i < name.length; i++) {
      if ((this.#bytes[at + i]! | 0x20) !== name.charCodeAt(i)) return false;
    }
    return true;
  }

  /**
   * Reads the command that begins at `start`. Returns the index just past it, or -1 if it is not complete.
   *
   * @param searched number of its bytes that an earlier call has read
   */
  read(bytes: Buffer, start: number, end: number, searched: number): number {
    if (searched === 0) {
      this.count = 0;
      this.#announced = -1;
      this.#size = -1;
      this.#at = 0;
    }
    this.#bytes = bytes;
    this.#start = start;
    if (bytes[start] !== STAR) return this.#readLine(end, searched);
    if (this.#announced < 0) {
      const count = this.#readNumber(end, searched, 'mbulk count string');
      if (count === undefined) return -1;
      if (!(count <= MOST_WORDS)) throw new ProtocolError('invalid multibulk length');
      this.#announced = Math.max(count, 0);
    }
    while (this.count < this.#announced) if (!this.#readWord(end, searched)) return -1;
    return start + this.#at;
  }

  #readWord(end: number, searched: number): boolean {
    if (this.#size < 0) {
      const at = this.#start + this.#at;
      if (at === end) return false;
      const sign = this.#bytes[at]!;
      if (sign !== DOLLAR) {
        throw new ProtocolError(`expected '$', got '${String.fromCharCode(sign)}'`);
      }
      const size = this.#readNumber(end, searched, 'bulk count string');
      if (size === undefined) return false;
      if (!(size >= 0 && size <= LONGEST_WORD)) throw new ProtocolError('invalid bulk length');
      this.#size = size;
    }
    const to = this.#at + this.#size;
    if (this.#start + to + 2 > end) return false;
    this.#from[this.count] = this.#at;
    this.#to[this.count] = to;
    this.count++;
    this.#at = to + 2;
    this.#size = -1;
    return true;
  }

  /** Reads the number behind a sign. Undefined until all of its line has come; NaN if it is not a number. */
  #readNumber(end: number, searched: number, what: string): number | undefined {
    const from = this.#start + this.#at + 1;
    // An earlier call has looked for the end, but not in its last byte: then the byte behind that was not there.
    let stop = Math.max(from, this.#start + searched - 1);
    while (stop < end - 1 && this.#bytes[stop] !== CR) stop++;
    if (stop - from > LONGEST_LINE) throw new ProtocolError(`too big ${what}`);
    if (stop >= end - 1) return undefined;
    this.#at = stop + 2 - this.#start;
    return integerIn(this.#bytes, from, stop);
  }

  #readLine(end: number, searched: number): number {
    const start = this.#start;
    const stop = this.#bytes.subarray(0, end).indexOf(LF, start + searched);
    if ((stop < 0 ? end : stop) - start > LONGEST_LINE) {
      throw new ProtocolError('too big inline request');
    }
    if (stop < 0) return -1;
    const words = wordsOf(this.#bytes.toString('latin1', start, stop).replace(/\r$/, ''));
    const command = Buffer.from(array(words.map(bulk)), 'latin1');
    this.read(command, 0, command.length, 0);
    return stop + 1;
  }
}

/** The number in `bytes[from, to)`. NaN if it has a plus, a leading zero, or anything but digits. */
function integerIn(bytes: Buffer, from: number, to: number): number {
  const first = bytes[from] === DASH ? from + 1 : from;
  const digits = to - first;
  if (digits < 1 || digits > 15 || (bytes[first] === ZERO && to - from > 1)) return Number.NaN;
  let value = 0;
  for (let i = first; i < to; i++) {
    const digit = bytes[i]! - ZERO;
    if (digit < 0 || digit > 9) return Number.NaN;
    value = value * 10 + digit;
  }
  return first > from ? -value : value;
}

/** Of a line: text in double quotes, text in single quotes, other text, or spaces. */
const TOKEN =
  /"((?:\\.|[^"\\])*)"(?![^ \t\v\f\r])|'((?:\\'|\\(?!')|[^'\\])*)'(?![^ \t\v\f\r])|([^ \t\v\f\r"']+)|[ \t\v\f\r]+/gsy;
const ESCAPE = /\\(?:x([0-9a-f]{2})|(.))/gis;
const ESCAPED: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t', b: '\b', a: '\x07' };

const unescaped = (text: string): string =>
  text.replace(ESCAPE, (_, hex: string | undefined, other: string) =>
    hex === undefined ? (ESCAPED[other] ?? other) : String.fromCharCode(Number.parseInt(hex, 16)),
  );

/** The words of a typed line. */
function wordsOf(line: string): string[] {
  const words: string[] = [];
  let at = 0;
  let isInWord = false;
  for (const [token, double, single, plain] of line.matchAll(TOKEN)) {
    at += token.length;
    const part = plain ?? single?.replaceAll("\\'", "'") ?? (double && unescaped(double));
    if (part !== undefined && isInWord) words[words.length - 1] += part;
    else if (part !== undefined) words.push(part);
    isInWord = part !== undefined;
  }
  if (at < line.length) throw new ProtocolError('unbalanced quotes in request');
  return words;
}
