/**
 * The process of a stage: the supervisor of one server, and what it observes of it. The workers are processes of their
 * own, and know nothing of it. stage.ts starts it.
 */

import { loadArchitecture } from '../../../architectures/catalogue.ts';
import { architectureNamed } from '../../../host/plan.ts';
import { startServer } from '../../../host/serve.ts';
import type { ServerEvent } from '../../../host/server-event.ts';
import { isRunning } from '../../../os/processes.ts';
import { limitDescriptors } from '../../../os/rlimit.ts';
import type { Traits } from '../../../worker/contract.ts';
import { removePipesOf } from '../../trace/tracer.ts';
import { clockOf } from '../clock.ts';
import type { StageOrder } from '../parts.ts';
import type { LabRecord, StageSetup } from '../shared/records.ts';
import { Observer } from './observer.ts';
import { changesOf, commandOf, limitsOf, type Restart, serveOptionsOf } from './options.ts';
import { startTracedServer, type TracedServer } from './traced-server.ts';

export type Order = { readonly id: number } & (
  | ({ readonly do: 'restart' } & Restart)
  | { readonly do: 'stop'; readonly deadline: number }
  | { readonly do: 'signal'; readonly pid: number; readonly signal: NodeJS.Signals }
);

export type Message =
  | { readonly tell: 'started'; readonly setup: StageSetup; readonly pids: readonly number[] }
  | { readonly tell: 'failed'; readonly error: string }
  /** The worker processes, and those that they have started. */
  | { readonly tell: 'pids'; readonly pids: readonly number[] }
  | { readonly tell: 'record'; readonly record: LabRecord }
  | { readonly tell: 'done'; readonly id: number; readonly error?: string };

const tell = (message: Message, sent: () => void = () => {}) => void process.send?.(message, sent);

async function stage(): Promise<void> {
  const order = JSON.parse(process.argv[2]!) as StageOrder;
  if (order.descriptors !== undefined) limitDescriptors(order.descriptors);
  const traits = await loadArchitecture(architectureNamed(order.plan.architecture));
  const observer = new Observer(order, traits, {
    record: (record) => tell({ tell: 'record', record }),
    pids: (pids) => tell({ tell: 'pids', pids }),
  });
  const started = await startedBy(order, traits, (event) => observer.hear(event));
  const { server } = started;
  const setup: StageSetup = {
    architecture: traits.name,
    plan: order.plan,
    threads: order.plan.threads ?? traits.threads.default,
    processes: order.plan.processes ?? traits.processes.default,
    queue: traits.name === 'queued' ? (order.plan.queue ?? 64) : 0,
    limit: server.queue()?.limit ?? 0,
    think: order.think,
    thinking: order.thinking,
    pid: process.pid,
    port: server.port,
    command: commandOf(order),
    limits: limitsOf(order),
    dryRun: order.dryRun,
  };
  tell({ tell: 'started', setup, pids: server.pids });
  observer.begin(server);

  async function obey(wanted: Order): Promise<void> {
    if (wanted.do === 'restart') {
      await server.restart(changesOf(wanted));
    } else if (wanted.do === 'signal') {
      if (!observer.pids.includes(wanted.pid) || !isRunning(wanted.pid)) {
        throw new Error(`Cannot signal ${wanted.pid}: it is no process of this server`);
      }
      process.kill(wanted.pid, wanted.signal);
    } else {
      await started.close({ deadline: wanted.deadline });
      observer.end();
      tell({ tell: 'done', id: wanted.id }, () => process.exit());
    }
  }

  process.on('message', (wanted: Order) => {
    const { id } = wanted;
    obey(wanted).then(
      () => tell({ tell: 'done', id }),
      (error: Error) => tell({ tell: 'done', id, error: error.message }),
    );
  });
}

async function startedBy(
  order: StageOrder,
  traits: Traits,
  event: (event: ServerEvent) => void,
): Promise<TracedServer> {
  const options = serveOptionsOf(order);
  if (order.trace !== true) {
    const server = await startServer(options, event);
    return { server, close: (how) => server.close(how) };
  }
  process.on('exit', () => removePipesOf(process.pid));
  const record = (traced: LabRecord) => tell({ tell: 'record', record: traced });
  return startTracedServer(options, {
    s: order.s,
    traits,
    now: clockOf(order.epoch),
    record,
    event,
  });
}

// The parent process has ended. The workers end with their supervisor.
process.on('disconnect', () => process.exit());
process.on('SIGUSR2', () => {});
stage().catch((error: Error) => tell({ tell: 'failed', error: error.message }));
