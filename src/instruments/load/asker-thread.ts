/**
 * Entry of the asker thread, which drives the connections. It sleeps in the kernel between turns,
 * so no other work may share this thread.
 */
import { parentPort, workerData } from 'node:worker_threads';
import type { SocketAddress } from '../../os/address.ts';
import { bePunctual } from '../../os/punctual.ts';
import { UringUnavailable } from '../../os/uring.ts';
import { Asker } from './asker.ts';
import type { AskerMessage } from './batch.ts';
import type { LoadPlan } from './plan.ts';
import type { Wire, WireEvents, WireOptions } from './wire.ts';

export interface AskerData {
  readonly plan: LoadPlan;
  readonly to: SocketAddress;
  /** Not 0 when the thread must stop. */
  readonly stop: Int32Array<SharedArrayBuffer>;
}

const { plan, to, stop } = workerData as AskerData;
const port = parentPort!;

/**
 * Source addresses to connect from. One address has about 28,000 ports, and a closed connection
 * occupies its port for a minute. On loopback, more addresses of 127.0.0.0/8 give more ports.
 */
function sources(): string[] {
  const isLoopback = to.family === 'IPv4' && to.host.startsWith('127.');
  const isMany = plan.questionsPerConnection > 0 || plan.connections > 20_000;
  if (!isLoopback || !isMany) return [];
  return Array.from({ length: 64 }, (_, i) => `127.0.0.${i + 2}`);
}

/**
 * Returns the maker of the wire. A process may be allowed a small ring but not one of full size
 * (ulimit -l). With `auto`, the thread then falls back to epoll.
 */
async function wireMaker(): Promise<(options: WireOptions, events: WireEvents) => Wire> {
  const { EpollWire } = await import('./wire-epoll.ts');
  if (plan.engine === 'epoll') return (options, events) => new EpollWire(options, events);
  const { UringWire } = await import('./wire-uring.ts');
  return (options, events) => {
    try {
      return new UringWire(options, events);
    } catch (error) {
      if (!(error instanceof UringUnavailable) || plan.engine === 'uring') throw error;
      return new EpollWire(options, events);
    }
  };
}

const tell = (message: AskerMessage, moved: ArrayBuffer[] = []) => port.postMessage(message, moved);

const wire = await wireMaker();
bePunctual();
const noDelay = plan.pipeline > 1;
const asker = new Asker(
  plan,
  (events, connections) => wire({ to, connections, noDelay, from: sources() }, events),
  (batch) => tell(batch, [batch.times.buffer, batch.connections.buffer] as ArrayBuffer[]),
);
tell(
  asker.run(
    () => Atomics.load(stop, 0) !== 0,
    (at) => tell({ kind: 'began', at, engine: asker.engine }),
  ),
);
