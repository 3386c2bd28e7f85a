/** What the supervisor tells a worker process on its command line, and that one its threads. */

import type { ArchitectureName } from '../../architectures/catalogue.ts';
import type { Limits } from '../../limits/limits.ts';
import type { WhenFull } from '../../limits/when-full.ts';
import type { Bids, PageOptions } from '../../worker/contract.ts';

export interface WorkerConfig {
  readonly architecture: ArchitectureName;
  /** URL of the service module. */
  readonly service: string;
  readonly think: { readonly ms: number; readonly how: 'block' | 'defer' };
  readonly limits: Limits;
  readonly whenFull: WhenFull;
  readonly dryRun: boolean;
  readonly threads: number;
  /** How many listeners this process has: one, or with SO_REUSEPORT one for each of its threads. */
  readonly listeners: number;
  /** Whether each thread has a listener of its own. */
  readonly reuseport: boolean;
  readonly journal: boolean;
  /** For Node's own loop, which listens once more on the listener it is given. */
  readonly backlog: number;
  readonly options: PageOptions;
  /** After how many ms without a turn a worker that has work is stuck; 0: never. */
  readonly stuck: number;
  /** From 1, one more with each restart: the scoreboard says which of them serve. */
  readonly generation: number;
  /** How many worker processes the server has. */
  readonly processes: number;
  /** Which worker process of the server this is, from 0. */
  readonly index: number;
  /** Process id of whoever started it: the supervisor, or an assistant's worker. If its parent is another, that one is gone. */
  readonly parent: number;
  /**
   * Set for a process that `serve` had started. Without bids its standard input is the listener, and it accepts from
   * that by itself.
   */
  readonly assistant?: { readonly bids?: Pick<Bids, 'id' | 'once'> };
}

/** Descriptors that a worker process is born with. */
export const JOURNAL_FD = 3;
export const SCOREBOARD_FD = 4;
/** The listener; with SO_REUSEPORT one for each thread, from this number on. */
export const LISTENER_FD = 5;
/** Of a process that is kept ready: where it is bid, and where it reports. */
export const BID_FD = 6;
export const REPORT_FD = 7;
