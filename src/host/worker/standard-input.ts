/**
 * For a process that a real inetd runs, or systemd with `StandardInput=socket`. Standard input is the socket, and
 * standard output usually is as well, so this process prints nothing. systemd can also pass a connection as another
 * descriptor. There is no supervisor and no journal.
 */

import { inetd } from '../../architectures/inetd.ts';
import { Clients } from '../../lifecycle/clients.ts';
import { alwaysServe } from '../../lifecycle/drain.ts';
import type { Admission } from '../../limits/admission.ts';
import {
  blockOnStandardInput,
  peerAddressOf,
  peerOf,
  setBlocking,
  socketKind,
} from '../../os/socket.ts';
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
import { closeService, openAnswers, openService } from './life.ts';
import { proxyParts } from './proxies.ts';

const STDIN = 0;

function isTrusted(socket: number, admission: Admission): boolean {
  const address = peerAddressOf(socket);
  return address !== 'gone' && admission.trusts(address);
}

/**
 * Serves one client, or the clients of a listener. Returns when it is done.
 *
 * @param socket the descriptor of the connection, or of the listener, which only standard input can be
 */
export async function serveStandardInput(options: ServeOptions, socket = STDIN): Promise<void> {
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
  if (needsAnswerThread(service, false)) await openAnswers(service, () => answerThread.open());
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
    listener: socket,
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
  if (socket === STDIN) blockOnStandardInput();
  else setBlocking(socket, true);
  const task = { socket, peer: peerOf(socket) };
  // The super-server has accepted it, and knows nothing of trust.
  if (socketKind(socket) === 'listener' || isTrusted(socket, admission)) {
    inetd.assist(worker, task);
  }
  await answerThread.close();
  await closeService(service, () => {});
}
