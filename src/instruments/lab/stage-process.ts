/**
 * The process of a stage: the supervisor of one server, and what it observes of it. The workers are processes of their
 * own, and know nothing of it. stage.ts starts it.
 */

import { loadArchitecture } from '../../architectures/catalogue.ts';
import { architectureNamed } from '../../host/plan.ts';
import { startServer } from '../../host/serve.ts';
import { isRunning } from '../../os/processes.ts';
import { limitDescriptors } from '../../os/rlimit.ts';
import type { LabRecord, StageSetup } from './model.ts';
import { Observer } from './observer.ts';
import type { StageOrder } from './parts.ts';
import { changesOf, commandOf, limitsOf, type Restart, serveOptionsOf } from './stage-options.ts';

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
  const server = await startServer(serveOptionsOf(order), (event) => observer.hear(event));
  const setup: StageSetup = {
    architecture: traits.name,
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
      await server.close({ deadline: wanted.deadline });
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

// The parent process has ended. The workers end with their supervisor.
process.on('disconnect', () => process.exit());
process.on('SIGUSR2', () => {});
stage().catch((error: Error) => tell({ tell: 'failed', error: error.message }));
