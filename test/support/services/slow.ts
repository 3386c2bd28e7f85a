/** A service that computes for a few milliseconds before each answer. */
import type { Service } from '../../../src/protocol/service.ts';

/** Time per answer, in ms. */
export const SLOW = 3;

const slow: Service = {
  delimiter: '?',
  answer() {
    const end = performance.now() + SLOW;
    while (performance.now() < end);
    return 'ok.';
  },
};

export default slow;
