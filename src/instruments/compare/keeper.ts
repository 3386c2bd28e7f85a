/**
 * The process that starts the servers, one after the other. It is their supervisor, separate from
 * the load. servers.ts starts it.
 */
import { loadService } from '../../host/load-service.ts';
import type { ServeOptions } from '../../host/plan.ts';
import { startServer } from '../../host/serve.ts';
import type { Server } from '../../host/server.ts';
import { keepTo } from '../../os/affinity.ts';
import { type Sample, sampleOf } from './service-framing.ts';

export type Order =
  | { readonly order: 'start'; readonly options: ServeOptions }
  /** Loads a service and asks it, to find its framing. */
  | { readonly order: 'sample'; readonly service: string; readonly questions: readonly string[] }
  | { readonly order: 'stop' };

export type Reply =
  | { readonly reply: 'ready' | 'stopped' }
  | { readonly reply: 'started'; readonly port: number }
  | { readonly reply: 'sample'; readonly sample: Sample }
  | { readonly reply: 'failed'; readonly error: string };

let server: Server | undefined;

async function obey(order: Order): Promise<Reply> {
  if (order.order === 'start') {
    server = await startServer(order.options);
    return { reply: 'started', port: server.port };
  }
  if (order.order === 'sample') {
    const service = await loadService(order.service);
    return { reply: 'sample', sample: await sampleOf(service, order.questions) };
  }
  await server?.close({ deadline: 0 });
  server = undefined;
  return { reply: 'stopped' };
}

const reply = (message: Reply) => void process.send?.(message);

process.on('message', (order: Order) => {
  obey(order).then(reply, (error: Error) => reply({ reply: 'failed', error: error.message }));
});
// If the parent process has ended, this one ends with its workers. Only the parent handles Ctrl-C.
process.on('disconnect', () => process.exit());
process.on('SIGINT', () => {}).on('SIGUSR2', () => {});
const cores = JSON.parse(process.argv[2]!) as number[];
if (cores.length > 0) keepTo(cores);
reply({ reply: 'ready' });
