/**
 * For a process that a real inetd runs, or systemd with `StandardInput=socket`. Standard input is the socket, and
 * standard output usually is as well, so this process prints nothing. There is no supervisor and no journal.
 */

import { inetd } from '../../architectures/inetd.ts';
import { Clients } from '../../lifecycle/clients.ts';
import { alwaysServe } from '../../lifecycle/drain.ts';
import type { Admission } from '../../limits/admission.ts';
import { whyNoSystemCalls } from '../../os/libc.ts';
import { blockOnStandardInput, peerAddressOf, peerOf, socketKind } from '../../os/socket.ts';
import { speakersOf } from '../../protocol/speaker.ts';
import type { Journal } from '../../worker/contract.ts';
import { unreadRow } from '../../worker/scoreboard.ts';
import { ServeError } from '../errors.ts';
import { loadService, nameOf, serviceUrl, zenUrl } from '../load-service.ts';
import { planOf, type ServeOptions } from '../plan.ts';
import { createAnswerThread, needsAnswerThread } from './answer-elsewhere.ts';
import { assistantOf } from './context.ts';
import { conversationFactory } from './conversation-factory.ts';
import { noAdmission } from './door.ts';
import { closeService, openService } from './life.ts';
import { proxyParts } from './proxies.ts';

const STDIN = 0;

/** True if an inetd has started this process. */
export const isStartedByInetd = (): boolean =>
  whyNoSystemCalls() === undefined && socketKind(STDIN) !== undefined;

function isTrusted(admission: Admission): boolean {
  const address = peerAddressOf(STDIN);
  return address !== 'gone' && admission.trusts(address);
}

/** Serves the one client, or the listener, that is standard input. Returns when it is done. */
export async function serveStandardInput(options: ServeOptions): Promise<void> {
  const plan = planOf(inetd, options);
  if (plan.admin !== undefined || plan.agentCheck !== undefined || plan.lameDuck > 0) {
    throw new ServeError(
      'usage',
      'Cannot use --admin, --agent-check or --lame-duck in a process that inetd starts: it has no supervisor; use mondo serve',
    );
  }
  const url = serviceUrl((options.service as string | undefined) ?? zenUrl);
  const around = { architecture: inetd.name, worker: 0 };
  const answerThread = createAnswerThread(url, false, around);
  const service = await loadService(url);
  await openService(service, { ...around, thread: undefined }, nameOf(url));
  if (needsAnswerThread(service, false)) await answerThread.open();
  const speakers = speakersOf(service, false, answerThread.answerElsewhere);
  const row = unreadRow();
  const admission = noAdmission(plan);
  const journal: Journal = { on: false, record() {} };
  const { conversation, exceeded } = conversationFactory(
    plan,
    service,
    speakers,
    () => {},
    row.work,
    (slot) => clients.preambleOf(slot),
  );
  const clients = new Clients({
    limits: plan.limits,
    orders: alwaysServe,
    row,
    journal,
    countEnd() {},
    exceeded,
    unsentOfAll: () => row.unsent,
    release: (socket) => admission.leave(socket),
    proxy: proxyParts(plan.proxy, admission, 'descriptors', () => {}),
  });
  const worker = assistantOf({
    listener: STDIN,
    hasOwnListener: false,
    mostQueued: plan.backlog,
    awaits: false,
    journal,
    row,
    options: plan.page,
    clients,
    admission,
    conversation,
    // There is no scoreboard to note it on.
    ready() {},
    noteQueued() {},
  });
  blockOnStandardInput();
  const task = { socket: STDIN, peer: peerOf(STDIN) };
  // The super-server has accepted it, and knows nothing of trust.
  if (socketKind(STDIN) === 'listener' || isTrusted(admission)) inetd.assist(worker, task);
  await answerThread.close();
  await closeService(service, () => {});
}
