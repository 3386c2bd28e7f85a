/** A service with only the asynchronous form. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Service } from '../../../src/protocol/service.ts';

const onlyLater: Service = {
  delimiter: '?',
  async answerAsync(question) {
    await sleep(2);
    if (question === 'reject?') throw new Error('rejected later');
    return `${question.length}.`;
  },
};

export default onlyLater;
