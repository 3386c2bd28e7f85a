/** Runs a plan of load and says what it found. */
import type { LoadPlan } from './plan.ts';
import type { Run, RunOptions } from './result.ts';

/**
 * Drives the load of `plan` from one thread of its own and resolves with what it found: also where the
 * server was not there, or the run is not to be trusted, which the result then says.
 *
 * @throws LoadError where the plan cannot be carried out at all: a name that does not resolve
 */
export async function runLoad(_plan: LoadPlan, _options: RunOptions = {}): Promise<Run> {
  throw new Error('Not there yet');
}
