/**
 * All clients of one worker: their limits, the drain, and the account of each end. A driver knows no other policy
 * object. It owns no socket and reads no clock.
 */
import type { Limits } from '../limits/limits.ts';
import {
  accountOf,
  type ConversationEnd,
  type ConversationEvent,
  type Ending,
  LimitReached,
} from '../protocol/account.ts';
import type { Conversation } from '../protocol/conversation.ts';
import { Preamble } from '../protocol/preamble.ts';
import { Drain, type Orders } from './drain.ts';
import { Proxied, type ProxyParts, textOf } from './proxied.ts';
import { type Connections, Roster } from './roster.ts';
import type { TimeLimit } from './terms.ts';

/** What a worker gives its clients. */
export interface ClientsParts {
  readonly limits: Limits;
  readonly orders: Orders;
  /** See `Drain`. Default false. */
  readonly sparesNewcomers?: boolean;
  /** The worker's row of the scoreboard. */
  readonly row: { accepted(): void; ended(): void; addUnsent(bytes: number): void };
  /** Counts a connection that has ended, by the type of its account. */
  countEnd(how: Exclude<ConversationEnd['type'], 'refused'>): void;
  readonly journal: { readonly on: boolean; record(event: ConversationEvent): void };
  /** Counts a limit that was reached; true if the connection must end for it, false with `--dry-run`. */
  exceeded(limit: TimeLimit | 'unsent-total' | 'descriptor'): boolean;
  /** Total of answer bytes that peers have not taken, over all threads and processes of the server. */
  unsentOfAll(): number;
  /** Gives back a client's place under the limits on connections: see `come`. */
  release(holds: number): void;
  /** Set if each connection begins with the header of a proxy. */
  readonly proxy?: ProxyParts | undefined;
}

export class Clients {
  readonly #parts: ClientsParts;
  readonly #drain: Drain;
  readonly #roster: Roster;
  readonly #proxied: Proxied | undefined;
  readonly #peers: string[] = [];
  readonly #holds: number[] = [];
  /** By slot: bytes that the peer has not taken; set only if there ever were any. */
  readonly #unsent: number[] = [];
  #hasNoticed = false;
  /** Number of connections now. */
  count = 0;

  constructor(parts: ClientsParts) {
    this.#parts = parts;
    this.#drain = new Drain(parts.orders, parts.sparesNewcomers);
    this.#proxied = parts.proxy && new Proxied(parts.proxy);
    // Without proxies this limit must not make the looks more frequent.
    const limits = parts.proxy ? parts.limits : { ...parts.limits, proxyHeader: 0 };
    this.#roster = new Roster(limits, this.#drain, (limit) => parts.exceeded(limit));
  }

  /** True if each connection begins with a header, so that none can be served by a shared conversation at first. */
  get isProxied(): boolean {
    return this.#proxied !== undefined;
  }

  /** True once the worker must accept no more clients, and leave. Reads shared memory. */
  get isLeaving(): boolean {
    if (!this.#drain.isLeaving) return false;
    this.#roster.noteLeaving();
    return true;
  }

  /** Why it leaves. */
  get cause(): 'stop' | 'restart' {
    return this.#drain.cause;
  }

  /** True if the worker leaves and no client has any time left. */
  isOver(now: number): boolean {
    return this.#drain.isOver(now);
  }

  /**
   * True if the worker leaves and waits for no more clients. A loop calls this once in each turn. It may have been held
   * up in an answer, or without a processor, until the drain was over. Then it still has the turn in which it notices
   * the order, and answers what has come in time.
   */
  isDone(now: number): boolean {
    if (!this.isLeaving) return false;
    const isLate = !this.#hasNoticed;
    this.#hasNoticed = true;
    return this.count === 0 || (!isLate && this.#drain.isOver(now));
  }

  get limits(): Limits {
    return this.#parts.limits;
  }

  /** Reports a client that was accepted. If a proxy must announce it, the report waits for the header. */
  accepted(peer: string, queued?: number): void {
    if (this.#proxied !== undefined) return;
    const place = queued === undefined ? {} : { queued };
    this.#parts.journal.record({ type: 'accepted', peer, ...place });
  }

  /** What must come before the conversation of a new connection; undefined if nothing must. */
  preambleOf(slot: number): Preamble | undefined {
    const proxied = this.#proxied;
    if (proxied === undefined) return undefined;
    const { journal } = this.#parts;
    return new Preamble({
      faulted: (fault) => proxied.faulted(fault),
      announced: (header) => {
        const via = this.#peers[slot]!;
        const { client } = header;
        if (journal.on && client !== undefined) this.#peers[slot] = textOf(client);
        const holds = proxied.announced(header, this.#holds[slot]!);
        if (typeof holds !== 'number') return holds;
        this.#holds[slot] = holds;
        const peer = this.#peers[slot]!;
        if (journal.on) journal.record({ type: 'accepted', peer, ...(client ? { via } : {}) });
        return undefined;
      },
    });
  }

  /**
   * A client came.
   *
   * @param slot a small number that no other client of this worker has
   * @param holds the argument for `release` at its end
   * @param peer its address as text; may be empty if the journal is off
   */
  come(slot: number, holds: number, peer: string): void {
    this.#parts.row.accepted();
    this.count++;
    this.#roster.begin(slot);
    this.#holds[slot] = holds;
    if (this.#parts.journal.on) this.#peers[slot] = peer;
  }

  /** One of its questions was answered. The only call on the path of a question. */
  answered(slot: number): void {
    this.#roster.answered(slot);
  }

  /** The connection is between questions again, although its last question got no answer. */
  rested(slot: number): void {
    this.#roster.rested(slot);
  }

  /**
   * Notes how many bytes of its answers the peer has not taken; 0: it has taken all.
   *
   * @throws LimitReached if that is too much for the server as a whole. The old number then counts until the
   *   connection ends
   */
  unsent(slot: number, bytes: number): void {
    const { row, limits, exceeded, unsentOfAll } = this.#parts;
    if (limits.unsentTotal === 0) return;
    const more = bytes - (this.#unsent[slot] ?? 0);
    if (more === 0) return;
    // Add before the check: if two workers do this at once, at least one of them sees both numbers.
    row.addUnsent(more);
    if (more > 0 && unsentOfAll() > limits.unsentTotal && exceeded('unsent-total')) {
      row.addUnsent(-more);
      throw new LimitReached('unsent-total');
    }
    this.#unsent[slot] = bytes;
  }

  /** Counts a client that was refused because there is no room for its descriptor. */
  exceeded(limit: 'descriptor'): void {
    this.#parts.exceeded(limit);
  }

  /** How long until the next look, in ms from `now`; -1: none is needed. */
  untilLook(now: number): number {
    return this.#roster.untilNext(now, this.count);
  }

  /** Looks at all clients, if it is time to, and visits those that must change. */
  look(now: number, connections: Connections): void {
    this.#roster.look(now, connections);
  }

  /**
   * Looks at one client and returns the decision. `reason` then says why.
   *
   * @param waited ms that a thread has just slept in this phase
   */
  lookAt(slot: number, phase: number, now: number, waited = 0): number {
    return this.#roster.lookAt(slot, phase, now, waited);
  }

  /** Why the last `lookAt` did not return `STAY`. */
  get reason(): Exclude<Ending['cause'], 'end of stream'> {
    return this.#roster.cause;
  }

  /** Time in ms until `lookAt` may decide something else about this client; `Infinity`: never. */
  untilLimit(slot: number, now: number): number {
    return this.#roster.untilLimit(slot, now);
  }

  /**
   * Records a client's end, once, for every driver. The driver closes the socket after this.
   *
   * @param phase what the connection was doing
   */
  gone(slot: number, phase: number, conversation: Conversation | undefined, ending: Ending): void {
    const { row, release } = this.#parts;
    if (ending.cause === 'stop' || ending.cause === 'restart') {
      this.#drain.note(phase, this.#roster.isAnsweredSinceLeaving(slot));
    }
    const preamble = conversation?.preamble;
    if (preamble !== undefined) this.#proxied?.ends(preamble, ending, this.#holds[slot]!);
    // Before the account: it says so if this throws.
    conversation?.closed();
    this.#account(accountOf(this.#peers[slot] ?? '', conversation, ending));
    this.unsent(slot, 0);
    this.#roster.end(slot);
    this.count--;
    release(this.#holds[slot]!);
    row.ended();
  }

  /** The end of a client that had left before it was served. */
  neverServed(holds: number, peer: string, cause: Ending['cause']): void {
    const { row, release } = this.#parts;
    row.accepted();
    this.#account(accountOf(peer, undefined, { cause }));
    release(holds);
    row.ended();
  }

  /** The end of a client that was accepted and never read, because the worker has no time left for it. */
  neverHeard(holds: number, peer: string): void {
    const { journal, release } = this.#parts;
    journal.record({ type: 'cut', peer, why: this.#drain.cause });
    release(holds);
  }

  #account(event: ConversationEnd): void {
    const { journal, countEnd } = this.#parts;
    // It was accepted, for its proxy: only the other clients that are refused are not.
    countEnd(event.type === 'refused' ? 'limited' : event.type);
    if (journal.on) journal.record(event);
  }
}
