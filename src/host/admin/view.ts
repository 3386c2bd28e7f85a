/** A running server as its admin listener sees it: read in the supervisor, without a question to any worker. */
import type { AcceptQueue } from '../../os/socket.ts';
import type { AnswerTimesReading } from '../../worker/answer-times.ts';
import type { End, Header, RowReading, Work } from '../../worker/scoreboard.ts';

/**
 * - `starting`: its workers do not serve yet;
 * - `ready`: it serves;
 * - `lame`: it will stop, and still accepts clients;
 * - `draining`: it accepts no more clients;
 * - `stopped`: nothing of it is left.
 *
 * @example
 * ```ts
 * import type { ServerState } from 'mondo';
 *
 * export const accepts = (state: ServerState): boolean => state === 'ready' || state === 'lame';
 * ```
 */
export type ServerState = 'starting' | 'ready' | 'lame' | 'draining' | 'stopped';

/** Why a worker process has ended: it left in order, was too late and was killed, failed, or got a signal. */
export type ExitReason = 'left' | 'late' | 'failed' | 'signal';

export interface Restarts {
  /** New workers serve. */
  readonly done: number;
  /** New workers could not start. */
  readonly failed: number;
  /** When the last one was done, in ms since 1970. Undefined if there was none. */
  readonly lastAt: number | undefined;
}

export interface View {
  readonly architecture: string;
  /** Its address as text. */
  readonly where: string;
  readonly generation: number;
  /** Number of worker processes that serve, and have no order to leave. */
  readonly serving: number;
  /** Number of worker threads that have work and get nowhere. */
  readonly stuck: number;
  /** Connections now, and the most that there may be; `Infinity`: no limit. */
  readonly connections: { readonly open: number; readonly limit: number };
  /** Answer bytes that clients have not taken. */
  readonly unsent: number;
  /** Events that workers could not report. */
  readonly dropped: number;
  readonly restarts: Restarts;
  readonly exits: Readonly<Record<ExitReason, number>>;
  /** Process ids of the server: the supervisor first, then each process before those that it has started. */
  readonly pids: readonly number[];
  workers(): RowReading[];
  work(): Work;
  /** Connections that were closed or refused for a limit, by reason. All reasons are there. */
  limited(): Readonly<Record<string, number>>;
  /** Headers of the PROXY protocol that were used, by what they were. */
  headers(): Readonly<Record<Header, number>>;
  /** Connections that have ended, by the way in which they ended. */
  ended(): Readonly<Record<End, number>>;
  /** The times of answers. Undefined if none are timed. */
  answerTimes(): AnswerTimesReading | undefined;
  /** The accept queues of all listeners together. Undefined if they are unknown, or closed. */
  queue(): AcceptQueue | undefined;
}
