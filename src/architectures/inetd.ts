/**
 * A super-server accepts and starts a program for whoever comes. `nowait`: a process for each client,
 * whose standard input is the client's socket. `wait`: one process, whose standard input is the
 * listener; it accepts client after client until none has come for 8 s, and leaves. Between clients
 * nothing of the service is in memory; each start costs a whole process.
 */

import { acceptOne } from '../drivers/accept.ts';
import { ReadyProcesses, serveBids } from '../drivers/blocking/ready-processes.ts';
import { Poll } from '../os/poll.ts';
import { READABLE } from '../os/readiness.ts';
import { close, setReceiveTimeout, socketKind } from '../os/socket.ts';
import type { Architecture, WorkerContext } from '../worker/contract.ts';
import { handleConversation } from './blocking.ts';

/** How long a process in `wait` mode stays without a client, in ms. */
const PATIENCE = 8000;

const STDIN = 0;

/** Never accepts itself: it bids a process that is ready, or was started because a client waits. */
function bidForEachClient(worker: WorkerContext): void {
  const processes = new ReadyProcesses(worker, { most: 0, cache: worker.options.processCache });
  while (!worker.stopping) if (processes.awaitClient()) processes.bid();
  processes.close();
}

/** Never accepts itself: the process it starts does, and it waits until that one has left. */
function startWhenAClientWaits(worker: WorkerContext): void {
  const poll = new Poll();
  poll.register(worker.listener, READABLE);
  while (!worker.stopping) {
    worker.row.state = 'waiting';
    if (poll.wait(-1) <= 0) continue;
    worker.startProcess({ socket: worker.listener });
    worker.row.state = 'asleep';
    worker.waitForAssistants(1);
  }
}

function acceptUntilQuiet(worker: WorkerContext): void {
  setReceiveTimeout(worker.listener, PATIENCE);
  let lastClient = performance.now();
  while (!worker.stopping && performance.now() - lastClient < PATIENCE) {
    const accepted = acceptOne(worker);
    if (accepted === undefined) continue;
    converse(worker, accepted.socket, accepted.peer);
    lastClient = performance.now();
  }
}

function converse(worker: WorkerContext, socket: number, peer: string): void {
  worker.row.accepted();
  handleConversation(socket, peer, worker);
  worker.row.ended();
}

export const inetd: Architecture = {
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
  serve(worker) {
    if (worker.options.inetd === 'wait') startWhenAClientWaits(worker);
    else bidForEachClient(worker);
  },

  /** The program that it starts; run by any other inetd, all it knows is the socket it was given. */
  assist(worker, { socket, peer, bids }) {
    if (bids !== undefined) {
      // accept(2) gives the lowest descriptor that is free: so the client is standard input.
      close(STDIN);
      serveBids(worker, bids, (client) => converse(worker, client.socket, client.peer));
    } else if (socketKind(socket!) === 'listener') acceptUntilQuiet(worker);
    else converse(worker, socket!, peer!);
  },
};
