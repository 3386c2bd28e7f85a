/** A service for servers with limits: an aphorism, counted, long and wordy answers, and a greeting for some clients. */
import type { Protocol } from '../../../src/protocol/service.ts';
import { BIG, GREETING } from './talker.ts';

/** The address of clients that it greets. A client without a greeting gets nothing before its first question. */
export const GREETED = '127.0.0.2';

const big = Buffer.alloc(BIG, 'big');
const wordy = 'wordy'.repeat(100);

const limited: Protocol = {
  dialogue({ address }) {
    let asked = 0;
    return {
      ...(address === GREETED ? { greeting: GREETING } : {}),
      frame(bytes, start, end, searched) {
        const at = bytes.subarray(0, end).indexOf(0x3f, start + searched);
        return at < 0 ? -1 : at + 1;
      },
      answer(question) {
        asked++;
        const text = Buffer.from(question).toString('latin1');
        if (text === 'count?') return `${asked}.`;
        if (text === 'big?') return big;
        return text === 'x?' ? wordy : 'Complex.';
      },
    };
  },
};

export default limited;
