/**
 * The inner form of services and protocols, which a conversation drives: a frame function that finds the question,
 * and a function that answers it. Both read the bytes in the receive buffer.
 */
import { type Answer, type Dialogue, isProtocol, type Protocol, type Service } from './service.ts';
import { AnswerTable } from './table.ts';

export interface Speaker {
  /** True if it keeps no state of a conversation, so that one may serve several peers. */
  readonly stateless: boolean;
  /** What ends a question, if its framing is only a delimiter. */
  readonly delimiter?: Buffer;
  /** The questions that can be answered without a call of `answer`. */
  readonly table?: AnswerTable;
  readonly greeting?: Answer;
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

/**
 * Returns a function that makes the speaker of each new connection. A service has no state, so one speaker serves
 * all.
 *
 * @param asynchronous true if the architecture can continue while a promise is pending; then the asynchronous form
 *   of a service is preferred
 * @param answerElsewhere for an architecture that cannot continue, if the service has only that form
 */
export function speakersOf(
  service: Service | Protocol,
  asynchronous: boolean,
  answerElsewhere?: AnswerElsewhere,
): () => Speaker {
  if (isProtocol(service)) {
    return () => {
      try {
        return speakerOfDialogue(service.dialogue(), asynchronous);
      } catch (error) {
        return failing(error);
      }
    };
  }
  const speaker = speakerOfService(service, asynchronous, answerElsewhere);
  return () => speaker;
}

/** Replaces a dialogue that could not be made: the conversation fails as soon as it is opened. */
const failing = (error: unknown): Speaker => ({
  stateless: false,
  get greeting(): string {
    throw error;
  },
  frame: () => -1,
  answer: () => undefined,
});

/** Selects which of a service's two forms this architecture calls. */
function answering<Q extends string | Uint8Array, A>(
  service: {
    answer?(question: Q): A;
    answerAsync?(question: Q): Promise<A>;
  },
  asynchronous: boolean,
  answerElsewhere: ((question: Q) => A) | undefined,
): (question: Q) => A | Promise<A> {
  if (service.answerAsync !== undefined && (asynchronous || service.answer === undefined)) {
    if (asynchronous) return (question) => service.answerAsync!(question);
    if (answerElsewhere !== undefined) return answerElsewhere;
    throw new Error('Cannot wait for answerAsync here: give the service answer(question) as well');
  }
  return (question) => service.answer!(question);
}

function speakerOfService(
  service: Service,
  asynchronous: boolean,
  answerElsewhere?: AnswerElsewhere,
): Speaker {
  const delimiter = Buffer.from(service.delimiter);
  const encoding = service.encoding ?? 'utf8';
  const answer = answering(service, asynchronous, answerElsewhere as (question: string) => Answer);
  const frame = delimiter.length === 1 ? endingIn(delimiter[0]!) : endingInSeveral(delimiter);
  const isQuestion = (bytes: Buffer) => frame(bytes, 0, bytes.length, 0) === bytes.length;
  const table = new AnswerTable(service.answers ?? {}, isQuestion, encoding);
  const otherwise = service.otherwise === undefined ? undefined : Buffer.from(service.otherwise);
  return {
    stateless: true,
    delimiter,
    ...(service.answers === undefined ? {} : { table }),
    frame,
    answer: (bytes, start, end) =>
      // Questions that came in pieces are found only here, and all of them if every answer costs time.
      table.find(bytes, start, end) ?? otherwise ?? answer(bytes.toString(encoding, start, end)),
  };
}

function speakerOfDialogue(dialogue: Dialogue, asynchronous: boolean): Speaker {
  // A dialogue keeps its state in this thread, so its promise cannot be made in another thread.
  const answer = answering<Uint8Array, Answer | undefined>(dialogue, asynchronous, undefined);
  return {
    stateless: false,
    ...(dialogue.greeting === undefined ? {} : { greeting: dialogue.greeting }),
    frame: (bytes, start, end, searched) => dialogue.frame(bytes, start, end, searched),
    // A copy: the next recv overwrites the buffer of the bytes, and a dialogue may keep them.
    answer: (bytes, start, end) => answer(Uint8Array.prototype.slice.call(bytes, start, end)),
    get finished() {
      return dialogue.finished === true;
    },
  };
}

function endingIn(delimiter: number): Speaker['frame'] {
  return (bytes, start, end, searched) => {
    for (let i = start + searched; i < end; i++) if (bytes[i] === delimiter) return i + 1;
    return -1;
  };
}

function endingInSeveral(delimiter: Buffer): Speaker['frame'] {
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
