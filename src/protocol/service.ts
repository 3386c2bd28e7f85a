/**
 * The interfaces for users: a service (a delimiter and an answer), or, one level lower, a protocol (any framing,
 * may speak first). Each is a module, named by path or URL, whose default export implements one of them. It must be
 * a module because each thread and process loads it for itself.
 */

import type { Extras } from './proxy-extras.ts';

/**
 * An answer: bytes, or text that is sent as UTF-8.
 *
 * @example
 * ```ts
 * import type { Answer } from 'mondo';
 *
 * const text: Answer = '42.';
 * const bytes: Answer = new Uint8Array([52, 50, 46]);
 * console.log(text, bytes);
 * ```
 */
export type Answer = string | Uint8Array;

/**
 * The other end of a connection. Behind a proxy that announces its clients, the client; see `ServeOptions.proxy`.
 *
 * @example
 * ```ts
 * import type { Peer } from 'mondo';
 *
 * const nameOf = ({ family, address, port }: Peer): string =>
 *   family === 'unix' ? 'a local client' : `${address} ${port}`;
 * console.log(nameOf({ family: 'IPv4', address: '127.0.0.1', port: 48838, path: '' }));
 * ```
 */
export interface Peer extends Extras {
  readonly family: 'IPv4' | 'IPv6' | 'unix';
  /** Its IP address as text; `''` for a unix peer, and if the peer is gone already. */
  readonly address: string;
  /** Its port; 0 for a unix peer. */
  readonly port: number;
  /** The path of a unix peer's own socket: usually `''`, because clients bind none. Also `''` if Mondo cannot make system calls. */
  readonly path: string;
}

/**
 * The thread or process that has loaded the module.
 *
 * @example
 * ```ts
 * import type { ServiceContext } from 'mondo';
 *
 * export const open = ({ architecture, worker, thread }: ServiceContext): void =>
 *   console.log(`${architecture}: process ${worker}, thread ${thread ?? 'without a number'}`);
 * ```
 */
export interface ServiceContext {
  readonly architecture: string;
  /** Index of the worker process, from 0. */
  readonly worker: number;
  /** Index among the serving threads of the process, from 0; undefined for one that comes and goes. */
  readonly thread: number | undefined;
}

/**
 * What a module declares about the state that its answers depend on: none, or kept outside the process.
 *
 * @example
 * ```ts
 * import type { Service, Shared } from 'mondo';
 *
 * export const shared: Shared = 'none';
 * export default { delimiter: '?', answer: (question) => question } satisfies Service;
 * ```
 */
export type Shared = 'external' | 'none';

/**
 * What services and protocols have in common.
 *
 * @example
 * ```ts
 * import { closeSync, openSync, writeSync } from 'node:fs';
 * import type { Life, Service } from 'mondo';
 *
 * let file = -1;
 * const life: Life = {
 *   shared: 'external',
 *   open() {
 *     file = openSync('questions.log', 'a');
 *   },
 *   close: () => closeSync(file),
 * };
 * const service: Service = {
 *   ...life,
 *   delimiter: '\n',
 *   answer: (line) => `${writeSync(file, line)} bytes\n`,
 * };
 * export default service;
 * ```
 */
export interface Life {
  /** Without it, a server with several threads or processes prints that each has its own copy of the module. */
  readonly shared?: Shared;
  /**
   * Called once in each thread and process, before its first question. The server waits for a promise. A throw
   * refuses the start.
   */
  open?(context: ServiceContext): void | Promise<void>;
  /** Called once after the last question, if `open` has not thrown. A killed process does not call it. */
  close?(): void | Promise<void>;
}

/**
 * A question-and-answer service: enough for most uses. With `connected` or `disconnected`, each connection has a
 * state; `defineService` infers its type.
 *
 * @example
 * ```ts
 * import type { Service } from 'mondo';
 *
 * const lengths: Service = {
 *   delimiter: '?',
 *   answer: (question) => `${question.length - 1} characters.`,
 * };
 * export default lengths;
 * ```
 */
export interface Service<State = unknown> extends Life {
  /** What ends a question: one or more characters, such as `'?'` or `'\r\n'`. */
  readonly delimiter: string;
  /** Called for each new connection. It returns the connection's state. A throw ends the conversation. */
  connected?(peer: Peer): State;
  /** Called once when a connection has ended for any reason, if `connected` has not thrown. */
  disconnected?(state: State): void;
  /**
   * The answer to one question; the question includes its delimiter. A throw ends the conversation.
   *
   * @param state what `connected` has returned
   */
  answer?(question: string, state: State): Answer;
  /**
   * The same as a promise. Loops prefer it to `answer`, and have the answers of all connections outstanding together.
   * The others use `answer`; without `answer` they block the thread until the promise settles.
   */
  answerAsync?(question: string, state: State): Promise<Answer>;
  /** Questions whose answer never changes. They are tried before `answer`, and need no string. */
  readonly answers?: Readonly<Record<string, Answer>>;
  /** The answer to all other questions, if it never changes either: they need no string. */
  readonly otherwise?: Answer;
  /** The longest question it needs, in bytes, if that is more than the limit. */
  readonly questionSize?: number;
  /** How question bytes become text. Default `'utf8'`. */
  readonly encoding?: 'utf8' | 'latin1';
}

/**
 * Returns the service. The compiler infers the type of a connection's state from `connected`.
 *
 * @example
 * ```ts
 * import { defineService } from 'mondo';
 *
 * export default defineService({
 *   delimiter: '\n',
 *   connected: ({ address }) => ({ address, asked: 0 }),
 *   answer: (_line, state) => `${state.address} has asked ${++state.asked} questions\n`,
 * });
 * ```
 */
export const defineService = <State>(service: Service<State>): Service<State> => service;

/**
 * A protocol: a factory of dialogues, one per connection.
 *
 * @example
 * ```ts
 * import type { Protocol } from 'mondo';
 *
 * const echo: Protocol = {
 *   shared: 'none',
 *   dialogue: () => ({
 *     frame: (_bytes, start, end) => (end > start ? end : -1),
 *     answer: (question) => question,
 *   }),
 * };
 * export default echo;
 * ```
 */
export interface Protocol extends Life {
  /** The longest question it needs, in bytes, if that is more than the limit. */
  readonly questionSize?: number;
  /** Called for each new connection. A throw ends the conversation. */
  dialogue(peer: Peer): Dialogue | DirectDialogue;
}

/**
 * One connection's side of a protocol with its own framing. It may keep state of its own.
 *
 * @example
 * ```ts
 * import type { Dialogue, Protocol } from 'mondo';
 *
 * // Answers three lines, and closes.
 * class Lines implements Dialogue {
 *   readonly greeting = 'Hello.\n';
 *   #asked = 0;
 *
 *   get finished(): boolean {
 *     return this.#asked === 3;
 *   }
 *
 *   frame(bytes: Uint8Array, start: number, end: number, searched: number): number {
 *     const found = bytes.subarray(0, end).indexOf(10, start + searched);
 *     return found === -1 ? -1 : found + 1;
 *   }
 *
 *   answer(line: Uint8Array): string {
 *     return `${++this.#asked}: ${line.length - 1} bytes\n`;
 *   }
 * }
 *
 * const protocol: Protocol = { dialogue: () => new Lines() };
 * export default protocol;
 * ```
 */
export interface Dialogue {
  /** Sent as soon as the peer has connected, before its first question. */
  readonly greeting?: Answer;
  /**
   * Returns the index just past the first complete question in `bytes[start, end)`, or -1 if it is not complete. An
   * earlier call has seen its first `searched` bytes, so a search may continue there.
   */
  frame(bytes: Uint8Array, start: number, end: number, searched: number): number;
  /** The answer to one framed question; undefined: none is sent. A throw ends the conversation. */
  answer?(question: Uint8Array): Answer | undefined;
  /** The same as a promise; see `Service.answerAsync`. */
  answerAsync?(question: Uint8Array): Promise<Answer | undefined>;
  /** True once the server must close after its last answer. */
  readonly finished?: boolean;
  /** Called once when the connection has ended for any reason. */
  disconnected?(): void;
}

/**
 * Where a direct dialogue writes the answer to one question, in one or several pieces. Valid during `respond` only.
 *
 * @example
 * ```ts
 * import type { AnswerWriter } from 'mondo';
 *
 * export function writeLine(out: AnswerWriter, text: string): void {
 *   out.write(text);
 *   out.write('\n');
 * }
 * ```
 */
export interface AnswerWriter {
  /**
   * Appends text or bytes. It copies the bytes.
   *
   * @param encoding how to send text; with `latin1` each character is a byte. Default `utf8`
   */
  write(answer: Answer, encoding?: 'utf8' | 'latin1'): void;
  /** Appends the bytes `[start, end)`. It copies them. */
  writeRange(bytes: Uint8Array, start: number, end: number): void;
}

/**
 * A dialogue that finds a question and answers it in one step: no copy of the question and no object for each answer.
 * It is for short answers, many of them in one segment. It cannot answer with a promise.
 *
 * @example
 * ```ts
 * import type { DirectDialogue, Protocol } from 'mondo';
 *
 * // Sends each line back.
 * const dialogue = (): DirectDialogue => ({
 *   respond(bytes, start, end, searched, out) {
 *     const found = bytes.subarray(0, end).indexOf(10, start + searched);
 *     if (found === -1) return -1;
 *     out.writeRange(bytes, start, found + 1);
 *     return found + 1;
 *   },
 * });
 *
 * const protocol: Protocol = { dialogue };
 * export default protocol;
 * ```
 */
export interface DirectDialogue {
  /** Sent as soon as the peer has connected, before its first question. */
  readonly greeting?: Answer;
  /**
   * Answers the first question in `bytes[start, end)`.
   *
   * @param bytes valid during the call only: the next receive overwrites them
   * @param searched number of its first bytes that an earlier call has seen; 0: a new question
   * @param out takes the answer; without a write, none is sent
   * @returns the index just past the question; -1 if it is not complete, and then nothing that was written is sent.
   *   A throw ends the conversation
   */
  respond(bytes: Buffer, start: number, end: number, searched: number, out: AnswerWriter): number;
  /** True once the server must close after its last answer. */
  readonly finished?: boolean;
  /** Called once when the connection has ended for any reason. */
  disconnected?(): void;
}

/** Thrown for a module that is neither a service nor a protocol. */
export class ServiceError extends Error {
  override name = 'ServiceError';
}

export const isProtocol = (value: Service | Protocol): value is Protocol => 'dialogue' in value;

/** Checks what a module declares as `shared`. */
export function checkShared(value: unknown, where: string): Shared | undefined {
  if (value === undefined || value === 'external' || value === 'none') return value;
  throw new ServiceError(
    `Cannot use service "${where}": "shared" is ${JSON.stringify(value)}; give "external" or "none"`,
  );
}

/** Checks a module's default export, so that a mistake is reported at the start and not to the first client. */
export function checkService(value: unknown, where: string): Service | Protocol {
  if (typeof value !== 'object' || value === null) {
    throw new ServiceError(
      `Cannot use service "${where}": its default export is ${value === undefined ? 'missing' : `a ${typeof value}`}; export default { delimiter, answer }`,
    );
  }
  checkShared((value as Life).shared, where);
  for (const name of ['open', 'close', 'connected', 'disconnected'] as const) {
    const hook = (value as Partial<Service>)[name];
    if (hook === undefined || typeof hook === 'function') continue;
    throw new ServiceError(`Cannot use service "${where}": "${name}" is not a function`);
  }
  if ('dialogue' in value) {
    if (typeof value.dialogue === 'function') return value as Protocol;
    throw new ServiceError(`Cannot use service "${where}": "dialogue" is not a function`);
  }
  const { delimiter, answer, answerAsync, otherwise } = value as Partial<Service>;
  if (typeof delimiter !== 'string' || delimiter === '') {
    throw new ServiceError(
      `Cannot use service "${where}": "delimiter" is ${JSON.stringify(delimiter)}; give what ends a question, such as "?"`,
    );
  }
  const isAnswering = typeof answer === 'function' || typeof answerAsync === 'function';
  if (!isAnswering && otherwise === undefined) {
    throw new ServiceError(
      `Cannot use service "${where}": it has neither answer(question) nor answerAsync(question) nor otherwise`,
    );
  }
  return value as Service;
}
