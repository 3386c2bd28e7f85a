/**
 * One peer's conversation, without a socket and without a clock: bytes in, answers out. The answers do not depend
 * on how the bytes are split into chunks. The work is linear in their number. It never throws for a fault of a peer
 * or a service. Every architecture drives this one object; architectures differ in what waits, and where.
 */
import { type Outbox, SHORT } from './outbox.ts';
import { DISMISSED, MORE, type Preamble } from './preamble.ts';
import type { Answer, DirectDialogue } from './service.ts';
import type { Speaker } from './speaker.ts';
import type { AnswerTable } from './table.ts';
import type { TimeSlice } from './time-slice.ts';

/**
 * What a conversation wants next:
 * - `undefined`: more bytes from the peer;
 * - a number: `resume` after that many ms; 0: as soon as others have had their turn;
 * - a promise: `resume` when it is settled (it never rejects);
 * - `'full'`: send what is in the outbox, then `resume`;
 * - `'close'`: send what is in the outbox, then close.
 */
export type Next = undefined | number | Promise<void> | 'full' | 'close';

/** True if the conversation wants `resume` at a time or event that its driver must wait for. */
export const isLater = (next: Next): next is number | Promise<void> =>
  typeof next === 'number' || typeof next === 'object';

/** `--think`: what an answer costs besides computing it. */
export interface Think {
  /** Blocks this thread before each answer. */
  readonly pause?: () => void;
  /** Delay of each answer in ms, in the driver's own way; 0: none. */
  readonly defer: number;
}

/** The limits that a conversation can check by itself, without a clock. */
export interface Bounds {
  /** Number of unsent answer bytes at which it stops answering, until they are sent. */
  readonly unsent: number;
  /** The longest question, in bytes; 0: no limit. */
  readonly questionSize: number;
  /** Number of questions that it answers before it closes; 0: no limit. */
  readonly questions: number;
  /** How much it answers before its driver has a turn, for other clients or for a stop; left out: no limit. */
  readonly slice?: TimeSlice;
  /** Counts the work of all conversations of a worker: answered questions, bytes received, bytes of answers. */
  readonly counter?: Float64Array;
  /** Times some of the answers; left out: none. */
  readonly times?: { begin(): number; end(startedAt: number): void } | undefined;
  /** Called when a limit is reached. Returns true if the conversation must end for it. */
  exceeded(limit: ConversationLimit): boolean;
}

type ConversationLimit = 'question-size' | 'questions';

/** Result of `#frame` if the frame function threw; -1 means that more bytes are needed. */
const FAILED = -2;

/** Result of `#answerKnown` if the peer must take its answers first. */
const FULL = -3;

/** Room for a short question, in bytes. A conversation keeps it for its next one. */
const SPARE = 64;

const UNHURRIED: Think = { defer: 0 };
const UNBOUNDED: Bounds = {
  unsent: 65_536,
  questionSize: 0,
  questions: 0,
  exceeded: () => false,
};

/** A service in JavaScript may return something else than its type says, and many conversations share the outbox. */
function checkAnswer(answer: unknown, mayBeSilent = false): void {
  if (typeof answer === 'string' || answer instanceof Uint8Array) return;
  if (answer === undefined && mayBeSilent) return;
  throw new TypeError(`the answer is of type ${typeof answer}: give text or bytes`);
}

export class Conversation {
  // What every question needs comes first, so that it lies together in memory.
  readonly #bounds: Bounds;
  readonly #table: AnswerTable | undefined;
  #preamble: Preamble | undefined;
  /** Bytes received and not yet answered: `#held[#from, #to)`. */
  #held: Buffer | undefined;
  /** The room of earlier questions that came in pieces, for the next one. */
  #spare: Buffer | undefined;
  #waiting: Next;
  /** Set by `open`, for a dialogue that frames and answers in one step. */
  #direct: DirectDialogue | undefined;
  /** True once it has returned `'close'`: later bytes from the peer are ignored. */
  #isOver = false;
  /** When a question that is timed has arrived; 0: none. */
  #askedAt = 0;
  readonly #speaker: Speaker;
  readonly #think: Think;
  #from = 0;
  #to = 0;
  /** Number of held bytes that are known to contain no complete question. */
  #searched = 0;
  /** Index just past the last question that a direct dialogue has answered. */
  #reached = 0;
  /** An answer that was requested and is not due yet. */
  #later: { readonly answer: Answer | undefined; settledJustNow?: boolean } | undefined;
  /** What the service threw, if it did: the reason of a `'close'` that the peer did not cause. */
  failure: unknown;
  /** The limit that ended the conversation, if one did. */
  limited: string | undefined;
  /** The limit for which it must end after its next answer. */
  #endsFor: string | undefined;
  #answered = 0;
  /** True from `open` to `closed`. */
  #isOpen = false;

  /** @param preamble takes the peer's first bytes. The conversation opens when it has taken enough */
  constructor(
    speaker: Speaker,
    think: Think = UNHURRIED,
    bounds: Bounds = UNBOUNDED,
    preamble?: Preamble,
  ) {
    this.#speaker = speaker;
    this.#think = think;
    this.#bounds = bounds;
    this.#preamble = preamble;
    // An answer that takes time, or is counted, cannot take the fast path.
    const isFree = think.pause === undefined && think.defer === 0 && bounds.questions === 0;
    const longest = bounds.questionSize || Number.POSITIVE_INFINITY;
    if (isFree && (speaker.table?.longest ?? 0) <= longest) this.#table = speaker.table;
  }

  /** Writes the protocol's greeting, if there is one. With a preamble, `receive` does this later. */
  open(out: Outbox): Next {
    if (this.#preamble !== undefined) return undefined;
    try {
      this.#speaker.opened?.();
      this.#isOpen = true;
      const { greeting, finished } = this.#speaker;
      this.#direct = this.#speaker.direct;
      if (greeting !== undefined) this.#write(greeting, out);
      return finished === true ? this.#close() : undefined;
    } catch (error) {
      return this.#fail(error);
    }
  }

  /** The connection has ended, for any reason. */
  closed(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    try {
      this.#speaker.closed?.();
    } catch (error) {
      this.failure ??= error ?? new Error('the service threw nothing');
    }
  }

  /** Takes the bytes `[start, end)` from the peer and writes each answer that is due to `out`. */
  receive(bytes: Buffer, start: number, end: number, out: Outbox): Next {
    if (this.#isOver) return 'close';
    if (this.#preamble !== undefined) return this.#receiveFirst(bytes, start, end, out);
    const { counter, times, slice } = this.#bounds;
    if (counter !== undefined) counter[1]! += end - start;
    if (this.#waiting === undefined) this.#askedAt = times?.begin() ?? 0;
    if (this.#held !== undefined || this.#waiting !== undefined) {
      this.hold(bytes, start, end);
      if (this.#waiting !== undefined) return this.#waiting;
      slice?.begin();
      return this.#answerHeld(out);
    }
    let at = start;
    if (this.#table !== undefined) {
      // Usually this answers everything.
      at = this.#answerKnown(this.#table, bytes, start, end, out);
      if (at === end) return undefined;
      if (at === FULL) return 'full';
    }
    slice?.begin();
    if (this.#direct === undefined) return this.#answerRest(bytes, at, end, out);
    const turn = this.#respond(this.#direct, bytes, at, end, out);
    const searched = this.#searched;
    this.hold(bytes, this.#reached, end);
    this.#searched = searched;
    return turn;
  }

  /** Keeps bytes that came too early. `resume` answers them. */
  hold(bytes: Buffer, start: number, end: number): void {
    const size = end - start;
    if (size === 0 || this.#isOver) return;
    if (this.#held === undefined) {
      // Reserve twice the size: most questions arrive in two pieces if not in one.
      const room = Math.max(SPARE, size * 2);
      const spare = room === SPARE ? this.#spare : undefined;
      this.#held = spare ?? Buffer.allocUnsafeSlow(room);
      this.#from = 0;
      this.#to = 0;
      this.#searched = 0;
    } else if (this.#to + size > this.#held.length) {
      const used = this.#to - this.#from;
      const room = Buffer.allocUnsafeSlow(Math.max(this.#held.length, (used + size) * 2));
      room.set(this.#held.subarray(this.#from, this.#to));
      this.#held = room;
      this.#from = 0;
      this.#to = used;
    }
    const held = this.#held;
    let to = this.#to;
    if (size > SHORT) held.set(bytes.subarray(start, end), to);
    else for (let i = start; i < end; i++) held[to++] = bytes[i]!;
    this.#to += size;
  }

  /** All held bytes are answered. */
  #release(): void {
    if (this.#held?.length === SPARE) this.#spare = this.#held;
    this.#held = undefined;
  }

  /** Continues after the wait, the promise or the sending that the last turn asked for. */
  resume(out: Outbox): Next {
    // Not after a promise: many that settle at once belong to one turn of the loop.
    if (typeof this.#waiting === 'number') this.#bounds.slice?.begin();
    this.#waiting = undefined;
    if (this.#isOver) return 'close';
    if (this.#later !== undefined) {
      const { answer, settledJustNow } = this.#later;
      if (settledJustNow === true && this.#think.defer > 0) {
        this.#later = { answer };
        this.#waiting = this.#think.defer;
        return this.#waiting;
      }
      this.#later = undefined;
      if (answer !== undefined) this.#write(answer, out);
      if (this.#afterAnswer() === 'close') return 'close';
    }
    return this.#answerHeld(out);
  }

  /** Ends the conversation for this limit, after the answer that it owes. */
  endAfterAnswer(limit: string): void {
    this.#endsFor = limit;
  }

  /**
   * The bytes that end a question, for an architecture that searches for them itself; undefined for other framings.
   */
  get delimiter(): Buffer | undefined {
    // The preamble contains bytes of any value.
    return this.#preamble === undefined ? this.#speaker.delimiter : undefined;
  }

  /** What must come before the conversation. Undefined once the conversation has begun. */
  get preamble(): Preamble | undefined {
    return this.#preamble;
  }

  /** True if nothing is pending and nothing is remembered: a new conversation would give the same answers. */
  get idle(): boolean {
    const keepsNothing = this.#speaker.stateless && this.#bounds.questions === 0;
    return keepsNothing && this.isAtRest;
  }

  /** True if nothing is pending: the peer has received all its answers, once they are sent. */
  get isAtRest(): boolean {
    return this.#held === undefined && this.#waiting === undefined && this.#preamble === undefined;
  }

  /** True while an answer is not due yet. */
  get isThinking(): boolean {
    return this.#waiting !== undefined;
  }

  /** Number of bytes held and not answered. */
  get heldLength(): number {
    return this.#held === undefined ? 0 : this.#to - this.#from;
  }

  /** A copy of the bytes received of an incomplete question. */
  get unfinished(): Buffer {
    return Buffer.from(this.#held?.subarray(this.#from, this.#to) ?? []);
  }

  /** The answer that was requested and not given yet. Empty if it is not known yet. */
  get owed(): Answer | undefined {
    if (this.#waiting !== undefined) return this.#later?.answer ?? '';
    if (this.#held === undefined || this.#isOver) return undefined;
    // Bytes that a direct dialogue has not seen may be a question. Only its answer can tell.
    if (this.#direct !== undefined) return this.#searched < this.heldLength ? '' : undefined;
    // A complete question that is held waits until earlier answers are sent.
    return this.#frame(this.#held, this.#from, this.#to, this.#searched) >= 0 ? '' : undefined;
  }

  #receiveFirst(bytes: Buffer, start: number, end: number, out: Outbox): Next {
    const preamble = this.#preamble!;
    const at = preamble.take(bytes, start, end);
    if (at === MORE) return undefined;
    if (at === DISMISSED) {
      const { text } = preamble.dismissal!;
      if (text !== '') out.write(text);
      return this.#close();
    }
    this.#preamble = undefined;
    return this.open(out) ?? this.receive(bytes, at, end, out);
  }

  /**
   * Answers the questions at the start that the table knows. Returns the index just past them, or FULL, and the rest is
   * held then.
   */
  #answerKnown(table: AnswerTable, bytes: Buffer, start: number, end: number, out: Outbox): number {
    const { counter, unsent } = this.#bounds;
    const before = out.length - out.start;
    const at = table.answer(bytes, start, end, out, unsent);
    const made = out.length - out.start;
    if (counter !== undefined) {
      counter[0]! += table.answered;
      counter[2]! += made - before;
    }
    if (this.#askedAt !== 0 && table.answered > 0) this.#noteTime();
    if (made < unsent) return at;
    this.hold(bytes, at, end);
    return FULL;
  }

  /** Answers `bytes[start, end)`, which begins with a question that the table does not know, or with a part of one. */
  #answerRest(bytes: Buffer, start: number, end: number, out: Outbox): Next {
    let at = start;
    while (at < end) {
      const next = this.#frame(bytes, at, end, 0);
      if (next === FAILED) return 'close';
      if (next < 0) {
        if (this.#isTooLong(end - at)) return 'close';
        this.hold(bytes, at, end);
        this.#searched = end - at;
        return undefined;
      }
      if (this.#bounds.slice?.isSpent()) {
        this.hold(bytes, at, end);
        return this.#giveWay();
      }
      const turn = this.#reply(bytes, at, next, out);
      at = next;
      if (turn !== undefined) {
        this.hold(bytes, at, end);
        return turn;
      }
      if (this.#table !== undefined) {
        at = this.#answerKnown(this.#table, bytes, at, end, out);
        if (at === FULL) return 'full';
      }
    }
    return undefined;
  }

  #answerHeld(out: Outbox): Next {
    if (this.#direct !== undefined && this.#held !== undefined) {
      const turn = this.#respond(this.#direct, this.#held, this.#from, this.#to, out);
      this.#from = this.#reached;
      if (this.#from === this.#to) this.#release();
      return turn;
    }
    while (this.#held !== undefined) {
      const next = this.#frame(this.#held, this.#from, this.#to, this.#searched);
      if (next === FAILED) return 'close';
      if (next < 0) {
        if (this.#isTooLong(this.#to - this.#from)) return 'close';
        this.#searched = this.#to - this.#from;
        return undefined;
      }
      if (this.#bounds.slice?.isSpent()) return this.#giveWay();
      const turn = this.#reply(this.#held, this.#from, next, out);
      this.#from = next;
      this.#searched = 0;
      if (this.#from === this.#to) this.#release();
      if (turn !== undefined) return turn;
    }
    return undefined;
  }

  /**
   * Lets a direct dialogue answer the questions in `bytes[start, end)`. `#reached` is then the index just past the
   * last one, and `#searched` says how much of the next one it has seen.
   */
  #respond(direct: DirectDialogue, bytes: Buffer, start: number, end: number, out: Outbox): Next {
    const { slice, unsent } = this.#bounds;
    this.#reached = start;
    while (this.#reached < end) {
      if (slice?.isSpent()) return this.#giveWay();
      const at = this.#reached;
      const made = out.length - out.start;
      const next = this.#respondOnce(direct, bytes, at, end, out);
      if (next < 0) {
        // Pieces of an answer that was not completed.
        out.truncate(made);
        if (next === FAILED) return 'close';
        this.#searched = end - at;
        return undefined;
      }
      this.#reached = next;
      this.#searched = 0;
      const turn = this.#afterResponse(made, out);
      if (turn !== undefined) return turn;
      if (out.length - out.start >= unsent) return 'full';
    }
    return undefined;
  }

  /** Returns the index just past the question, -1 if it is not complete, or FAILED if the conversation ends. */
  #respondOnce(
    direct: DirectDialogue,
    bytes: Buffer,
    at: number,
    end: number,
    out: Outbox,
  ): number {
    try {
      const { questionSize } = this.#bounds;
      // It sees no more than the longest question, so it never completes a longer one.
      const isLong = questionSize > 0 && end - at > questionSize;
      const seen = isLong ? Math.max(questionSize, this.#searched) : end - at;
      let next = direct.respond(bytes, at, at + seen, this.#searched, out);
      if (next === -1 && isLong) {
        if (this.#isTooLong(end - at)) return FAILED;
        next = direct.respond(bytes, at, end, seen, out);
      }
      if ((next > at && next <= end) || next === -1) return next;
      throw new RangeError(
        `respond gave ${next} for bytes ${at} to ${end}: give the index past a question, or -1`,
      );
    } catch (error) {
      this.#fail(error);
      return FAILED;
    }
  }

  /** @param made length of the answers before this one, in bytes */
  #afterResponse(made: number, out: Outbox): Next {
    this.#think.pause?.();
    if (this.#think.defer === 0) {
      this.#count(0, out.length - out.start - made);
      return this.#afterAnswer();
    }
    this.#later = { answer: out.copy(out.start + made) };
    out.truncate(made);
    this.#waiting = this.#think.defer;
    return this.#waiting;
  }

  #giveWay(): Next {
    this.#waiting = 0;
    return this.#waiting;
  }

  #frame(bytes: Buffer, start: number, end: number, searched: number): number {
    try {
      const next = this.#speaker.frame(bytes, start, end, searched);
      if ((next > start && next <= end) || next === -1) return next;
      throw new RangeError(
        `frame gave ${next} for bytes ${start} to ${end}: give the index past a question, or -1`,
      );
    } catch (error) {
      this.#fail(error);
      return FAILED;
    }
  }

  #fail(error: unknown): 'close' {
    this.failure = error ?? new Error('the service threw nothing');
    return this.#close();
  }

  #close(): 'close' {
    this.#isOver = true;
    this.#held = undefined;
    return 'close';
  }

  #isFinished(): boolean {
    try {
      return this.#speaker.finished === true;
    } catch (error) {
      this.#fail(error);
      return true;
    }
  }

  #isTooLong(length: number): boolean {
    const { questionSize } = this.#bounds;
    if (questionSize === 0 || length <= questionSize) return false;
    // It was too long before, and it is still the same question: a dry run counts it once.
    if (this.#searched > questionSize) return false;
    return this.#reach('question-size');
  }

  #reach(limit: ConversationLimit): boolean {
    if (!this.#bounds.exceeded(limit)) return false;
    this.limited = limit;
    this.#close();
    return true;
  }

  #reply(bytes: Buffer, start: number, end: number, out: Outbox): Next {
    if (this.#isTooLong(end - start)) return 'close';
    let answer: Answer | undefined | Promise<Answer | undefined>;
    try {
      this.#think.pause?.();
      answer = this.#speaker.answer(bytes, start, end);
      if (answer instanceof Promise) return this.#await(answer);
      checkAnswer(answer, this.#speaker.mayBeSilent);
      if (this.#think.defer > 0) {
        this.#later = { answer };
        this.#waiting = this.#think.defer;
        return this.#waiting;
      }
      if (answer !== undefined) this.#write(answer, out);
    } catch (error) {
      return this.#fail(error);
    }
    return (
      this.#afterAnswer() ?? (out.length - out.start >= this.#bounds.unsent ? 'full' : undefined)
    );
  }

  #count(questions: number, bytes: number): void {
    const { counter } = this.#bounds;
    if (counter === undefined) return;
    counter[0]! += questions;
    counter[2]! += bytes;
  }

  #noteTime(): void {
    if (this.#askedAt === 0) return;
    this.#bounds.times?.end(this.#askedAt);
    this.#askedAt = 0;
  }

  #write(answer: Answer, out: Outbox): void {
    // Relative to the start: an arena that grows moves both.
    const before = out.length - out.start;
    out.write(answer);
    this.#count(0, out.length - out.start - before);
  }

  #afterAnswer(): 'close' | undefined {
    this.#count(1, 0);
    this.#noteTime();
    if (this.#isFinished()) return this.#close();
    if (this.#endsFor !== undefined) {
      this.limited = this.#endsFor;
      return this.#close();
    }
    const { questions } = this.#bounds;
    if (questions > 0 && ++this.#answered === questions && this.#reach('questions')) return 'close';
    return undefined;
  }

  #await(promise: Promise<Answer | undefined>): Next {
    // One reaction for both outcomes: each step of a chain would delay the answer by one turn of the microtasks.
    this.#waiting = promise.then(
      (answer) => this.#settle(answer),
      (error) => void this.#fail(error),
    );
    return this.#waiting;
  }

  #settle(answer: Answer | undefined): void {
    try {
      checkAnswer(answer, this.#speaker.mayBeSilent);
      this.#later = { answer, settledJustNow: true };
    } catch (error) {
      this.#fail(error);
    }
  }
}
