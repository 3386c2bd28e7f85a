/**
 * Why a question or a connection failed.
 *
 * @example
 * ```ts
 * import type { ClientErrorKind } from 'mondo';
 *
 * const worthAnotherTry: readonly ClientErrorKind[] = ['refused', 'reset', 'timeout', 'closed'];
 * console.log(worthAnotherTry);
 * ```
 */
export type ClientErrorKind =
  /** No server listens there. */
  | 'refused'
  /** The host's name does not resolve. */
  | 'unknown host'
  /** There is no network route to it. */
  | 'unreachable'
  /** The server, or the network, reset the connection. */
  | 'reset'
  /** The connection or the answer did not come in time. */
  | 'timeout'
  /** The server closed the connection before the answer was complete. */
  | 'closed'
  /** An answer exceeded the limit without an end. */
  | 'too long'
  /** The caller has closed the connection. */
  | 'ended'
  | 'failed';

/**
 * The message says which action failed, on what, why, and how to fix it.
 *
 * @example
 * ```ts
 * import { ClientError, connect } from 'mondo';
 *
 * try {
 *   await using client = await connect('127.0.0.1', 1060);
 *   console.log(await client.ask('Simple is better than?'));
 * } catch (error) {
 *   if (!(error instanceof ClientError)) throw error;
 *   console.error(error.kind === 'refused' ? 'No server is there.' : error.message);
 * }
 * ```
 */
export class ClientError extends Error {
  override name = 'ClientError';
  readonly kind: ClientErrorKind;

  /** @internal `connect` and `ask` make it. */
  constructor(action: string, { kind, state, cause }: Reason) {
    super(`${action}: ${state}`, cause === undefined ? {} : { cause });
    this.kind = kind;
  }
}

/** Why an action failed, without the action: one reason may fail several questions. */
export interface Reason {
  readonly kind: ClientErrorKind;
  /** The state, and how to fix it. */
  readonly state: string;
  readonly cause?: unknown;
}

const reasons: Readonly<Record<string, readonly [ClientErrorKind, string]>> = {
  ECONNREFUSED: ['refused', 'connection refused; start a server there, or choose another port'],
  ENOENT: ['refused', 'there is no such socket file; start a server there, or choose another path'],
  EAGAIN: [
    'failed',
    'the queue of the server is full; wait until it accepts, or start it with a larger --backlog',
  ],
  ENOTSOCK: ['refused', 'that file is not a socket; choose the path of a server'],
  EACCES: ['failed', 'permission denied; ask for the right to write to the socket file'],
  ENOTFOUND: ['unknown host', 'the name is not known; give a name that resolves, or an address'],
  EAI_AGAIN: ['unknown host', 'no name server answered; give an address, or try again'],
  ENETUNREACH: ['unreachable', 'the network does not lead there; check the address'],
  EHOSTUNREACH: ['unreachable', 'the network knows no such host; check the address'],
  EADDRNOTAVAIL: ['unreachable', 'nothing here has a way to that address; check it'],
  ETIMEDOUT: ['timeout', 'the host did not respond; check the address, or try again'],
  ECONNRESET: ['reset', 'connection reset by the server; see its log, or ask again'],
  EPIPE: ['reset', 'the server has closed the connection; see its log, or ask again'],
};

/** Returns the reason of an error of Node's sockets. */
export function reasonOf(error: unknown): Reason {
  // A host name with several addresses fails with one error each. The code is that of the first.
  const { code = '', message } = error as NodeJS.ErrnoException;
  const [kind, state] = reasons[code] ?? (['failed', code === '' ? message : code] as const);
  return { kind, state, cause: error };
}
