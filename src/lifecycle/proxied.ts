/** Connections that come through proxies: each is decided again when its header announces the client. */
import { parseAddress } from '../limits/networks.ts';
import { type Ending, LimitReached } from '../protocol/account.ts';
import type { Dismissal, Preamble } from '../protocol/preamble.ts';
import type { Announced, HeaderFault, ProxyHeader } from '../protocol/proxy-header.ts';

/** Results of a header: what it was, or what was wrong with it. */
export type HeaderResult = ProxyHeader['kind'] | HeaderFault | 'proxy-partial';

/** What a worker gives for such connections. */
export interface ProxyParts {
  /**
   * Decides about an announced client by its address.
   *
   * @param holds what its connection holds of the limits, see `Clients.come`
   * @returns what it holds now, or why it is refused
   */
  admit(holds: number, address: Uint8Array): number | Dismissal;
  /** Makes the coming close of that connection a reset. */
  resetAtClose(holds: number): void;
  /** Counts a header by its result. */
  count(result: HeaderResult): void;
}

export class Proxied {
  readonly #parts: ProxyParts;

  constructor(parts: ProxyParts) {
    this.#parts = parts;
  }

  faulted(fault: HeaderFault | 'proxy-partial'): Dismissal {
    this.#parts.count(fault);
    return { reason: fault, text: '', isReset: true };
  }

  /** @returns what the connection holds from now on, or why it must end */
  announced({ kind, client }: ProxyHeader, holds: number): number | Dismissal {
    this.#parts.count(kind);
    // The proxy itself, for example its health check, is not subject to the limits of clients.
    if (client === undefined) return holds;
    return this.#parts.admit(holds, parseAddress(client.address)!);
  }

  /** A connection ends before its conversation has begun. */
  ends(preamble: Preamble, { cause }: Ending, holds: number): void {
    const isPartial = cause === 'end of stream' && preamble.hasBegun;
    if (isPartial) preamble.dismissal ??= this.faulted('proxy-partial');
    if (preamble.dismissal?.isReset === true || cause instanceof LimitReached) {
      this.#parts.resetAtClose(holds);
    }
  }
}

/** An announced client as the log names it. */
export const textOf = ({ family, address, port }: Announced): string =>
  family === 'IPv4' ? `${address}:${port}` : `[${address}]:${port}`;
