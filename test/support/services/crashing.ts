/**
 * A service that harms its process for some questions, and answers the others. It has only the asynchronous form, and
 * leaves a timer: Node's loop never ends by itself.
 */
import type { Service } from '../../../src/protocol/service.ts';

setInterval(() => {}, 1000);

const crashing: Service = {
  delimiter: '?',
  answerAsync(question) {
    if (question === 'throw?') setTimeout(() => lose('thrown'), 1);
    else if (question === 'exit?') setTimeout(() => process.exit(3), 1);
    else if (question === 'reject?') void Promise.reject(new Error('rejected'));
    else return Promise.resolve(question);
    return new Promise(() => {});
  },
};

function lose(text: string): never {
  throw new Error(text);
}

export default crashing;
