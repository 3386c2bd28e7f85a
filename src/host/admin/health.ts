/** Whether a server lives and is ready, as a status of HTTP and one line. Pure: the tests use tables of cases. */
import type { ServerState, View } from './view.ts';

export interface Health {
  readonly isGood: boolean;
  /** One line that names the state, or the fault. */
  readonly text: string;
}

/** What the health of a server depends on. */
export type Facts = Pick<View, 'serving' | 'stuck'> & { readonly threads: number };

export const factsOf = (view: View | undefined): Facts | undefined =>
  view === undefined
    ? undefined
    : { serving: view.serving, stuck: view.stuck, threads: view.workers().length };

/**
 * Lives, unless all of its threads are stuck: then only a restart helps.
 *
 * @param facts undefined before the server serves
 */
export function liveness(facts: Facts | undefined): Health {
  if (facts === undefined || facts.stuck === 0 || facts.stuck < facts.threads) {
    return { isGood: true, text: 'live' };
  }
  return { isGood: false, text: 'every worker thread is stuck' };
}

/**
 * Ready, if new clients should come here. A full server stays ready: if it did not, its clients would fill the other
 * servers too.
 *
 * @param facts undefined before the server serves
 */
export function readiness(state: ServerState, facts: Facts | undefined): Health {
  if (state !== 'ready') return { isGood: false, text: state };
  if (facts === undefined || facts.serving === 0) {
    return { isGood: false, text: 'no worker serves' };
  }
  return { isGood: true, text: state };
}

/**
 * The line of HAProxy's agent check. `ready` takes back an earlier `drain`, and `up` an earlier `down`: only the agent
 * itself can do so. `maint` would end the health checks, so it never says that.
 */
export function agentLine(state: ServerState, facts: Facts | undefined): string {
  if (state === 'lame' || state === 'draining' || state === 'stopped') return 'drain';
  const { isGood, text } = readiness(state, facts);
  return isGood ? 'ready up' : `down #${text}`;
}
