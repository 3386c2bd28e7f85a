/** The admission of a worker process: what its threads share, and each thread's view. */

import {
  ADMISSION_WORDS,
  Admission,
  type AdmissionRules,
  prepareAdmission,
  type Refusal,
} from '../../limits/admission.ts';
import { type Limits, noLimits, UNBOUNDED } from '../../limits/limits.ts';
import { descriptorLimit, openDescriptors } from '../../os/descriptors.ts';
import type { Traits } from '../../worker/contract.ts';
import type { ProxyOptions } from './proxies.ts';

/** Descriptors that a thread of Node costs: for its loop, and to wake it. Counted. */
const PER_THREAD = 5;
/** Descriptors for selectors, rings, pipes to assistants, and files that are open for a moment. */
const SPARE = 16;
/** The most entries of the table of tickets, which has one entry for each descriptor. */
const MOST_TICKETS = 2 ** 20;

/** Shared by all threads of a process. */
export interface Door {
  /** Number of connections that there are descriptors for. */
  readonly descriptors: number;
  /** By descriptor, the ticket of each connection; undefined if nothing is counted by address. */
  readonly tickets: Int32Array<SharedArrayBuffer> | undefined;
}

type Rules = Pick<AdmissionRules, 'limits' | 'whenFull' | 'dryRun' | 'processes'> & {
  readonly proxy: ProxyOptions | undefined;
};
/** The family in which a process counts its clients: for an assistant, its worker, dead or alive. */
type SharedRules = Rules & { readonly parent: number };

/**
 * @param threads number of threads that this process will start
 * @param traits of the architecture that it serves with
 */
export function doorOf(
  limits: Limits,
  threads: number,
  { arrangement, capacity }: Pick<Traits, 'arrangement' | 'capacity'>,
): Door {
  const limit = descriptorLimit();
  // A thread for each connection needs descriptors of its own.
  const each = arrangement === 'crew' && capacity === 'unbounded' ? 1 + PER_THREAD : 1;
  const left = (limit ?? UNBOUNDED) - SPARE - threads * PER_THREAD;
  const open = limit === undefined ? 0 : openDescriptors();
  const all = Math.max(1, Math.floor((left - open) / each));
  return {
    descriptors: all,
    tickets:
      limits.connectionsPerAddress > 0
        ? new Int32Array(new SharedArrayBuffer(Math.min(limit ?? MOST_TICKETS, MOST_TICKETS) * 4))
        : undefined,
  };
}

/** µs since the machine was started, the same in every process. */
function clock(): number {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1e6 + nanoseconds / 1000;
}

const parts = { clock, random: Math.random } as const;

/** A thread's view of the admission in the scoreboard's memory. */
export const sharedAdmission = (
  rules: SharedRules,
  memory: Int32Array,
  { descriptors, tickets }: Door,
  count: (refusal: Refusal) => void,
): Admission =>
  new Admission(
    { ...rules, descriptors, trusted: rules.proxy?.trusted },
    { ...parts, memory, tickets, count, pid: process.pid, parent: rules.parent },
  );

/** The admission of a server that is only this process. @param seed of the hashes of addresses */
export function ownAdmission(
  rules: Omit<Rules, 'processes'>,
  count: (refusal: Refusal) => void,
  { descriptors, tickets }: Door,
  seed = randomSeed(),
): Admission {
  const memory = new Int32Array(ADMISSION_WORDS);
  prepareAdmission(memory, seed);
  return new Admission(
    { ...rules, processes: 1, descriptors, trusted: rules.proxy?.trusted },
    { ...parts, memory, tickets, count, pid: process.pid, parent: 0 },
  );
}

/**
 * For a process that got its one client: the process that accepted the client has counted it, and sees it leave. If it
 * was a proxy, this process is the first that learns of the client: then it applies `allow` and `deny`.
 */
export const noAdmission = ({ limits, dryRun, proxy }: Omit<Rules, 'whenFull' | 'processes'>) =>
  ownAdmission(
    {
      limits: proxy ? { ...noLimits, allow: limits.allow, deny: limits.deny } : noLimits,
      whenFull: { policy: 'wait' },
      dryRun: proxy !== undefined && dryRun,
      proxy,
    },
    () => {},
    NO_DOOR,
    // Nothing is counted by address. A random seed would load all of node:crypto, a third of a start.
    [0, 0],
  );
const NO_DOOR: Door = { descriptors: UNBOUNDED, tickets: undefined };

export function randomSeed(): [number, number] {
  const [one, two] = crypto.getRandomValues(new Int32Array(2));
  return [one!, two!];
}
