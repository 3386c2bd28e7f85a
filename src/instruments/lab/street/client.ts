/** One client of a stage: a real connection, and what a person of its temper does with it. */
import { BUSY } from '../../../limits/admission.ts';
import { aphorisms } from '../../../protocol/zen.ts';
import { Answers, MORE, WRONG } from '../../load/answers.ts';
import { Script } from '../../load/script.ts';
import { choiceOf, type Person, pauseOf } from '../shared/cast.ts';
import { EVENT, type EventKind } from '../shared/records.ts';
import { addressOf } from '../shared/wire.ts';
import type { StreetBooks } from './books.ts';
import type { Caller, Lines } from './lines.ts';

const framing = { kind: 'delimiter', answerEnd: '.' } as const;
const script = new Script(
  Object.entries(aphorisms).map(([question, answer]) => ({ question, answer })),
  framing,
);

/** Least pause before a question, in ms. Without any, one client would tell more than a viewer can see. */
const LEAST_PAUSE = 10;
/** Mean time of a slow question, in ms, and the bytes that a slow client sends at once. */
const SLOW_QUESTION = 900;
const PIECE = 4;
/** Least time before a client comes again after it left, in ms. */
const LEAST_ABSENCE = 100;
/** Mean time before a client comes again after the server ended it, in ms; it doubles, up to the other. */
const FIRST_ABSENCE = 200;
const LONGEST_ABSENCE = 1333;
/** Keeps the random numbers of slow questions and of absences apart from those of pauses. */
const SLOW = 1_000_000;
const ABSENCES = 2_000_000;

/** What the clients of one stage share. */
export interface Place {
  readonly s: number;
  readonly port: number;
  /** Mean pause before a question, in ms. */
  readonly pause: number;
  readonly lines: Lines;
  readonly books: StreetBooks;
  /** ms since the recording began. */
  now(): number;
  /** Calls `act` at this time. */
  at(time: number, act: () => void): void;
}

/** A question that waits for its answer. */
interface Asked {
  readonly question: number;
  readonly at: number;
}

export class Client implements Caller {
  readonly #place: Place;
  readonly #person: Person;
  readonly #answers = new Answers(script, framing, 1);
  /** Called when it does not come again; undefined: it always does. */
  readonly #gone: (() => void) | undefined;
  #fd: number | undefined;
  /** Number of the visit: what was planned in an earlier one does not happen. */
  #visit = 0;
  #isConnected = false;
  #asked: Asked[] = [];
  /** Questions of every visit so far. */
  #number = 0;
  /** Answers of this visit. */
  #got = 0;
  /** Visits that the server ended, since the last answer. */
  #ended = 0;

  constructor(place: Place, person: Person, gone?: () => void) {
    this.#place = place;
    this.#person = person;
    this.#gone = gone;
  }

  /** It comes at this time. */
  arrive(time: number): void {
    const visit = this.#visit;
    this.#place.at(time, () => {
      if (visit === this.#visit) this.#come();
    });
  }

  /** It leaves, and does not come again. */
  leave(): void {
    if (this.#fd !== undefined) this.#close(EVENT.left);
    this.#visit++;
  }

  /** Its connection is closed, and tells nothing. */
  vanish(): void {
    if (this.#fd !== undefined) this.#place.lines.close(this.#fd);
    this.#fd = undefined;
    this.#visit++;
  }

  connected(): void {
    const { lines, books } = this.#place;
    const { id, temper } = this.#person;
    this.#isConnected = true;
    this.#note(EVENT.connected, books.isTold(id) ? lines.portOf(this.#fd!) : 0);
    if (temper === 'silent') return;
    this.#afterPause(() => (temper === 'leaving' ? this.#askHalf() : this.#ask()));
  }

  received(bytes: Buffer, count: number): void {
    if (this.#got === 0 && bytes.toString('latin1', 0, count) === BUSY) {
      this.#close(EVENT.refused);
      this.#comeAgainLater();
      return;
    }
    for (let from = 0; from < count; ) {
      const asked = this.#asked[0];
      const end =
        asked === undefined ? WRONG : this.#answers.read(0, asked.question, bytes, from, count);
      if (end === MORE) return;
      if (asked === undefined || end === WRONG) {
        this.#hearWrong();
        return;
      }
      from = end;
      this.#asked.shift();
      this.#got++;
      this.#ended = 0;
      this.#note(EVENT.answered, Math.round((this.#place.now() - asked.at) * 1000));
    }
    if (this.#asked.length > 0) return;
    const { questions } = this.#person;
    if (questions > 0 && this.#got >= questions) this.#goFor(EVENT.left);
    else this.#afterPause(() => this.#ask());
  }

  ended(failed: boolean): void {
    this.#fd = undefined;
    this.#visit++;
    if (this.#isConnected) this.#note(failed ? EVENT.reset : EVENT.cut, 0);
    else this.#note(EVENT.refused, -1);
    this.#comeAgainLater();
  }

  #come(): void {
    const { s, port, lines } = this.#place;
    this.#visit++;
    this.#isConnected = false;
    this.#asked = [];
    this.#got = 0;
    this.#answers.forget(0);
    this.#note(EVENT.connecting, 0);
    this.#fd = lines.dial(port, addressOf(s, this.#person.id), this);
    if (this.#fd === undefined) {
      this.#note(EVENT.refused, -1);
      this.#comeAgainLater();
    } else lines.look(this.#fd);
  }

  #ask(): void {
    const { temper } = this.#person;
    const question = choiceOf(this.#person, this.#number, script.count);
    if (temper === 'pipelining') this.#askAll();
    else if (temper === 'slow') this.#askSlowly(question, 0);
    else {
      this.#send(question, 0, script.question(question).length);
      this.#hasAsked(question);
    }
  }

  #askAll(): void {
    this.#place.lines.send(this.#fd!, script.address, script.startOf(script.count));
    for (let question = 0; question < script.count; question++) this.#hasAsked(question);
  }

  #askSlowly(question: number, from: number): void {
    const { length } = script.question(question);
    const to = Math.min(length, from + PIECE);
    this.#send(question, from, to);
    if (to === length) {
      this.#hasAsked(question);
      return;
    }
    const whole = pauseOf(this.#person, SLOW + this.#number, SLOW_QUESTION);
    this.#later((whole * PIECE) / length, () => this.#askSlowly(question, to));
  }

  #askHalf(): void {
    const question = choiceOf(this.#person, this.#number, script.count);
    this.#send(question, 0, Math.floor(script.question(question).length / 2));
    this.#number++;
    this.#afterPause(() => this.#goFor(EVENT.hungUp));
  }

  #send(question: number, from: number, to: number): void {
    const address = script.address + script.startOf(question) + from;
    this.#place.lines.send(this.#fd!, address, to - from);
  }

  #hasAsked(question: number): void {
    this.#number++;
    this.#asked.push({ question, at: this.#place.now() });
    this.#note(EVENT.asked, script.question(question).length);
  }

  /** What comes after a wrong answer belongs to no question, so it leaves. */
  #hearWrong(): void {
    this.#note(EVENT.wrong, 0);
    this.#goFor(EVENT.left);
  }

  /** Closes, and comes again after a pause. */
  #goFor(kind: EventKind): void {
    this.#close(kind);
    const absence = pauseOf(this.#person, this.#number, this.#place.pause);
    this.arrive(this.#place.now() + Math.max(LEAST_ABSENCE, absence));
  }

  #close(kind: EventKind): void {
    this.#place.lines.close(this.#fd!);
    this.#fd = undefined;
    this.#visit++;
    // The counters have each connection once at its beginning and once at its end.
    const counts = this.#isConnected || kind !== EVENT.left;
    this.#note(kind, kind === EVENT.refused ? -1 : 0, counts);
  }

  #comeAgainLater(): void {
    if (this.#gone !== undefined) {
      this.#gone();
      return;
    }
    const mean = Math.min(LONGEST_ABSENCE, FIRST_ABSENCE * 2 ** this.#ended++);
    const absence = pauseOf(this.#person, ABSENCES + this.#ended, mean);
    this.arrive(this.#place.now() + absence);
  }

  #afterPause(act: () => void): void {
    const pause = pauseOf(this.#person, this.#number, this.#place.pause);
    this.#later(Math.max(LEAST_PAUSE, pause), act);
  }

  #later(ms: number, act: () => void): void {
    const visit = this.#visit;
    this.#place.at(this.#place.now() + ms, () => {
      if (visit === this.#visit) act();
    });
  }

  #note(kind: EventKind, extra: number, counts = true): void {
    this.#place.books.note(kind, this.#person.id, extra, this.#place.now(), counts);
  }
}
