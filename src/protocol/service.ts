/**
 * The interfaces for users: a service (a delimiter and an answer), or, one level lower, a protocol (any framing,
 * may speak first). Each is a module, named by path or URL, whose default export implements one of them. It must be
 * a module because each thread and process loads it for itself.
 */

/** An answer: bytes, or text that is sent as UTF-8. */
export type Answer = string | Uint8Array;

/** A question-and-answer service: enough for most uses. */
export interface Service {
  /** What ends a question: one or more characters, such as `'?'` or `'\r\n'`. */
  readonly delimiter: string;
  /** The answer to one question; the question includes its delimiter. A throw ends the conversation. */
  answer?(question: string): Answer;
  /**
   * The same as a promise. The architectures on Node's own loop prefer it to `answer`. The others use `answer`;
   * without `answer` they block the thread until the promise settles.
   */
  answerAsync?(question: string): Promise<Answer>;
  /** Questions whose answer never changes. They are tried before `answer`, and need no string. */
  readonly answers?: Readonly<Record<string, Answer>>;
  /** The answer to all other questions, if it never changes either: they need no string. */
  readonly otherwise?: Answer;
  /** The longest question it needs, in bytes, if that is more than the limit. */
  readonly questionSize?: number;
  /** How question bytes become text. Default `'utf8'`. */
  readonly encoding?: 'utf8' | 'latin1';
}

/** A protocol: a factory of dialogues, one per connection. */
export interface Protocol {
  /** The longest question it needs, in bytes, if that is more than the limit. */
  readonly questionSize?: number;
  dialogue(): Dialogue;
}

/** One connection's side of a protocol with its own framing. It may keep state of its own. */
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
}

/** Thrown for a module that is neither a service nor a protocol. */
export class ServiceError extends Error {
  override name = 'ServiceError';
}

export const isProtocol = (value: Service | Protocol): value is Protocol => 'dialogue' in value;

/** Checks a module's default export, so that a mistake is reported at the start and not to the first client. */
export function checkService(value: unknown, where: string): Service | Protocol {
  if (typeof value !== 'object' || value === null) {
    throw new ServiceError(
      `Cannot use service "${where}": its default export is ${value === undefined ? 'missing' : `a ${typeof value}`}; export default { delimiter, answer }`,
    );
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
