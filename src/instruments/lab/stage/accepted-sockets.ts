/**
 * The peers of sockets that one thread accepted and another serves: the calls of the second one name no peer. Records
 * of several threads come in any order, so each has its time.
 */

interface Accepted {
  readonly peer: string;
  readonly t: number;
}

export class AcceptedSockets {
  readonly #accepted = new Map<string, Accepted>();

  accepted(pid: number, fd: number, peer: string, t: number): void {
    const before = this.#accepted.get(`${pid}:${fd}`);
    if (before === undefined || before.t < t) this.#accepted.set(`${pid}:${fd}`, { peer, t });
  }

  /** The socket was closed. The descriptor may have its next peer already. */
  closed(pid: number, fd: number, t: number): void {
    const before = this.#accepted.get(`${pid}:${fd}`);
    if (before !== undefined && before.t < t) this.#accepted.delete(`${pid}:${fd}`);
  }

  peerOf(pid: number, fd: number): string | undefined {
    return this.#accepted.get(`${pid}:${fd}`)?.peer;
  }
}
