/** The clients of a worker on Node's own loop: one timer looks at all of them. */
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import { GONE } from '../../lifecycle/phase.ts';
import type { Connections } from '../../lifecycle/roster.ts';
import { END_AFTER_ANSWER, LOOK } from '../../lifecycle/terms.ts';
import type { Ending, LimitReached } from '../../protocol/account.ts';
import type { Conversation } from '../../protocol/conversation.ts';
import type { NodeHost } from '../../worker/contract.ts';

/** Interval between looks at the remaining clients while the worker leaves, in ms. */
const LEAVING_LOOK_INTERVAL_MS = 10;

/** One client, as the roster uses it. */
interface Connection {
  readonly phase: number;
  readonly conversation: Conversation;
  readonly hasUnread: boolean;
  /** Closes the connection because its time is up. */
  endFor(cause: Ending['cause']): void;
}

export class NodeClients implements Connections {
  readonly host: NodeHost;
  readonly #connections: (Connection | undefined)[] = [];
  readonly #free: number[] = [];
  #timer: NodeJS.Timeout | undefined;
  /**
   * True once the worker has read all bytes that had come when it received the order to leave. Without system calls,
   * only this shows that nothing has come.
   */
  #hasReadAll = false;

  constructor(host: NodeHost) {
    this.host = host;
  }

  /** @returns the connection's slot, until `remove` */
  add(connection: Connection): number {
    const slot = this.#free.pop() ?? this.#connections.length;
    this.#connections[slot] = connection;
    return slot;
  }

  remove(slot: number): void {
    this.#connections[slot] = undefined;
    this.#free.push(slot);
  }

  /** A client came: the looks start if they do not run. */
  watch(): void {
    if (this.#timer === undefined) this.#wait();
  }

  phaseOf(slot: number): number {
    return this.#connections[slot]?.phase ?? GONE;
  }

  visit(slot: number, decision: number, cause: LimitReached | 'stop' | 'restart'): void {
    const connection = this.#connections[slot];
    if (decision === END_AFTER_ANSWER) {
      connection?.conversation.endAfterAnswer((cause as LimitReached).limit);
    } else if (decision !== LOOK || this.#isQuiet(connection)) connection?.endFor(cause);
  }

  /** The last look at a connection between questions: Node reads by itself what has come, and answers it first. */
  #isQuiet(connection: Connection | undefined): boolean {
    return this.#hasReadAll && connection?.hasUnread === false;
  }

  /** Closes the connections in the order of a drain. Resolves when none is left, or when the time is up. */
  async leave(): Promise<void> {
    const { clients } = this.host;
    // The call notes that the worker is leaving: the log counts the clients that are answered after that.
    void clients.isLeaving;
    // Bytes that have already come are read and answered in the next turn.
    await nextTurn();
    await nextTurn();
    this.#hasReadAll = true;
    for (;;) {
      const now = performance.now();
      const isOver = clients.isOver(now);
      clients.look(now, this);
      if (isOver || !this.#connections.some((one) => one !== undefined && one.phase !== GONE))
        break;
      await sleep(LEAVING_LOOK_INTERVAL_MS);
    }
    clearTimeout(this.#timer);
  }

  #wait(): void {
    const ms = this.host.clients.untilLook(performance.now());
    this.#timer = ms < 0 ? undefined : setTimeout(() => this.#look(), ms).unref();
  }

  #look(): void {
    this.host.clients.look(performance.now(), this);
    this.#wait();
  }
}
