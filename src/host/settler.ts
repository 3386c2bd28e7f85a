/** The thread in which `settle` has promises made: it has nothing else to do, so they settle. */
import { workerData } from 'node:worker_threads';
import type { Service } from '../protocol/service.ts';
import { loadService } from './load-service.ts';
import type { Settled, SettlerData } from './settle.ts';

const { url, port, posted } = workerData as SettlerData;

const service = await loadService(url);

port.on('message', async (question: string) => {
  let settled: Settled;
  try {
    // Only services are settled here: see speakerOfDialogue.
    settled = { answer: await (service as Service).answerAsync!(question) };
  } catch (error) {
    settled = { error };
  }
  port.postMessage(settled);
  Atomics.add(posted, 0, 1);
  Atomics.notify(posted, 0);
});
