/** The thread that makes the promises of `answerElsewhere`. It does nothing else, so they settle. */
import { workerData } from 'node:worker_threads';
import type { Service } from '../../protocol/service.ts';
import { loadService, nameOf } from '../load-service.ts';
import { type AnswerThreadData, CLOSE, type Opening, type Outcome } from './answer-elsewhere.ts';
import { crash, crashWithThread, end } from './crash.ts';
import { closeService, openService } from './life.ts';

const { url, port, posted, hasJournal, around } = workerData as AnswerThreadData;

// A process that a real inetd runs cannot report it: standard error may be the client.
const failed = hasJournal ? crash : end;
// The thread that started this one sleeps until an answer comes, and would not learn of an error.
port.once('close', crashWithThread(failed));

const service = await loadService(url).catch(failed);
const context = { ...around, thread: undefined };
if (service) {
  const opening = openService(service, context, nameOf(url));
  const fault = await opening.then(
    () => undefined,
    (error: Error) => error.message,
  );
  port.postMessage({ fault } satisfies Opening);
}

function post(outcome: Outcome): void {
  port.postMessage(outcome);
  Atomics.add(posted, 0, 1);
  Atomics.notify(posted, 0);
}

port.on('message', async (question: string | typeof CLOSE) => {
  if (question === CLOSE) {
    await closeService(service as Service, () => {});
    port.postMessage(CLOSE);
    return;
  }
  try {
    // Only services are answered here: see speakerOfDialogue.
    post({ answer: await (service as Service).answerAsync!(question, undefined) });
  } catch (error) {
    try {
      post({ error });
    } catch {
      // Threads may be unable to pass on an answer that is neither text nor bytes, or an error.
      post({ error: new Error(String(error)) });
    }
  }
});
