/** The answer of /status: everything that the supervisor knows, as JSON. */
import { version } from '../version.ts';
import type { ServerState, View } from './view.ts';

/** @param view undefined before the server serves */
export function statusOf(state: ServerState, view: View | undefined): object {
  const head = { version: version(), pid: process.pid, state };
  if (view === undefined) return head;
  const { open, limit } = view.connections;
  return {
    ...head,
    architecture: view.architecture,
    address: view.where,
    generation: view.generation,
    serving: view.serving,
    stuck: view.stuck,
    connections: { open, limit: Number.isFinite(limit) ? limit : null },
    work: view.work(),
    ended: view.ended(),
    limited: view.limited(),
    proxyHeaders: view.headers(),
    unsent: view.unsent,
    queue: view.queue() ?? null,
    restarts: view.restarts,
    exits: view.exits,
    dropped: view.dropped,
    workers: view.workers(),
  };
}
