/** A service that computes for a while before each answer, which is large. */
import type { Service } from '../../../src/protocol/service.ts';

/** How long an answer is, in bytes. */
export const BULK = 15_000;

const answer = Buffer.alloc(BULK, 'x');

const bulky: Service = {
  delimiter: '?',
  answer() {
    const end = performance.now() + 3;
    while (performance.now() < end);
    return answer;
  },
};

export default bulky;
