/**
 * Who is let in: by its network, by how many connections its address has and how often it comes (addresses.ts), and by
 * how many there are in all (places.ts). All threads and processes of a server decide on the same shared memory.
 */
import { ADDRESSES_END, Addresses, dropAddresses, seedAddresses } from './addresses.ts';
import { type Limits, UNBOUNDED } from './limits.ts';
import { Networks } from './networks.ts';
import { dropPlaces, openOf, Places } from './places.ts';
import { dropChance, type WhenFull } from './when-full.ts';

/** How much memory it takes, in words of 32 bits. */
export const ADMISSION_WORDS = ADDRESSES_END;

/** What a busy server says, where it says anything. */
export const BUSY = 'Error: server is busy.\n';

/** Why somebody is turned away. */
export type Refusal =
  | 'deny'
  | 'allow'
  | 'accepts-per-second'
  | 'connections-per-address'
  | 'connections'
  /** Before it came to the limit of connections, by lot. */
  | 'early';

export interface AdmissionRules {
  readonly limits: Limits;
  readonly whenFull: WhenFull;
  /** Counts who would be refused, and refuses nobody. */
  readonly dryRun: boolean;
  /** How many processes there are to be: each has an entry of its own for an address. */
  readonly processes: number;
  /** How many connections this process has descriptors for. */
  readonly descriptors: number;
}

/** What is not the rules' own: who enters, and where clock and chance come from. */
export interface AdmissionParts {
  readonly memory: Int32Array;
  readonly pid: number;
  /** Who started this process. */
  readonly parent: number;
  /** By descriptor of this process, shared by its threads: what `admit` notes for `leave`. */
  readonly tickets?: Int32Array | undefined;
  /** µs, by a clock that all processes read alike and that never goes back. */
  readonly clock: () => number;
  /** Is told of each refusal, in a dry run too. */
  readonly count: (refusal: Refusal) => void;
  /** From 0 to 1. */
  readonly random: () => number;
}

/** Fresh memory. The seed is random: a peer that knows it could choose addresses that meet in one place. */
export const prepareAdmission = seedAddresses;

/** Drops what a process held that is gone. */
export const dropHolder = (memory: Int32Array, pid: number): void =>
  dropPlaces(memory, 'pid', pid, (holder) => dropAddresses(memory, holder));

/** Drops what the processes held that one had started, once all of them are gone. */
export const dropHoldersOf = (memory: Int32Array, parent: number): void =>
  dropPlaces(memory, 'parent', parent, (holder) => dropAddresses(memory, holder));

/** One thread's view of the door. */
export class Admission {
  readonly #memory: Int32Array;
  readonly #whenFull: WhenFull;
  readonly #dryRun: boolean;
  readonly #networks: Networks;
  readonly #places: Places;
  readonly #addresses: Addresses;
  readonly #lot: { start: number; rate: number; full: number } | undefined;
  readonly #tickets: Int32Array | undefined;
  readonly #random: () => number;
  readonly #count: (refusal: Refusal) => void;
  /** Places for those who will come. */
  #reserved = 0;
  /** Whether an address is looked at at all. */
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
    this.#places = new Places({ memory, pid, parent, bound, descriptors });
    const { holder } = this.#places;
    this.#addresses = new Addresses({ memory, holder, processes, limits, clock });
    this.#lot = whenFull.policy === 'random' ? lotOf(whenFull, bound) : undefined;
    this.#tickets = parts.tickets;
    this.#random = parts.random;
    this.#count = parts.count;
    this.needsAddress = !this.#networks.isOff || !this.#addresses.isOff;
  }

  /** How the refused are turned away. */
  get policy(): WhenFull['policy'] {
    return this.#whenFull.policy;
  }

  /** Whether those are told so that are refused for that reason: not who is not wanted at all. */
  says(reason: Refusal): boolean {
    return this.#whenFull.policy === 'busy' && reason !== 'deny' && reason !== 'allow';
  }

  /** Whether nobody is to be accepted now. Only where those who come are to wait; a glance, that binds nobody. */
  isFull(): boolean {
    return !this.hasRoomFor(1);
  }

  /** Whether so many may be accepted without a place reserved for each; a glance as well. */
  hasRoomFor(count: number): boolean {
    if (this.#whenFull.policy !== 'wait' || this.#dryRun) return true;
    return this.#places.hasRoomFor(count);
  }

  /**
   * Before accepting: takes a place for whoever will come; false where there is none and they are to
   * wait. The place goes to the next who enters, or is given back with `cancel`.
   */
  reserve(): boolean {
    // A client is counted when it is here.
    if (this.#whenFull.policy !== 'wait' || this.#dryRun || !this.#places.isCounting) return true;
    if (!this.#places.tryAdd()) return false;
    this.#reserved++;
    return true;
  }

  /** Nobody came. */
  cancel(): void {
    if (this.#reserved === 0) return;
    this.#reserved--;
    this.#places.remove();
  }

  /**
   * Decides about a peer who was accepted.
   *
   * @param address its 16 bytes; undefined for a peer that has none, which only the number in all concerns
   * @returns why it is refused, or a ticket to be given back with `exit` when it has left
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
    if (this.#dryRun) return ticket;
    this.exit(ticket);
    return reason;
  }

  /** The peer has left. */
  exit(ticket: number): void {
    this.#addresses.release(ticket);
    this.#places.remove();
  }

  /** Counts somebody whom there is no room to have wait. */
  refuse(reason: Refusal): void {
    this.#count(reason);
  }

  /** As `enter`, with the ticket noted under the peer's descriptor. */
  admit(socket: number, address: Uint8Array | undefined): Refusal | undefined {
    const result = this.enter(address);
    if (typeof result === 'string') return result;
    if (result === 0) return undefined;
    const tickets = this.#tickets;
    if (tickets !== undefined && socket < tickets.length) Atomics.store(tickets, socket, result);
    // Nobody would find it again.
    else this.#addresses.release(result);
    return undefined;
  }

  /** The peer at that descriptor is leaving. To be called before it is closed: then the number may be another's. */
  leave(socket: number): void {
    this.exit(this.takeTicket(socket));
  }

  /** For whoever sees a peer's end without its descriptor. */
  takeTicket(socket: number): number {
    const tickets = this.#tickets;
    return tickets === undefined || socket >= tickets.length
      ? 0
      : Atomics.exchange(tickets, socket, 0);
  }

  #refusal(address: Uint8Array | undefined, hadPlace: boolean): Refusal | undefined {
    if (address !== undefined && this.needsAddress) {
      const refused = this.#networks.refuses(address) ?? this.#addresses.count(address);
      if (refused !== undefined) return refused;
    }
    if (hadPlace || !this.#places.isCounting) return undefined;
    // They are here already: to let them in is the nearest to letting them wait.
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
