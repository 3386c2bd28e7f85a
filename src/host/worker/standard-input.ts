/**
 * Run by a real inetd, or by systemd with `StandardInput=socket`: standard input is the socket, and
 * standard output usually is as well, so nothing may be printed there. No supervisor, no journal.
 */

import { inetd } from '../../architectures/inetd.ts';
import { Clients } from '../../lifecycle/clients.ts';
import { alwaysServe } from '../../lifecycle/drain.ts';
import { whyNoSystemCalls } from '../../os/libc.ts';
import { blockOnStandardInput, peerOf, socketKind } from '../../os/socket.ts';
import { speakersOf } from '../../protocol/speaker.ts';
import type { Journal } from '../../worker/contract.ts';
import { unreadRow } from '../../worker/scoreboard.ts';
import { loadService, serviceUrl, zenUrl } from '../load-service.ts';
import { planOf, type ServeOptions } from '../plan.ts';
import { assistantOf } from './context.ts';
import { conversationFactory } from './conversation-factory.ts';
import { noAdmission } from './door.ts';
import { createSettler } from './settle.ts';

const STDIN = 0;

/** True where an inetd has started this process. */
export const isStartedByInetd = (): boolean =>
  whyNoSystemCalls() === undefined && socketKind(STDIN) !== undefined;

/** Serves the one client, or the listener, that is standard input; returns when it is done. */
export async function serveStandardInput(options: ServeOptions): Promise<void> {
  const plan = planOf(inetd, options);
  const url = serviceUrl((options.service as string | undefined) ?? zenUrl);
  const settler = createSettler(url, false);
  const service = await loadService(url);
  const speakers = speakersOf(service, false, settler.settle);
  const row = unreadRow();
  const admission = noAdmission();
  const journal: Journal = { on: false, record() {} };
  const { conversation, exceeded } = conversationFactory(
    plan,
    service,
    speakers,
    () => {},
    row.questions,
  );
  const worker = assistantOf({
    listener: STDIN,
    hasOwnListener: false,
    mostQueued: plan.backlog,
    journal,
    row,
    options: plan.page,
    clients: new Clients({
      limits: plan.limits,
      orders: alwaysServe,
      row,
      journal,
      exceeded,
      unsentOfAll: () => row.unsent,
      release: (socket) => admission.leave(socket),
    }),
    admission,
    conversation,
    // There is no scoreboard to note it on.
    ready() {},
    noteQueued() {},
  });
  blockOnStandardInput();
  const task = { socket: STDIN, peer: peerOf(STDIN) };
  inetd.assist(worker, task);
  settler.close();
}
