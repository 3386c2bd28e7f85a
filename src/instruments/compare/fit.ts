/**
 * Decides which variants a machine can run, by what an architecture costs per connection and by the
 * number of descriptors.
 */
import type { Traits } from '../../worker/contract.ts';
import type { Condition } from './plan.ts';

/**
 * Limits for architectures that start a thread or a process for each connection. With more, the
 * machine's memory would be measured: a thread takes about 10 MB, a process 40 MB.
 */
const MOST_THREADS = 128;
const MOST_PROCESSES = 16;
/** Connections that select(2) can watch, without the other descriptors of a worker. */
const MOST_SELECTED = 990;
/** Other descriptors that a process has open. */
const OTHER_DESCRIPTORS = 100;

/** The resources of a machine for a server. */
export interface Machine {
  /** Limit for descriptors of a process; undefined if unknown or unlimited. */
  readonly descriptors: number | undefined;
  /** Longest accept queue of a listener: net.core.somaxconn. */
  readonly queue: number;
}

/** @returns why the variant does not run, or undefined */
export function whyNot(
  traits: Traits,
  { connections, silent }: Condition,
  { descriptors, queue }: Machine,
): string | undefined {
  const all = connections + silent;
  const most = mostOf(traits);
  if (all > most.connections) {
    return `more than the ${most.connections} connections that it is measured with: ${most.why}`;
  }
  if (traits.capacity !== 'unbounded' && all > queue) {
    return `more connections than the ${queue} that its accept queue can hold (net.core.somaxconn); the others could not connect, and so could not ask`;
  }
  if (descriptors !== undefined && all > descriptors - OTHER_DESCRIPTORS) {
    return `more connections than there are descriptors for; raise the limit with ulimit -n ${all + OTHER_DESCRIPTORS}`;
  }
  return undefined;
}

function mostOf({ name }: Traits): { readonly connections: number; readonly why: string } {
  switch (name) {
    case 'inetd':
      return { connections: MOST_PROCESSES, why: 'each is a separate process' };
    case 'socketserver':
      return { connections: MOST_THREADS, why: 'each is a separate thread' };
    case 'select':
      return { connections: MOST_SELECTED, why: 'select(2) ends at descriptor 1,023' };
    default:
      return { connections: Number.POSITIVE_INFINITY, why: '' };
  }
}
