/** A service with both forms; its answer names the form. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Service } from '../../../src/protocol/service.ts';

const nowAndLater: Service = {
  delimiter: '?',
  answer: () => 'Now.',
  async answerAsync(question) {
    await sleep(2);
    if (question === 'reject?') throw new Error('rejected later');
    return 'Later.';
  },
};

export default nowAndLater;
