/** A service with promises. After the end of a connection it writes into the file `at` in its address, in a later tick. */
import { appendFileSync } from 'node:fs';
import { defineService } from '../../../src/protocol/service.ts';

const at = new URL(import.meta.url).searchParams.get('at')!;

export default defineService({
  delimiter: '?',
  connected: () => ({}),
  answerAsync: async (question) => question,
  disconnected: () => process.nextTick(() => appendFileSync(at, 'later\n')),
});
