/** What `serve` gives back. */
import type { RowReading } from '../architectures/scoreboard.ts';
import type { SocketAddress } from '../os/address.ts';

/** A server that is running. */
export interface Server {
  readonly architecture: string;
  /** Where it listens: `{ family, host, port }` or `{ family: 'unix', path }`. */
  readonly address: SocketAddress;
  /** The same as text: `HOST:PORT`, `[HOST]:PORT` or `unix:PATH`. */
  readonly where: string;
  /** Its port; 0 for a unix socket. */
  readonly port: number;
  /** Process ids of its workers; none where it serves in this process. */
  readonly pids: readonly number[];
  /** What each worker is doing at this moment: state, accepted, open. */
  workers(): RowReading[];
  /** How many connections were ended or refused so far, by reason (`idle`, `question-size`, …). */
  counts(): Readonly<Record<string, number>>;
  /** How many accepted sockets wait for a worker; only `queued` has a queue. */
  readonly queued: number;
  /** Stops listening, ends the conversations and the workers; resolves when nothing of it is left. */
  close(): Promise<void>;
}
