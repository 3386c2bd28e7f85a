/** The proxies that a server trusts: only they may announce other addresses. */
import { LimitError } from './errors.ts';
import { Networks, parseNetwork } from './networks.ts';

/** Instead of a network: the peers of a unix socket, which the permissions of its file protect. */
const UNIX = 'unix';

const isUnix = (entry: string): boolean => entry === UNIX;

/** Parses the option: networks, and `unix`, with commas between them. @throws LimitError */
export function parseTrusted(text: string): readonly string[] {
  return checkTrusted(text.split(',').map((part) => part.trim()));
}

/** Returns the list. @throws LimitError if it is empty, or an entry is no network */
export function checkTrusted(list: unknown): readonly string[] {
  if (!Array.isArray(list) || list.length === 0 || list.includes('')) {
    throw new LimitError(
      'Cannot use a list of trusted proxies without an entry: give networks such as 10.0.0.0/8, or unix',
    );
  }
  const entries = list.map(String);
  for (const entry of entries) if (!isUnix(entry)) parseNetwork(entry);
  return entries;
}

/** True if the list has an entry for peers of a unix socket. */
export const trustsUnix = (list: readonly string[]): boolean => list.some(isUnix);

export class Trusted {
  readonly #unix: boolean;
  readonly #networks: Networks | undefined;

  /** @throws LimitError */
  constructor(list: readonly string[]) {
    const networks = list.filter((entry) => !isUnix(entry));
    this.#unix = trustsUnix(list);
    // An empty list of allowed networks would allow all of them.
    this.#networks = networks.length > 0 ? new Networks(networks, []) : undefined;
  }

  /** True if that peer is one of them. @param address its 16 bytes; undefined for a peer of a unix socket */
  has(address: Uint8Array | undefined): boolean {
    if (address === undefined) return this.#unix;
    return this.#networks !== undefined && this.#networks.refuses(address) === undefined;
  }
}
