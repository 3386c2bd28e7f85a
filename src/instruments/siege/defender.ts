/** The process of the server under siege: its supervisor, whose workers are processes of their own. Started by defence.ts. */

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

/** What it tells of itself, again and again. */
export interface Account {
  readonly port: number;
  readonly pids: readonly number[];
  /** Lines that `mondo serve` would have written by now. */
  readonly lines: number;
  readonly accepted: number;
  /** Workers that ended and were not told to. */
  readonly deaths: number;
  /** Whom limits ended or refused, by reason. */
  readonly counts: Readonly<Record<string, number>>;
}

export type Message =
  | { readonly tell: 'account'; readonly account: Account }
  | { readonly tell: 'failed'; readonly error: string }
  | { readonly tell: 'stopped'; readonly answered: number; readonly cut: number };

/** How often it tells, in ms. */
const TELL = 50;

const tell = (message: Message) => void process.send?.(message);
const { architecture, limits, service, descriptors } = JSON.parse(process.argv[2]!) as Orders;

let lines = 0;
let accepted = 0;
let deaths = 0;
let stopped = { answered: 0, cut: 0 };
const repeats = new Repeats();

function hear(event: ServerEvent): void {
  if (event.type === 'accepted') accepted++;
  if (event.type === 'died') deaths++;
  if (event.type === 'stopped') stopped = event;
  if (repeats.tells(event, performance.now())) lines++;
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
  const telling = setInterval(() => tell({ tell: 'account', account: account() }), TELL);
  tell({ tell: 'account', account: account() });
  process.on('message', async (deadline: number) => {
    clearInterval(telling);
    await server.close({ deadline });
    const { answered, cut } = stopped;
    process.send?.({ tell: 'stopped', answered, cut } satisfies Message, () => process.exit());
  });
}

// Whoever started it is gone: workers end with their supervisor.
process.on('disconnect', () => process.exit());
process.on('SIGUSR2', () => {});
defend().catch((error: Error) => tell({ tell: 'failed', error: error.message }));
