/**
 * A super-server waits until a client stands at its listener, then lets a program serve it. `nowait`:
 * one process per client, with the client as standard input. A process is ready before the client
 * comes, and serves the next one when it is free. `wait`: one process, with the listener as standard
 * input. It ends after 8 s without a client. Each start costs a process.
 */

import { ReadyProcesses } from '../drivers/blocking/ready-processes.ts';
import {
  clientsOf,
  pollOfListener,
  waitForClient,
  waitForProcess,
} from '../drivers/blocking/super-server.ts';
import type { Crew, CrewArchitecture } from '../worker/contract.ts';
import { handleConversation } from './blocking.ts';

/** How long a process in `wait` mode stays without a client, in ms. */
const QUIET_MS = 8000;

/** Never accepts a client: a process does. That process was ready, or was started because a client waits. */
function bidForEachClient(crew: Crew): void {
  const processes = new ReadyProcesses(crew, { most: 0, cache: crew.options.processCache });
  while (!crew.isLeaving) {
    if (processes.awaitClient()) processes.bid(); // sleeps here, in poll(2)
  }
  processes.close();
}

/** Never accepts a client: it starts a process that does, and waits until that process has ended. */
function startWhenAClientWaits(crew: Crew): void {
  const poll = pollOfListener(crew);
  while (!crew.isLeaving) {
    if (!waitForClient(crew, poll)) continue; // sleeps here, in poll(2)
    crew.startProcess({ socket: crew.listener });
    waitForProcess(crew); // and here
  }
}

export const inetd: CrewArchitecture = {
  name: 'inetd',
  chapter: 'in_zen1 (nowait), in_zen2 (wait)',
  processModel: 'nowait: a process for each client; wait: one process for all clients',
  ioModel: 'blocking calls',
  conversations: 'nowait: no fixed number; wait: one',
  defeatedBy: 'nowait: a crowd; wait: one silent client',
  arrangement: 'crew',
  assistants: 'processes',
  capacity: 'unbounded',
  threads: { default: 1, adjustable: false },
  processes: { default: 1, adjustable: false },

  /** The super-server, if Mondo is its own. */
  serve(crew) {
    if (crew.options.inetd === 'wait') startWhenAClientWaits(crew);
    else bidForEachClient(crew);
  },

  /** The program that the super-server starts. Any other inetd can run it: it needs only the socket it inherits. */
  assist(worker, task) {
    for (const client of clientsOf(worker, task, QUIET_MS)) handleConversation(client);
  },
};
