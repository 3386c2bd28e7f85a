/** How a worker's clients are admitted if proxies announce them. */
import type { HeaderResult, ProxyParts } from '../../lifecycle/proxied.ts';
import type { Admission } from '../../limits/admission.ts';
import { resetAtClose } from '../../os/socket.ts';

/**
 * `--proxy-protocol`: each connection begins with a PROXY header, which says who the client is.
 *
 * @example
 * ```ts
 * import { type ProxyOptions, serve } from 'mondo';
 *
 * const proxy: ProxyOptions = { trusted: ['10.0.0.0/24'] };
 * await serve({ architecture: 'epoll', host: '10.0.0.5', proxy });
 * ```
 */
export interface ProxyOptions {
  /** The proxies that may connect, as CIDR networks; `unix` stands for the peers of a unix socket. */
  readonly trusted: readonly string[];
}

/**
 * @param holds what the numbers of `Clients.come` are: the descriptor of a connection, or on Node's loop the ticket
 *   of its admission
 * @returns undefined without the option
 */
export function proxyParts(
  proxy: ProxyOptions | undefined,
  admission: Admission,
  holds: 'descriptors' | 'tickets',
  count: (result: HeaderResult) => void,
): ProxyParts | undefined {
  if (proxy === undefined) return undefined;
  return {
    count,
    resetAtClose(socket) {
      // Node closes its own sockets, and has a call for a reset.
      if (holds === 'descriptors') resetAtClose(socket);
    },
    admit(held, address) {
      const decided =
        holds === 'tickets'
          ? admission.announce(address)
          : (admission.announceAt(held, address) ?? held);
      return typeof decided === 'number' ? decided : admission.dismissalFor(decided);
    },
  };
}
