/**
 * The client: asks questions over one connection and waits for their answers. It uses Node's own
 * sockets, so it runs anywhere. It may talk to a server that is not Mondo's.
 */
import { connect as open, type Socket } from 'node:net';
import { unknownOption } from '../../host/known-options.ts';
import { DEFAULT_PORT } from '../../host/plan.ts';
import { addressText, literalAddress } from '../../os/address.ts';
import { quoted } from '../../protocol/shown.ts';
import { Answers } from './answers.ts';
import { ClientError, type Reason, reasonOf } from './errors.ts';

/**
 * The options of a client.
 *
 * @example
 * ```ts
 * import { type ConnectOptions, connect } from 'mondo';
 *
 * const lines: ConnectOptions = { delimiter: '\n', answerTimeout: 1000 };
 * await using client = await connect('127.0.0.1', 1060, lines);
 * console.log(await client.ask('3 4 +\n'));
 * ```
 */
export interface ConnectOptions {
  /** Timeout for the connection, in ms. Default 5,000. */
  readonly connectTimeout?: number;
  /** Timeout for each answer after its question, in ms. Default 5,000. */
  readonly answerTimeout?: number;
  /** The text that ends an answer. Default `.` */
  readonly delimiter?: string;
}

const optionNames = Object.keys({
  connectTimeout: true,
  answerTimeout: true,
  delimiter: true,
} satisfies Record<keyof ConnectOptions, true>);

const DEFAULT_TIMEOUT = 5000;
/** A longer `setTimeout` would fire after 1 ms. */
const LONGEST_TIMEOUT = 2 ** 31 - 1;
/** Longest answer, in characters, so that a server that never ends one cannot fill the memory. */
const TOO_LONG = 2 ** 24;
/** Longest text that an error quotes, in characters. */
const QUOTED = 80;

/**
 * Connects to a server.
 *
 * @param host a name, an IPv4 or IPv6 address, or `unix:PATH`, which has no port
 * @throws ClientError if no server accepts the connection in time
 * @throws RangeError if an option or the address is not valid
 *
 * @example
 * ```ts
 * import { connect } from 'mondo';
 *
 * await using client = await connect('127.0.0.1', 1060);
 * console.log(await client.ask('Simple is better than?'));
 * ```
 */
export async function connect(
  host: string,
  port: number = DEFAULT_PORT,
  options: ConnectOptions = {},
): Promise<Client> {
  const fault = unknownOption('connect', options, optionNames);
  if (fault !== undefined) throw new RangeError(fault);
  const { connectTimeout = DEFAULT_TIMEOUT, answerTimeout = DEFAULT_TIMEOUT } = options;
  const { delimiter = '.' } = options;
  inRange('connectTimeout', connectTimeout, LONGEST_TIMEOUT);
  inRange('answerTimeout', answerTimeout, LONGEST_TIMEOUT);
  if (delimiter === '')
    throw new RangeError('Cannot use "" as delimiter: give what ends an answer');
  const literal = literalAddress(host, port);
  if (literal?.family !== 'unix') inRange('port', port, 65_535);
  const where = literal === undefined ? `${host}:${port}` : addressText(literal);
  const action = `Cannot connect to "${where}"`;
  const socket = open(
    literal?.family === 'unix'
      ? { path: literal.path }
      : { host: literal?.host ?? host, port, noDelay: true },
  );
  return new Promise((resolve, reject) => {
    const fail = (reason: Reason) => {
      clearTimeout(timer);
      socket.destroy();
      reject(new ClientError(action, reason));
    };
    const timer = setTimeout(() => {
      const state = `no connection within ${connectTimeout} ms; check the address, or wait longer`;
      fail({ kind: 'timeout', state });
    }, connectTimeout);
    const failed = (error: Error) => fail(reasonOf(error));
    socket.on('error', failed);
    socket.once('connect', () => {
      clearTimeout(timer);
      socket.off('error', failed);
      resolve(new Client(socket, where, answerTimeout, delimiter));
    });
  });
}

function inRange(what: string, value: number, most: number): void {
  if (Number.isInteger(value) && value >= 1 && value <= most) return;
  throw new RangeError(`Cannot use ${value} as ${what}: give a whole number from 1 to ${most}`);
}

interface Asked {
  readonly question: string;
  readonly timer: NodeJS.Timeout;
  resolve(answer: string): void;
  reject(error: ClientError): void;
}

/**
 * One connection to a server; `connect` makes it.
 *
 * @example
 * ```ts
 * import { type Client, connect } from 'mondo';
 *
 * // Sends the second question before the first answer comes.
 * const both = (client: Client): Promise<string[]> =>
 *   Promise.all([client.ask('Simple is better than?'), client.ask('Beautiful is better than?')]);
 * await using client = await connect('127.0.0.1');
 * console.log(await both(client));
 * ```
 */
export class Client implements AsyncDisposable {
  /** The server, as `HOST:PORT`, `[HOST]:PORT` or `unix:PATH`. */
  readonly where: string;
  readonly #socket: Socket;
  readonly #timeout: number;
  readonly #delimiter: string;
  readonly #answers: Answers;
  #hasAnswer = false;
  /** Questions without an answer. Answers come in the order of their questions. */
  readonly #asked: Asked[] = [];
  /** Answers that came before their question. */
  readonly #early: string[] = [];
  /** Characters since the last complete answer. */
  #length = 0;
  /** Why no further question is possible; undefined while the connection works. */
  #over: Reason | undefined;

  /** @internal `connect` makes it. */
  constructor(socket: Socket, where: string, timeout: number, delimiter: string) {
    this.where = where;
    this.#socket = socket;
    this.#timeout = timeout;
    this.#delimiter = delimiter;
    this.#answers = new Answers(delimiter);
    // The stream decodes, because it keeps the first bytes of a character until the rest arrives.
    socket.setEncoding('utf8');
    socket.on('data', (text: string) => this.#receive(text));
    socket.on('end', () => this.#fail(this.#closed()));
    socket.on('error', (error) => this.#fail(reasonOf(error)));
    socket.on('close', () => this.#fail(this.#closed()));
  }

  /**
   * Asks a question, which is sent unchanged. A client may ask several before the first answer
   * comes.
   *
   * @returns the answer, with its delimiter
   * @throws ClientError if the answer is late, incomplete, or does not come
   */
  ask(question: string): Promise<string> {
    if (this.#over !== undefined) return Promise.reject(this.#error(question, this.#over));
    this.#socket.write(question);
    const early = this.#early.shift();
    if (early !== undefined) return Promise.resolve(early);
    this.#socket.resume();
    return new Promise((resolve, reject) => {
      // One late answer ends the connection: it would be taken for the answer to the next question.
      const timer = setTimeout(() => this.#fail(this.#late()), this.#timeout);
      this.#asked.push({ question, timer, resolve, reject });
    });
  }

  /** Sends text without waiting for an answer, such as a part of a question. */
  send(text: string): void {
    if (this.#over !== undefined) throw this.#error(text, this.#over);
    this.#socket.write(text);
  }

  /** Closes the connection. Text already written is still sent; open questions fail. */
  close(): Promise<void> {
    const socket = this.#socket;
    this.#giveUp({ kind: 'ended', state: 'this end has closed the connection; connect again' });
    if (socket.closed) return Promise.resolve();
    return new Promise((resolve) => {
      // A server that does not read must not hold its client for ever.
      const timer = setTimeout(() => socket.destroy(), this.#timeout);
      socket.once('close', () => {
        clearTimeout(timer);
        resolve();
      });
      socket.destroySoon();
    });
  }

  /** Closes the connection at the end of the block of `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #receive(text: string): void {
    const answers = this.#answers.push(text);
    this.#length =
      answers.length > 0 ? this.#answers.unfinished.length : this.#length + text.length;
    this.#hasAnswer ||= answers.length > 0;
    for (const answer of answers) {
      const asked = this.#asked.shift();
      clearTimeout(asked?.timer);
      if (asked === undefined) this.#early.push(answer);
      else asked.resolve(answer);
    }
    // Stops reading from a server that sends without a question. Its data then waits in the
    // kernel's buffers.
    if (this.#early.length > 0) this.#socket.pause();
    if (this.#length > TOO_LONG) {
      const state = `${this.#length} characters came and no end of the answer; see what listens there`;
      this.#fail({ kind: 'too long', state });
    }
  }

  #fail(reason: Reason): void {
    this.#giveUp(reason);
    this.#socket.destroy();
  }

  #giveUp(reason: Reason): void {
    this.#over ??= reason;
    for (const { question, timer, reject } of this.#asked.splice(0)) {
      clearTimeout(timer);
      reject(this.#error(question, reason));
    }
  }

  #error(question: string, reason: Reason): ClientError {
    return new ClientError(`Cannot ask ${quotedShort(question)} of "${this.where}"`, reason);
  }

  #late(): Reason {
    const time = this.#timeout % 1000 === 0 ? `${this.#timeout / 1000} s` : `${this.#timeout} ms`;
    const fix = 'check that the question is complete, or set a longer timeout';
    if (this.#length > 0) {
      const came = `only ${quotedShort(this.#answers.unfinished)} came within ${time}`;
      const end = quotedShort(this.#delimiter);
      return { kind: 'timeout', state: `${came}, and no ${end} to end the answer; ${fix}` };
    }
    const late = `the server has not answered for ${time}`;
    // A server that answered this client before is serving it, and may only be slow.
    const state = this.#hasAnswer
      ? `${late}; ${fix}`
      : `connected, but ${late}: it may be serving another client; wait until it is free, ${fix}`;
    return { kind: 'timeout', state };
  }

  #closed(): Reason {
    const came =
      this.#length === 0
        ? 'the server has closed the connection'
        : `the server closed the connection after ${quotedShort(this.#answers.unfinished)}`;
    return { kind: 'closed', state: `${came}; see its log, or connect again` };
  }
}

const quotedShort = (text: string) =>
  quoted(text.length > QUOTED ? `${text.slice(0, QUOTED)}…` : text);
