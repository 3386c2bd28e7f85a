/**
 * What a proxy says before the conversation: one header. It is collected here until it is whole, so that neither the
 * service nor the greeting begins before.
 */
import { type HeaderFault, MOST_HEADER, type ProxyHeader, readHeader } from './proxy-header.ts';
import type { Peer } from './service.ts';

/** The end of a connection before its conversation has begun. */
export interface Dismissal {
  readonly reason: string;
  /** The last words to the client; may be empty. */
  readonly text: string;
  /** True if the close must be a reset. */
  readonly isReset: boolean;
}

/** Decides what follows from the header. Each connection has one such call. */
export interface Announcing {
  /** The header is whole. @returns why the connection must end nevertheless */
  announced(header: ProxyHeader): Dismissal | undefined;
  /** What has come is no header. */
  faulted(fault: HeaderFault): Dismissal;
}

/** Results of `take` besides an index: more bytes are needed, or the connection must end. */
export const MORE = -1;
export const DISMISSED = -2;

export class Preamble {
  readonly #announcing: Announcing;
  /** The bytes so far, if the header came in pieces: `#kept[0, #length)`. */
  #kept: Buffer | undefined;
  #length = 0;
  /** Why the connection ends before its conversation. */
  dismissal: Dismissal | undefined;
  #header: ProxyHeader | undefined;

  constructor(announcing: Announcing) {
    this.#announcing = announcing;
  }

  /** True if a part of the header has come. */
  get hasBegun(): boolean {
    return this.#length > 0;
  }

  /** The announced client. Undefined before the header is whole, and if it announces none. */
  get client(): Peer | undefined {
    if (this.#header?.client === undefined) return undefined;
    const { kind, length, client, ...extras } = this.#header;
    return { ...client, path: '', ...extras };
  }

  /**
   * Takes the next bytes.
   *
   * @returns the index past the header, where the conversation begins; or `MORE`, or `DISMISSED`
   */
  take(bytes: Buffer, start: number, end: number): number {
    const before = this.#length;
    const outcome = before === 0 ? readHeader(bytes, start, end) : this.#readOn(bytes, start, end);
    if (outcome === undefined) {
      if (before === 0) this.#keep(bytes, start, end);
      return MORE;
    }
    this.#kept = undefined;
    if (typeof outcome === 'string') {
      this.dismissal = this.#announcing.faulted(outcome);
      return DISMISSED;
    }
    this.#header = outcome;
    this.dismissal = this.#announcing.announced(outcome);
    return this.dismissal === undefined ? start + outcome.length - before : DISMISSED;
  }

  #readOn(bytes: Buffer, start: number, end: number): ProxyHeader | HeaderFault | undefined {
    this.#keep(bytes, start, end);
    return readHeader(this.#kept!, 0, this.#length);
  }

  #keep(bytes: Buffer, start: number, end: number): void {
    this.#kept ??= Buffer.allocUnsafeSlow(MOST_HEADER);
    const room = MOST_HEADER - this.#length;
    this.#length += bytes.copy(this.#kept, this.#length, start, Math.min(end, start + room));
  }
}
