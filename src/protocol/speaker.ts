/**
 * The inner form of services and protocols, which a conversation drives: a frame function that finds the question,
 * and a function that answers it. Both read the bytes in the receive buffer.
 */
import {
  type Answer,
  type Dialogue,
  type DirectDialogue,
  isProtocol,
  type Peer,
  type Protocol,
  type Service,
  ServiceError,
} from './service.ts';
import { AnswerTable, type Frame } from './table.ts';

export interface Speaker {
  /** True if it keeps no state of a conversation, so that one may serve several peers. */
  readonly stateless: boolean;
  /** True if it may leave a question without an answer. */
  readonly mayBeSilent?: boolean;
  /** What ends a question, if its framing is only a delimiter. */
  readonly delimiter?: Buffer;
  /** The questions that can be answered without a call of `answer`. */
  readonly table?: AnswerTable;
  readonly greeting?: Answer | undefined;
  /** Frames and answers instead of `frame` and `answer`. Known once `greeting` was read. */
  readonly direct?: DirectDialogue | undefined;
  /** Called when its connection begins, and `closed` when it has ended. */
  opened?(): void;
  closed?(): void;
  frame(bytes: Buffer, start: number, end: number, searched: number): number;
  answer(
    bytes: Buffer,
    start: number,
    end: number,
  ): Answer | undefined | Promise<Answer | undefined>;
  readonly finished?: boolean;
}

/** Runs the asynchronous form in another thread, and blocks this thread until it settles. */
export type AnswerElsewhere = (question: string | Uint8Array) => Answer | undefined;

/** Finds the peer of a connection. Called only for a service that wants it. */
export type PeerOf = () => Peer;

/** The peer of a conversation without a socket. */
const nowhere: PeerOf = () => ({ family: 'unix', address: '', port: 0, path: '' });

/**
 * Returns a function that makes the speaker of each new connection. A service without hooks for connections has no
 * state, so one speaker serves all.
 *
 * @param asynchronous true if the architecture can continue while a promise is pending; then the asynchronous form
 *   of a service is preferred
 * @param answerElsewhere for an architecture that cannot continue, if the service has only that form
 */
export function speakersOf(
  service: Service | Protocol,
  asynchronous: boolean,
  answerElsewhere?: AnswerElsewhere,
): (peer?: PeerOf) => Speaker {
  if (isProtocol(service)) {
    return (peer = nowhere) => speakerOfDialogue(() => service.dialogue(peer()), asynchronous);
  }
  const hasState = service.connected !== undefined || service.disconnected !== undefined;
  // Another thread has no part in the state of a connection.
  const elsewhere = hasState ? undefined : answerElsewhere;
  const answer = answering(service, asynchronous, elsewhere as AnswerOf | undefined);
  const parts = partsOf(service);
  if (hasState) return (peer = nowhere) => speakerWithState(service, parts, answer, peer);
  const speaker = speakerOfService(parts, (question) => answer(question, undefined));
  return () => speaker;
}

type AnswerOf = (question: string, state: unknown) => Answer;

/** Selects which of a service's two forms this architecture calls. */
function answering<Q extends string | Uint8Array, A>(
  service: {
    answer?(question: Q, state: unknown): A;
    answerAsync?(question: Q, state: unknown): Promise<A>;
  },
  asynchronous: boolean,
  answerElsewhere: ((question: Q, state: unknown) => A) | undefined,
): (question: Q, state: unknown) => A | Promise<A> {
  if (service.answerAsync !== undefined && (asynchronous || service.answer === undefined)) {
    if (asynchronous) return (question, state) => service.answerAsync!(question, state);
    if (answerElsewhere !== undefined) return answerElsewhere;
    throw new ServiceError(
      'Cannot wait for answerAsync here: give the service answer(question) as well',
    );
  }
  return (question, state) => service.answer!(question, state);
}

/** What all speakers of a service share. */
interface ServiceParts {
  readonly encoding: 'utf8' | 'latin1';
  readonly fixed: Pick<Speaker, 'delimiter' | 'table' | 'frame'>;
  /** The answer to a question that has the same one each time. */
  constant(bytes: Buffer, start: number, end: number): Answer | undefined;
}

function partsOf(service: Service): ServiceParts {
  const delimiter = Buffer.from(service.delimiter);
  const encoding = service.encoding ?? 'utf8';
  const frame = endingIn(delimiter);
  const isQuestion = (bytes: Buffer) => frame(bytes, 0, bytes.length, 0) === bytes.length;
  const answer = service.otherwise;
  const otherwise = answer === undefined ? undefined : { answer: Buffer.from(answer), frame };
  const table = new AnswerTable(service.answers ?? {}, isQuestion, encoding, otherwise);
  return {
    encoding,
    fixed: { delimiter, ...(service.answers === undefined ? {} : { table }), frame },
    // Questions that came in pieces are found only here, and all of them if every answer costs time.
    constant: (bytes, start, end) => table.find(bytes, start, end) ?? otherwise?.answer,
  };
}

function speakerOfService(
  { encoding, fixed, constant }: ServiceParts,
  answer: (question: string) => Answer | Promise<Answer>,
): Speaker {
  return {
    stateless: true,
    ...fixed,
    answer: (bytes, start, end) =>
      constant(bytes, start, end) ?? answer(bytes.toString(encoding, start, end)),
  };
}

/** The speaker of one connection. */
function speakerWithState(
  service: Service,
  { encoding, fixed, constant }: ServiceParts,
  answer: (question: string, state: unknown) => Answer | Promise<Answer>,
  peer: PeerOf,
): Speaker {
  let state: unknown;
  return {
    stateless: false,
    ...fixed,
    opened() {
      state = service.connected?.(peer());
    },
    closed: () => service.disconnected?.(state),
    answer: (bytes, start, end) =>
      constant(bytes, start, end) ?? answer(bytes.toString(encoding, start, end), state),
  };
}

/** @param make makes the dialogue. Called with the first use, because drivers make conversations before peers come */
function speakerOfDialogue(make: () => Dialogue | DirectDialogue, asynchronous: boolean): Speaker {
  let dialogue: Dialogue | undefined;
  let direct: DirectDialogue | undefined;
  let answer: ((question: Uint8Array, state: unknown) => unknown) | undefined;
  const made = (): Dialogue => {
    if (dialogue !== undefined) return dialogue;
    const one = make();
    if ('respond' in one) {
      direct = one;
      // Its conversation calls neither: it has `direct`.
      dialogue = one as DirectDialogue & Dialogue;
      return dialogue;
    }
    // A dialogue keeps its state in this thread, so its promise cannot be made in another thread.
    answer = answering<Uint8Array, Answer | undefined>(one, asynchronous, undefined);
    dialogue = one;
    return one;
  };
  return {
    stateless: false,
    mayBeSilent: true,
    get greeting() {
      return made().greeting;
    },
    get direct() {
      return direct;
    },
    closed: () => dialogue?.disconnected?.(),
    frame: (bytes, start, end, searched) => made().frame(bytes, start, end, searched),
    answer(bytes, start, end) {
      made();
      // A copy: the next recv overwrites the buffer of the bytes, and a dialogue may keep them.
      const question: Uint8Array = Uint8Array.prototype.slice.call(bytes, start, end);
      return answer!(question, undefined) as Answer | undefined | Promise<Answer | undefined>;
    },
    get finished() {
      return dialogue?.finished === true;
    },
  };
}

/** Finds the end of a question that ends in `delimiter`. */
export const endingIn = (delimiter: Buffer): Frame =>
  delimiter.length === 1 ? endingInOne(delimiter[0]!) : endingInSeveral(delimiter);

function endingInOne(delimiter: number): Frame {
  return (bytes, start, end, searched) => {
    for (let i = start + searched; i < end; i++) if (bytes[i] === delimiter) return i + 1;
    return -1;
  };
}

function endingInSeveral(delimiter: Buffer): Frame {
  const { length } = delimiter;
  const last = delimiter[length - 1];
  return (bytes, start, end, searched) => {
    // The search looks for the last byte of the delimiter, so it finds a split delimiter without stepping back.
    for (let i = start + Math.max(searched, length - 1); i < end; i++) {
      if (bytes[i] !== last) continue;
      let k = length - 2;
      while (k >= 0 && delimiter[k] === bytes[i - length + 1 + k]) k--;
      if (k < 0) return i + 1;
    }
    return -1;
  };
}
