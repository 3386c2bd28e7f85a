/** A service that leaves a timer behind: Node's loop never ends by itself. It has only the asynchronous form. */
import type { Service } from '../../../src/protocol/service.ts';

setInterval(() => {}, 1000);

const ticking: Service = {
  delimiter: '?',
  answerAsync: async (question) => question,
};

export default ticking;
