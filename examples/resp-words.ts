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

/** The command of one connection: where its words are in the received bytes. */
export class Words {
  count = 0;
  bytes: Buffer = Buffer.alloc(0);
  #start = 0;
  /** Word i is `bytes[start + from[i], start + to[i])`: when more bytes have come, they may be elsewhere. */
  readonly #from: number[] = [];
  readonly #to: number[] = [];
  /** Number of words that the command announces; -1: not read yet. */
  #announced = -1;
  /** Where reading goes on when more bytes have come, from the start of the command. */
  #at = 0;
  /** From there on, the number that is read now may have its end; from the start of the command. */
  #unread = 0;

  from(word: number): number {
    return this.#start + this.#from[word]!;
  }

  to(word: number): number {
    return this.#start + this.#to[word]!;
  }

  /** The word as text in which each character is a byte. */
  text(word: number): string {
    return this.bytes.toString('latin1', this.from(word), this.to(word));
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
      this.#unread = 0;
    }
    this.bytes = bytes;
    this.#start = start;
    if (bytes[start] !== STAR) return this.#readLine(bytes, start, end, start + searched);
    if (this.#announced < 0) {
      const stop = this.#endOfNumber(start + 1, end, 'mbulk count string');
      if (stop < 0) return -1;
      const count = integerIn(bytes, start + 1, stop);
      if (!(count <= MOST_WORDS)) throw new ProtocolError('invalid multibulk length');
      this.#announced = Math.max(count, 0);
      this.#at = stop + 2 - start;
    }
    while (this.count < this.#announced) if (!this.#readWord(bytes, end)) return -1;
    return start + this.#at;
  }

  #readWord(bytes: Buffer, end: number): boolean {
    const start = this.#start;
    const at = start + this.#at;
    if (at >= end) return false;
    if (bytes[at] !== DOLLAR) {
      throw new ProtocolError(`expected '$', got '${String.fromCharCode(bytes[at]!)}'`);
    }
    const stop = this.#endOfNumber(at + 1, end, 'bulk count string');
    if (stop < 0) return false;
    const size = integerIn(bytes, at + 1, stop);
    if (!(size >= 0 && size <= LONGEST_WORD)) throw new ProtocolError('invalid bulk length');
    const from = stop + 2;
    if (from + size + 2 > end) return false;
    this.#from[this.count] = from - start;
    this.#to[this.count] = from + size - start;
    this.count++;
    this.#at = from + size + 2 - start;
    return true;
  }

  /** Index of the `\r` after a number, once the byte behind it is there too; -1 before. */
  #endOfNumber(from: number, end: number, what: string): number {
    const { bytes } = this;
    let stop = Math.max(from, this.#start + this.#unread);
    while (stop < end - 1 && bytes[stop] !== CR) stop++;
    if (stop - from > LONGEST_LINE) throw new ProtocolError(`too big ${what}`);
    if (stop < end - 1) return stop;
    this.#unread = end - 1 - this.#start;
    return -1;
  }

  #readLine(bytes: Buffer, start: number, end: number, unread: number): number {
    let stop = unread;
    while (stop < end && bytes[stop] !== LF) stop++;
    if (stop - start > LONGEST_LINE) throw new ProtocolError('too big inline request');
    if (stop === end) return -1;
    const words = wordsOf(bytes.toString('latin1', start, stop).replace(/\r$/, ''));
    const list = words.map((word) => `$${word.length}\r\n${word}\r\n`).join('');
    const command = Buffer.from(`*${words.length}\r\n${list}`, 'latin1');
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
  /"((?:\\.|[^"\\])*)"(?![^ \t\v\f\r])|'((?:\\'|\\(?!')|[^'\\])*)'(?![^ \t\v\f\r])|([^ \t\v\f\r"']+)|[ \t\v\f\r]+/sy;
const ESCAPE = /\\(?:x([0-9a-f]{2})|(.))/gis;
const ESCAPED: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t', b: '\b', a: '\x07' };

const unescaped = (text: string): string =>
  text.replace(ESCAPE, (_, hex: string | undefined, other: string) =>
    hex === undefined ? (ESCAPED[other] ?? other) : String.fromCharCode(Number.parseInt(hex, 16)),
  );

/** The words of a typed line. */
function wordsOf(line: string): string[] {
  const words: string[] = [];
  let word: string | undefined;
  for (TOKEN.lastIndex = 0; TOKEN.lastIndex < line.length; ) {
    const token = TOKEN.exec(line);
    if (token === null) throw new ProtocolError('unbalanced quotes in request');
    const [, double, single, plain] = token;
    const part = plain ?? single?.replaceAll("\\'", "'") ?? (double && unescaped(double));
    if (part !== undefined) word = (word ?? '') + part;
    else if (word !== undefined) {
      words.push(word);
      word = undefined;
    }
  }
  return word === undefined ? words : [...words, word];
}
