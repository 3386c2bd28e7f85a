/** The door of a worker process: what its threads share of it, and each thread's view. */

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

/** What a thread of Node's costs in descriptors: its loop, and what others wake it with. Counted. */
const PER_THREAD = 5;
/** For selectors, rings, pipes to assistants, and files that are opened for a moment. */
const SPARE = 16;
/** One table entry for each descriptor, where there are not more than this. */
const MOST_TICKETS = 2 ** 20;

/** The same for all threads of a process. */
export interface Door {
  /** How many connections there are descriptors for. */
  readonly descriptors: number;
  /** By descriptor, what each connection holds; undefined where nothing is counted by address. */
  readonly tickets: Int32Array<SharedArrayBuffer> | undefined;
}

type Rules = Pick<AdmissionRules, 'limits' | 'whenFull' | 'dryRun' | 'processes'>;
/** With whose family a process counts its clients: of an assistant that is its worker, dead or alive. */
type SharedRules = Rules & { readonly parent: number };

/**
 * @param threads how many threads this process is going to start
 * @param traits of the architecture that it serves with
 */
export function doorOf(
  limits: Limits,
  threads: number,
  { arrangement, capacity }: Pick<Traits, 'arrangement' | 'capacity'>,
): Door {
  const limit = descriptorLimit();
  // A thread for each connection takes descriptors of its own.
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

/** A thread's view of the door that is in the scoreboard's memory. */
export const sharedAdmission = (
  rules: SharedRules,
  memory: Int32Array,
  { descriptors, tickets }: Door,
  count: (refusal: Refusal) => void,
): Admission =>
  new Admission(
    { ...rules, descriptors },
    { ...parts, memory, tickets, count, pid: process.pid, parent: rules.parent },
  );

/** The door of a server that is this process alone. @param seed of the hashes of addresses */
export function ownAdmission(
  rules: Omit<Rules, 'processes'>,
  count: (refusal: Refusal) => void,
  { descriptors, tickets }: Door,
  seed = randomSeed(),
): Admission {
  const memory = new Int32Array(ADMISSION_WORDS);
  prepareAdmission(memory, seed);
  return new Admission(
    { ...rules, processes: 1, descriptors },
    { ...parts, memory, tickets, count, pid: process.pid, parent: 0 },
  );
}

/** For a process that was given its one client: whoever accepted it has counted it, and sees it leave. */
export const noAdmission = (): Admission =>
  ownAdmission(
    { limits: noLimits, whenFull: { policy: 'wait' }, dryRun: false },
    () => {},
    NO_DOOR,
    // Nothing is counted by address. A random one would load all of node:crypto, a third of a start.
    [0, 0],
  );
const NO_DOOR: Door = { descriptors: UNBOUNDED, tickets: undefined };

export function randomSeed(): [number, number] {
  const [one, two] = crypto.getRandomValues(new Int32Array(2));
  return [one!, two!];
}
