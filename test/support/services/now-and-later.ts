/** A service with both forms; its answer names the form, or the peer. */
import { setTimeout as sleep } from 'node:timers/promises';
import { defineService } from '../../../src/protocol/service.ts';

export default defineService({
  delimiter: '?',
  connected: (peer) => peer,
  answer: (question, peer) => (question === 'Who?' ? JSON.stringify(peer) : 'Now.'),
  async answerAsync(question, peer) {
    if (question === 'Who?') return JSON.stringify(peer);
    await sleep(2);
    if (question === 'reject?') throw new Error('rejected later');
    return 'Later.';
  },
});
