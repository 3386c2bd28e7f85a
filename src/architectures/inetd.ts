/**
 * A super-server waits until a client stands at its listener, and has a program serve it. `nowait`: a
 * process for each client, which accepts it as its standard input. One is ready before a client comes,
 * and serves the next when it has finished. `wait`: one process, whose standard input is the listener;
 * it accepts client after client until none has come for 8 s, and leaves. Each start costs a process.
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

/** Never accepts itself: it bids a process that is ready, or was started because a client waits. */
function bidForEachClient(crew: Crew): void {
  const processes = new ReadyProcesses(crew, { most: 0, cache: crew.options.processCache });
  while (!crew.isLeaving) {
    if (processes.awaitClient()) processes.bid(); // sleeps here
  }
  processes.close();
}

/** Never accepts itself: the process that it starts does, and it waits until that one has left. */
function startWhenAClientWaits(crew: Crew): void {
  const poll = pollOfListener(crew);
  while (!crew.isLeaving) {
    if (!waitForClient(crew, poll)) continue; // sleeps here
    crew.startProcess({ socket: crew.listener });
    waitForProcess(crew); // and here
  }
}

export const inetd: CrewArchitecture = {
  name: 'inetd',
  chapter: 'in_zen1 (nowait), in_zen2 (wait)',
  processModel: 'a process for each client, or one while clients come',
  ioModel: 'blocking calls',
  conversations: 'as many as clients come (nowait), one (wait)',
  defeatedBy: 'a crowd (nowait), one silent client (wait)',
  arrangement: 'crew',
  assistants: 'processes',
  capacity: 'unbounded',
  threads: { default: 1, adjustable: false },
  processes: { default: 1, adjustable: false },

  /** The super-server, where Mondo is its own. */
  serve(crew) {
    if (crew.options.inetd === 'wait') startWhenAClientWaits(crew);
    else bidForEachClient(crew);
  },

  /** The program that it starts; run by any other inetd, all it knows is the socket that it was given. */
  assist(worker, task) {
    for (const client of clientsOf(worker, task, QUIET_MS)) handleConversation(client);
  },
};
