/** The rules for how long a connection may stay. Pure: times come in, a decision goes out. */
import type { Limits } from '../limits/limits.ts';
import { ANSWER, IDLE, PREAMBLE, QUESTION, THINKING } from './phase.ts';

// Decisions about a connection.
/** It stays. */
export const STAY = 0;
/** Read once more without waiting. Answer the bytes that have come; if none have, close the connection. */
export const LOOK = 1;
/** Close it. */
export const END = 2;
/** Close it as soon as it has the answer that it waits for. */
export const END_AFTER_ANSWER = 3;

/** The time limits, by the names under which they are counted and logged. */
export type TimeLimit = 'idle' | 'question-time' | 'answer-time' | 'age' | 'proxy-header';

type Times = Pick<Limits, 'idle' | 'questionTime' | 'answerTime' | 'age' | 'proxyHeader'>;

/**
 * Time that an unfinished question still has, in ms, when the server stops or the connection is too old. The server
 * owes nothing to an unfinished question, and Ctrl-C must be quick.
 */
export const UNFINISHED_MS = 250;

/** Time to take an answer for a connection that is too old, in ms, if no other limit sets one. */
const LONGEST_GRACE_MS = 10_000;

const LONGEST_LOOK_INTERVAL_MS = 1000;
const SHORTEST_LOOK_INTERVAL_MS = 10;

/**
 * Time that a connection still has when it is too old, in ms. Between questions it has none. A client that
 * pipelines is never between two questions, so it gets time to finish one or to take its answer.
 */
function graceOf(limits: Times, phase: number): number {
  if (phase === QUESTION) return UNFINISHED_MS;
  if (phase === ANSWER) return limits.answerTime || Math.min(limits.age, LONGEST_GRACE_MS);
  return 0;
}

/** The limit for one phase; 0 if there is none. */
function mostOf(limits: Times, phase: number): number {
  if (phase === IDLE) return limits.idle;
  if (phase === QUESTION) return limits.questionTime;
  if (phase === PREAMBLE) return limits.proxyHeader;
  return phase === ANSWER ? limits.answerTime : 0;
}

const nameOf = (phase: number): TimeLimit => {
  if (phase === IDLE) return 'idle';
  if (phase === PREAMBLE) return 'proxy-header';
  return phase === QUESTION ? 'question-time' : 'answer-time';
};

/**
 * The limit that a connection has reached; undefined for none.
 *
 * @param spent ms in this phase without an answer
 * @param age ms since the connection came
 */
export function limitReached(
  limits: Times,
  phase: number,
  spent: number,
  age: number,
): TimeLimit | undefined {
  if (limits.age > 0 && age >= limits.age + graceOf(limits, phase)) return 'age';
  const most = mostOf(limits, phase);
  return most > 0 && spent >= most ? nameOf(phase) : undefined;
}

/** Time in ms until `limitReached` may return something else if the phase stays; `Infinity`: never. */
export function untilLimit(limits: Times, phase: number, spent: number, age: number): number {
  const most = mostOf(limits, phase);
  const phaseLeft = most > 0 ? most - spent : Number.POSITIVE_INFINITY;
  const ageLeft =
    limits.age > 0 ? limits.age + graceOf(limits, phase) - age : Number.POSITIVE_INFINITY;
  return Math.max(0, Math.min(phaseLeft, ageLeft));
}

/** True if this limit closes a connection in this phase only after the answer that it waits for. */
export const endsAfterAnswer = (phase: number): boolean => phase === THINKING;

/**
 * Interval between two looks at all connections, in ms: a quarter of the shortest limit, at most 1 s. `Infinity` if
 * there is no time limit.
 */
export function lookInterval(times: Times): number {
  const { idle, questionTime, answerTime, age, proxyHeader } = times;
  const set = [idle, questionTime, answerTime, age, proxyHeader].filter((ms) => ms > 0);
  if (set.length === 0) return Number.POSITIVE_INFINITY;
  const quarter = Math.min(...set) / 4;
  return Math.max(SHORTEST_LOOK_INTERVAL_MS, Math.min(LONGEST_LOOK_INTERVAL_MS, quarter));
}

/**
 * Longest sleep in `recv` between questions, in ms: after it the thread must look at the clock. 0: for ever. A
 * limit on the age can close a connection at any time, so the thread looks as often as a loop does.
 */
export function restTimeout(limits: Times): number {
  if (limits.age === 0) return limits.idle;
  return Math.ceil(Math.min(limits.idle || Number.POSITIVE_INFINITY, lookInterval(limits)));
}

/** The same for a thread that sleeps in `send`. */
export function sendTimeout({ answerTime, age }: Times): number {
  const interval = lookInterval({ idle: 0, questionTime: 0, answerTime, age, proxyHeader: 0 });
  return Number.isFinite(interval) ? Math.ceil(interval) : 0;
}
