/** Costs of a local server under load, sampled once a second from outside. proc(5) */
import { spent, type Usage, usage } from '../../os/costs.ts';
import { holdingsOf } from '../../os/processes.ts';
import { TCP, tcpRowsAt } from '../../os/tcp-table.ts';
import type { ServerSample, ServerSide } from './result.ts';

const EVERY = 1000;

export class ServerSampler {
  readonly #pid: number;
  readonly #port: number;
  #from = 0;
  #first: Usage | undefined;
  #last: { readonly at: number; readonly usage: Usage } | undefined;
  #timer: NodeJS.Timeout | undefined;
  readonly #samples: ServerSample[] = [];

  /** @param port port of the listener; 0 for a unix socket, whose accept queue is not visible */
  constructor(pid: number, port: number) {
    this.#pid = pid;
    this.#port = port;
  }

  /** Starts sampling with the measured time. */
  begin(): void {
    this.#from = performance.now();
    this.#first = usage(this.#pid);
    this.#last = { at: this.#from, usage: this.#first };
    this.#timer = setInterval(() => this.#sample(), EVERY);
  }

  /** Ends sampling with the measured time. Later calls do nothing. */
  end(): void {
    if (this.#timer === undefined) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
    // A shorter sample would be too inaccurate.
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

  /** @param answers number in the measured time. Returns null if there was no sample. */
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

/** Connections in the accept queues of all listeners of that port; null if no listener is visible. */
function acceptQueue(port: number): number | null {
  // The receive queue of a listener is its accept queue. tcp_diag gives the same numbers.
  const listeners = tcpRowsAt(port).filter(({ state }) => state === TCP.listen);
  if (listeners.length === 0) return null;
  return listeners.reduce((sum, { received }) => sum + received, 0);
}
