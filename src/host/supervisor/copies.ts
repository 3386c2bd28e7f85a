/** Which threads and processes of a server have a copy of the service's module, in words. */
import { nameOf } from '../load-service.ts';
import type { Plan } from '../plan.ts';

/** The line for a service that does not declare `shared`; undefined if only one copy answers. */
export function copiesText(plan: Plan, service: string): string | undefined {
  const copies = copiesOf(plan);
  if (copies === undefined) return undefined;
  return `${copies}, each with its own copy of the module ${nameOf(service)}: the others do not see a variable that one changes. If this is right, export shared = 'none' or 'external' (docs/service.md#state)`;
}

function copiesOf({ traits, threads, processes, page }: Plan): string | undefined {
  if (traits.arrangement === 'crew' && traits.pool !== true) {
    const isThreads = traits.assistants === 'threads' && page.mixin === 'threading';
    return isThreads ? 'Threads for clients' : 'Processes for clients';
  }
  if (threads === 1 && processes === 1) return undefined;
  if (processes === 1) return `${threads} threads`;
  if (threads === 1) return `${processes} processes`;
  return `${processes} processes with ${threads} threads each`;
}
