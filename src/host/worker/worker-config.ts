/** What a worker process gets on its command line from the supervisor, and its threads get from it. */

import type { ArchitectureName } from '../../architectures/catalogue.ts';
import type { Limits } from '../../limits/limits.ts';
import type { WhenFull } from '../../limits/when-full.ts';
import type { Bids, PageOptions } from '../../worker/contract.ts';
import type { ProxyOptions } from './proxies.ts';

export interface WorkerConfig {
  readonly architecture: ArchitectureName;
  /** URL of the service module. */
  readonly service: string;
  readonly think: { readonly ms: number; readonly how: 'block' | 'defer' };
  readonly limits: Limits;
  readonly whenFull: WhenFull;
  readonly dryRun: boolean;
  /** Set if each connection begins with the header of a proxy. */
  readonly proxy: ProxyOptions | undefined;
  readonly threads: number;
  /** Number of listeners of this process: one, or with SO_REUSEPORT one for each of its threads. */
  readonly listeners: number;
  /** True if each thread has a listener of its own. */
  readonly reuseport: boolean;
  readonly journal: boolean;
  /** True if another process holds the listeners too: then a stop does not end their accepting. */
  readonly isKept: boolean;
  /** For Node's own loop, which listens again on the listener it is given. */
  readonly backlog: number;
  readonly options: PageOptions;
  /** Time without a turn that makes a worker with work stuck, in ms; 0: never. */
  readonly stuck: number;
  /** True if some of the answers are timed. */
  readonly metricsLatency: boolean;
  /** Number from 1, one more with each restart: the scoreboard tells which generation serves. */
  readonly generation: number;
  /** Number of worker processes of the server. */
  readonly processes: number;
  /** Index of this worker process in the server, from 0. */
  readonly index: number;
  /**
   * Id of the process that started it: the supervisor, or an assistant's worker. If its parent is another, that one
   * is gone.
   */
  readonly parent: number;
  /**
   * Set for a process that `serve` has started. Without bids its standard input is the listener, and it accepts
   * from that by itself.
   */
  readonly assistant?: { readonly bids?: Pick<Bids, 'id' | 'once'> };
}

/** Descriptors that a worker process inherits. */
export const JOURNAL_FD = 3;
export const SCOREBOARD_FD = 4;
/** The listener; with SO_REUSEPORT one for each thread, from this number on. */
export const LISTENER_FD = 5;
/** For a process that is kept ready: the descriptor of its orders, and the one of its reports. */
export const BID_FD = 6;
export const REPORT_FD = 7;
