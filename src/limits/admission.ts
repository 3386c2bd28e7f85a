/**
 * Decides which clients are admitted: by network, by the number of connections and the rate of their address
 * (addresses.ts), and by the total number of connections (places.ts). All threads and processes of a server decide
 * on the same shared memory.
 */
import { ADDRESSES_END, Addresses, dropAddresses, seedAddresses } from './addresses.ts';
import { type Limits, UNBOUNDED } from './limits.ts';
import { Networks } from './networks.ts';
import { boundOf, dropPlaces, openOf, Places } from './places.ts';
import { Trusted } from './trusted.ts';
import { dropChance, type WhenFull } from './when-full.ts';

/** Size of the memory, in words of 32 bits. */
export const ADMISSION_WORDS = ADDRESSES_END;

/** What a busy server sends to a client that it refuses, with the policy `busy`. */
export const BUSY = 'Error: server is busy.\n';

/** Why a client is refused. */
export type Refusal =
  | 'deny'
  | 'allow'
  | 'accepts-per-second'
  | 'connections-per-address'
  | 'connections'
  /** Only proxies may connect, and it is none of them. */
  | 'proxy-untrusted'
  /** At random, before the limit on connections is reached. */
  | 'early';

export interface AdmissionRules {
  readonly limits: Limits;
  readonly whenFull: WhenFull;
  /** Counts the clients that it would refuse, and refuses none. */
  readonly dryRun: boolean;
  /** Number of processes that the server will have: each has an entry of its own for an address. */
  readonly processes: number;
  /** Number of connections that this process has descriptors for. */
  readonly descriptors: number;
  /** The proxies that may connect: then `enter` decides only by this list, and `announce` by the client's address. */
  readonly trusted?: readonly string[] | undefined;
}

/** Everything besides the rules: the process, the memory, the clock and the random numbers. */
export interface AdmissionParts {
  readonly memory: Int32Array;
  readonly pid: number;
  /** The process that started this one. */
  readonly parent: number;
  /** By descriptor of this process, shared by its threads: the ticket that `admit` notes for `leave`. */
  readonly tickets?: Int32Array | undefined;
  /** µs, by a clock that all processes share and that never goes back. */
  readonly clock: () => number;
  /** Called for each refusal, also in a dry run. */
  readonly count: (refusal: Refusal) => void;
  /** From 0 to 1. */
  readonly random: () => number;
}

/** Reasons to refuse clients that are not allowed at all. */
const UNKNOWN_CLIENT: ReadonlySet<Refusal> = new Set(['deny', 'allow', 'proxy-untrusted']);

/** Prepares fresh memory. The seed is random: a peer that knew it could choose addresses that share an entry. */
export const prepareAdmission = seedAddresses;

/** The most connections of the whole server, as its newest process has them; `Infinity`: no limit. */
export function limitOf(memory: Int32Array): number {
  const bound = boundOf(memory);
  return bound === 0 || bound === UNBOUNDED ? Number.POSITIVE_INFINITY : bound;
}

/** Frees the places of a process that has ended. */
export const dropHolder = (memory: Int32Array, pid: number): void =>
  dropPlaces(memory, 'pid', pid, (holder) => dropAddresses(memory, holder));

/** Frees the places of all processes that one process had started, once all of them have ended. */
export const dropHoldersOf = (memory: Int32Array, parent: number): void =>
  dropPlaces(memory, 'parent', parent, (holder) => dropAddresses(memory, holder));

/** One thread's view of the admission. */
export class Admission {
  readonly #memory: Int32Array;
  readonly #whenFull: WhenFull;
  readonly #dryRun: boolean;
  readonly #networks: Networks;
  readonly #trusted: Trusted | undefined;
  readonly #places: Places;
  readonly #addresses: Addresses;
  readonly #lot: { start: number; rate: number; full: number } | undefined;
  readonly #tickets: Int32Array | undefined;
  readonly #random: () => number;
  readonly #count: (refusal: Refusal) => void;
  /** Places reserved for clients that have not come yet. */
  #reserved = 0;
  /** True if an address is ever looked at. */
  readonly needsAddress: boolean;

  constructor(rules: AdmissionRules, parts: AdmissionParts) {
    const { limits, whenFull, processes } = rules;
    const { memory, pid, parent, clock } = parts;
    const descriptors = limits.connections === UNBOUNDED ? UNBOUNDED : rules.descriptors;
    const bound = limits.connections || Math.min(UNBOUNDED, Math.max(1, descriptors) * processes);
    this.#memory = memory;
    this.#whenFull = whenFull;
    this.#dryRun = rules.dryRun;
    this.#networks = new Networks(limits.allow, limits.deny);
    this.#trusted = rules.trusted && new Trusted(rules.trusted);
    this.#places = new Places({ memory, pid, parent, bound, descriptors });
    const { holder } = this.#places;
    this.#addresses = new Addresses({ memory, holder, processes, limits, clock });
    this.#lot = whenFull.policy === 'random' ? lotOf(whenFull, bound) : undefined;
    this.#tickets = parts.tickets;
    this.#random = parts.random;
    this.#count = parts.count;
    const isProxied = this.#trusted !== undefined;
    this.needsAddress = isProxied || !this.#networks.isOff || !this.#addresses.isOff;
  }

  /** The most connections of the whole server; `Infinity`: no limit. */
  get limit(): number {
    return limitOf(this.#memory);
  }

  /**
   * How a client that is refused for this reason is sent away: with a last text, which may be empty, or with a reset. A
   * client that is not allowed at all gets no text.
   */
  dismissalFor(reason: Refusal): { reason: Refusal; text: string; isReset: boolean } {
    const { policy } = this.#whenFull;
    const text = policy === 'busy' && !UNKNOWN_CLIENT.has(reason) ? BUSY : '';
    return { reason, text, isReset: policy === 'reset' };
  }

  /** True if a peer with that address may announce clients. @param address undefined for a peer of a unix socket */
  trusts(address: Uint8Array | undefined): boolean {
    return this.#trusted === undefined || this.#trusted.has(address);
  }

  /** True if the server is full. Always false unless `--when-full wait`. Only a hint: it reserves nothing. */
  isFull(): boolean {
    return !this.hasRoomFor(1);
  }

  /** True if it may accept `count` clients without a place reserved for each. Only a hint, too. */
  hasRoomFor(count: number): boolean {
    if (this.#whenFull.policy !== 'wait' || this.#dryRun) return true;
    return this.#places.hasRoomFor(count);
  }

  /**
   * Call it before accepting: reserves a place for the next client. False if there is none, and clients must wait.
   * The place goes to the next client that enters; `cancel` gives it back.
   */
  reserve(): boolean {
    // With the other policies a client is counted when it has come.
    if (this.#whenFull.policy !== 'wait' || this.#dryRun || !this.#places.isCounting) return true;
    if (!this.#places.tryAdd()) return false;
    this.#reserved++;
    return true;
  }

  /** No client came: gives the reserved place back. */
  cancel(): void {
    if (this.#reserved === 0) return;
    this.#reserved--;
    this.#places.remove();
  }

  /**
   * Decides about a peer that was accepted.
   *
   * @param address its 16 bytes; undefined for a peer without one, for which only the total counts
   * @returns why it is refused, or a ticket to give back with `exit` when it has left
   */
  enter(address: Uint8Array | undefined): Refusal | number {
    const hadPlace = this.#reserved > 0;
    if (hadPlace) this.#reserved--;
    else this.#places.add();
    this.#addresses.ticket = 0;
    const reason = this.#refusal(address, hadPlace);
    const { ticket } = this.#addresses;
    if (reason === undefined) return ticket;
    this.#count(reason);
    // Trust is no limit: an untrusted peer could give itself any address.
    if (this.#dryRun && reason !== 'proxy-untrusted') return ticket;
    this.exit(ticket);
    return reason;
  }

  /**
   * Decides about the client that a peer of `enter` has announced. Its place stays counted, by `enter`.
   *
   * @returns why it is refused, or the ticket for `exit`
   */
  announce(address: Uint8Array): Refusal | number {
    this.#addresses.ticket = 0;
    const reason = this.#networks.refuses(address) ?? this.#addresses.count(address);
    const { ticket } = this.#addresses;
    if (reason === undefined) return ticket;
    this.#count(reason);
    if (this.#dryRun) return ticket;
    this.#addresses.release(ticket);
    return reason;
  }

  /** The peer has left. */
  exit(ticket: number): void {
    this.#addresses.release(ticket);
    this.#places.remove();
  }

  /** Counts a client that is refused because it cannot even wait. */
  refuse(reason: Refusal): void {
    this.#count(reason);
  }

  /** Like `enter`, and notes the ticket under the peer's descriptor. */
  admit(socket: number, address: Uint8Array | undefined): Refusal | undefined {
    return this.#noted(socket, this.enter(address));
  }

  /** Like `announce`, and notes the ticket under the peer's descriptor. */
  announceAt(socket: number, address: Uint8Array): Refusal | undefined {
    return this.#noted(socket, this.announce(address));
  }

  #noted(socket: number, result: Refusal | number): Refusal | undefined {
    if (typeof result === 'string') return result;
    if (result === 0) return undefined;
    const tickets = this.#tickets;
    if (tickets !== undefined && socket < tickets.length) Atomics.store(tickets, socket, result);
    // No place to note the ticket: `leave` would not find it.
    else this.#addresses.release(result);
    return undefined;
  }

  /**
   * The peer at that descriptor leaves. Call this before closing it: after the close another peer may get the
   * number.
   */
  leave(socket: number): void {
    this.exit(this.takeTicket(socket));
  }

  /** For callers that learn of a peer's end without its descriptor. */
  takeTicket(socket: number): number {
    const tickets = this.#tickets;
    return tickets === undefined || socket >= tickets.length
      ? 0
      : Atomics.exchange(tickets, socket, 0);
  }

  #refusal(address: Uint8Array | undefined, hadPlace: boolean): Refusal | undefined {
    if (this.#trusted !== undefined) {
      if (!this.#trusted.has(address)) return 'proxy-untrusted';
    } else if (address !== undefined && this.needsAddress) {
      const refused = this.#networks.refuses(address) ?? this.#addresses.count(address);
      if (refused !== undefined) return refused;
    }
    if (hadPlace || !this.#places.isCounting) return undefined;
    // The client has already been accepted. To admit it is the nearest thing to letting it wait.
    if (this.#whenFull.policy === 'wait' && !this.#dryRun) return undefined;
    if (this.#places.isOver) return 'connections';
    if (this.#lot === undefined) return undefined;
    const chance = dropChance(openOf(this.#memory) - 1, this.#lot);
    return chance > 0 && this.#random() < chance ? 'early' : undefined;
  }
}

const lotOf = (given: { start: number; rate: number; full: number }, bound: number) => ({
  start: given.start || Math.max(1, bound >> 1),
  rate: given.rate,
  full: given.full || bound,
});
