/**
 * The process of the server under siege: its supervisor. The workers are separate processes.
 * defence.ts starts it.
 */

import { Repeats } from '../../host/repeats.ts';
import { serve } from '../../host/serve.ts';
import type { Server } from '../../host/server.ts';
import type { ServerEvent } from '../../host/server-event.ts';
import type { Limits } from '../../limits/limits.ts';
import { limitDescriptors } from '../../os/rlimit.ts';

export interface Orders {
  readonly architecture: string;
  readonly limits: Limits;
  readonly service?: string;
  readonly descriptors?: number;
}

/** The state that it reports periodically. */
export interface Account {
  readonly port: number;
  readonly pids: readonly number[];
  /** Lines that `mondo serve` would have logged so far. */
  readonly lines: number;
  readonly accepted: number;
  /** Workers that ended without an order. */
  readonly deaths: number;
  /** Connections that limits closed or refused, by reason. */
  readonly counts: Readonly<Record<string, number>>;
}

export type Message =
  | { readonly tell: 'account'; readonly account: Account }
  | { readonly tell: 'failed'; readonly error: string }
  | { readonly tell: 'stopped'; readonly answered: number; readonly cut: number };

/** Interval between reports, in ms. */
const REPORT_INTERVAL = 50;

const tell = (message: Message) => void process.send?.(message);
const { architecture, limits, service, descriptors } = JSON.parse(process.argv[2]!) as Orders;

let lines = 0;
let accepted = 0;
let deaths = 0;
let stopped = { drained: 0, cut: 0 };
const repeats = new Repeats();

function hear(event: ServerEvent): void {
  if (event.type === 'accepted') accepted++;
  if (event.type === 'died') deaths++;
  if (event.type === 'stopped') stopped = event;
  if (repeats.isReportedAlone(event, performance.now())) lines++;
}

async function defend(): Promise<void> {
  if (descriptors !== undefined) limitDescriptors(descriptors);
  const server: Server = await serve(
    {
      architecture,
      port: 0,
      limits,
      ...(service === undefined ? {} : { service: new URL(service) }),
    },
    hear,
  );
  const account = (): Account => {
    lines += repeats.due(performance.now()).length;
    return {
      port: server.port,
      pids: server.pids,
      lines,
      accepted,
      deaths,
      counts: server.counts(),
    };
  };
  const telling = setInterval(() => tell({ tell: 'account', account: account() }), REPORT_INTERVAL);
  tell({ tell: 'account', account: account() });
  process.on('message', async (deadline: number) => {
    clearInterval(telling);
    await server.close({ deadline });
    const { drained, cut } = stopped;
    process.send?.({ tell: 'stopped', answered: drained, cut } satisfies Message, () =>
      process.exit(),
    );
  });
}

// The parent process has ended. The workers end with their supervisor.
process.on('disconnect', () => process.exit());
process.on('SIGUSR2', () => {});
defend().catch((error: Error) => tell({ tell: 'failed', error: error.message }));
