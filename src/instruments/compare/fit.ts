/** Which variants a machine can run: what an architecture costs for each connection decides, and how many descriptors there are. */
import type { Traits } from '../../worker/contract.ts';
import type { Condition } from './plan.ts';

/**
 * Each connection has a thread or a process of its own, started for it. With more of them than this it is
 * the machine's memory that is measured: a thread takes about 10 MB, a process 40 MB.
 */
const MOST_THREADS = 128;
const MOST_PROCESSES = 16;
/** What select(2) can watch, less what a worker has open besides. */
const MOST_SELECTED = 990;
/** Descriptors that a process has open besides its connections. */
const BESIDES = 100;

/** What a machine gives to a server. */
export interface Machine {
  /** Descriptors of a process; undefined: nobody tells, or there is no limit. */
  readonly descriptors: number | undefined;
  /** Connections that wait to be accepted on a listener at the most: net.core.somaxconn. */
  readonly queue: number;
}

/** @returns why it is not run, or nothing */
export function whyNot(
  traits: Traits,
  { connections, silent }: Condition,
  { descriptors, queue }: Machine,
): string | undefined {
  const all = connections + silent;
  const most = mostOf(traits);
  if (all > most.connections) {
    return `more than the ${most.connections} connections that are asked of it: ${most.why}`;
  }
  if (traits.capacity !== 'unbounded' && all > queue) {
    return `more connections than the ${queue} that may wait until it has time for them (net.core.somaxconn); who is not even connected cannot ask`;
  }
  if (descriptors !== undefined && all > descriptors - BESIDES) {
    return `more connections than there are descriptors for; raise the limit with ulimit -n ${all + BESIDES}`;
  }
  return undefined;
}

function mostOf({ name }: Traits): { readonly connections: number; readonly why: string } {
  switch (name) {
    case 'inetd':
      return { connections: MOST_PROCESSES, why: 'each is a process of its own' };
    case 'socketserver':
      return { connections: MOST_THREADS, why: 'each is a thread of its own' };
    case 'select':
      return { connections: MOST_SELECTED, why: 'select(2) ends at descriptor 1,023' };
    default:
      return { connections: Number.POSITIVE_INFINITY, why: '' };
  }
}
