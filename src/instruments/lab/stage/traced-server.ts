/** A server whose lines the lab shows: the tracer starts it. */

import type { ServeOptions } from '../../../host/plan.ts';
import type { Server } from '../../../host/server.ts';
import type { ServerEvent } from '../../../host/server-event.ts';
import type { Traits } from '../../../worker/contract.ts';
import { startTrace } from '../../trace/tracer.ts';
import type { LabRecord } from '../shared/records.ts';
import { TraceLines, type Waiting } from './trace-lines.ts';

/** Interval between two records of lines, in ms. */
const BATCH = 50;

export interface TracedParts {
  /** Index of the stage. */
  readonly s: number;
  readonly traits: Pick<Traits, 'arrangement' | 'ioModel'>;
  /** ms since the lab's epoch. */
  readonly now: () => number;
  readonly record: (record: LabRecord) => void;
  readonly event: (event: ServerEvent) => void;
}

export interface TracedServer {
  readonly server: Server;
  /** Closes the server, and sends its last lines. */
  readonly close: Server['close'];
}

/**
 * A process can trace one server at a time.
 *
 * @throws ServeError if it cannot serve or cannot trace
 */
export async function startTracedServer(
  options: ServeOptions,
  { s, traits, now, record, event }: TracedParts,
): Promise<TracedServer> {
  const lines = new TraceLines({ s, waiting: waitingOf(traits), record });
  const tracer = await startTrace(
    options,
    {},
    {
      record: (tid, report) => lines.take(tid, report),
      event: (_, happened) => event(happened),
    },
  );
  const launch = now() - tracer.now() / 1e6;
  const flush = () => lines.flush(now(), launch);
  const timer = setInterval(flush, BATCH);
  return {
    server: tracer.server,
    async close(how) {
      await tracer.close(how);
      clearInterval(timer);
      flush();
    },
  };
}

function waitingOf({ arrangement, ioModel }: TracedParts['traits']): Waiting {
  if (arrangement === 'node') return 'node';
  return ioModel === 'blocking calls' ? 'blocking' : 'loop';
}
