/** The thread in which `settle` has promises made: it has nothing else to do, so they settle. */
import { workerData } from 'node:worker_threads';
import type { Service } from '../../protocol/service.ts';
import { loadService } from '../load-service.ts';
import { crash, crashWithThread, end } from './crash.ts';
import type { Settled, SettlerData } from './settle.ts';

const { url, port, posted, hasJournal } = workerData as SettlerData;

// Run by a real inetd there is nowhere to tell it: standard error may be the client.
const failed = hasJournal ? crash : end;
// The thread that started this one sleeps until an answer comes, and would not hear of an error.
port.once('close', crashWithThread(failed));

const service = await loadService(url).catch(failed);

function post(settled: Settled): void {
  port.postMessage(settled);
  Atomics.add(posted, 0, 1);
  Atomics.notify(posted, 0);
}

port.on('message', async (question: string) => {
  try {
    // Only services are settled here: see speakerOfDialogue.
    post({ answer: await (service as Service).answerAsync!(question) });
  } catch (error) {
    try {
      post({ error });
    } catch {
      // An answer that is neither text nor bytes may be nothing that threads can hand over, nor may an error.
      post({ error: new Error(String(error)) });
    }
  }
});
