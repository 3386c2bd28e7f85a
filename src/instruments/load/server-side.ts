/** What a local server costs while it is asked, sampled once a second from outside. proc(5) */
import { readFileSync } from 'node:fs';
import { spent, type Usage, usage } from '../../os/costs.ts';
import { holdingsOf } from '../../os/processes.ts';
import type { ServerSample, ServerSide } from './result.ts';

const EVERY = 1000;
/** As /proc/net/tcp writes the state LISTEN. */
const LISTEN = '0A';

export class ServerSampler {
  readonly #pid: number;
  readonly #port: number;
  #from = 0;
  #first: Usage | undefined;
  #last: { readonly at: number; readonly usage: Usage } | undefined;
  #timer: NodeJS.Timeout | undefined;
  readonly #samples: ServerSample[] = [];

  /** @param port where it listens; 0 for a unix socket, whose queue is not to be seen */
  constructor(pid: number, port: number) {
    this.#pid = pid;
    this.#port = port;
  }

  /** The measured time begins. */
  begin(): void {
    this.#from = performance.now();
    this.#first = usage(this.#pid);
    this.#last = { at: this.#from, usage: this.#first };
    this.#timer = setInterval(() => this.#sample(), EVERY);
  }

  /** The measured time is over; what comes after it is no part of it, however often it is said. */
  end(): void {
    if (this.#timer === undefined) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
    // A sample of less than this says little.
    if (performance.now() - this.#last!.at > EVERY / 10) this.#sample();
  }

  #sample(): void {
    const now = performance.now();
    const at = this.#last!;
    const present = usage(this.#pid);
    const seconds = (now - at.at) / 1000;
    const { cpu, switches = 0 } = spent(at.usage, present);
    const { memory, descriptors, threads, processes } = holdingsOf(this.#pid);
    this.#samples.push({
      at: (now - this.#from) / 1000,
      cpu: Math.max(0, cpu) / seconds,
      switches: Math.max(0, switches) / seconds,
      processes,
      threads,
      memory,
      descriptors,
      acceptQueue: this.#port === 0 ? null : acceptQueue(this.#port),
    });
    this.#last = { at: now, usage: present };
  }

  /** @param answers in the measured time; null where nothing was measured */
  result(answers: number): ServerSide | null {
    if (this.#first === undefined || this.#samples.length === 0) return null;
    const { cpu, switches = 0 } = spent(this.#first, this.#last!.usage);
    const each = (all: number) => (answers > 0 ? Math.max(0, all) / answers : null);
    return {
      pid: this.#pid,
      totals: {
        cpuSeconds: Math.max(0, cpu),
        cpuMicrosecondsPerAnswer: each(cpu * 1e6),
        switches: Math.max(0, switches),
        switchesPerAnswer: each(switches),
        peakMemory: this.#samples.reduce((most, { memory }) => Math.max(most, memory), 0),
      },
      samples: this.#samples,
    };
  }
}

/** How many connections wait to be accepted on all listeners of that port; null where there is none to be seen. */
function acceptQueue(port: number): number | null {
  const hex = port.toString(16).toUpperCase().padStart(4, '0');
  let queue: number | null = null;
  for (const file of ['/proc/net/tcp', '/proc/net/tcp6']) {
    for (const line of read(file).split('\n').slice(1)) {
      const [, local, , state, queues] = line.trim().split(/\s+/);
      if (state !== LISTEN || !local?.endsWith(`:${hex}`)) continue;
      // Of a listener, the receive queue is that of connections. tcp_diag has the same numbers.
      queue = (queue ?? 0) + Number.parseInt(queues!.split(':')[1]!, 16);
    }
  }
  return queue;
}

const read = (file: string): string => {
  try {
    return readFileSync(file, 'latin1');
  } catch {
    // No IPv6, for one.
    return '';
  }
};
