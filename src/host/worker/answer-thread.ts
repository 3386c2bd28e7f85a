/** The thread that makes the promises of `answerElsewhere`. It does nothing else, so they settle. */
import { workerData } from 'node:worker_threads';
import type { Service } from '../../protocol/service.ts';
import { loadService } from '../load-service.ts';
import type { AnswerThreadData, Outcome } from './answer-elsewhere.ts';
import { crash, crashWithThread, end } from './crash.ts';

const { url, port, posted, hasJournal } = workerData as AnswerThreadData;

// A process that a real inetd runs cannot report it: standard error may be the client.
const failed = hasJournal ? crash : end;
// The thread that started this one sleeps until an answer comes, and would not learn of an error.
port.once('close', crashWithThread(failed));

const service = await loadService(url).catch(failed);

function post(outcome: Outcome): void {
  port.postMessage(outcome);
  Atomics.add(posted, 0, 1);
  Atomics.notify(posted, 0);
}

port.on('message', async (question: string) => {
  try {
    // Only services are answered here: see speakerOfDialogue.
    post({ answer: await (service as Service).answerAsync!(question) });
  } catch (error) {
    try {
      post({ error });
    } catch {
      // Threads may be unable to pass on an answer that is neither text nor bytes, or an error.
      post({ error: new Error(String(error)) });
    }
  }
});
