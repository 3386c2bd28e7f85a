/** A protocol that uses every feature: it greets, counts, sends long answers or none, throws and closes. */
import type { Protocol } from '../../../src/protocol/service.ts';

export const GREETING = 'Hello.';
export const BIG = 65_536;

const big = Buffer.alloc(BIG, 'big');

const talker: Protocol = {
  dialogue() {
    let asked = 0;
    let finished = false;
    return {
      greeting: GREETING,
      frame(bytes, start, end, searched) {
        const at = bytes.subarray(0, end).indexOf(0x3f, start + searched);
        return at < 0 ? -1 : at + 1;
      },
      answer(question) {
        asked++;
        switch (Buffer.from(question).toString('latin1')) {
          case 'count?':
            return `${asked}.`;
          case 'big?':
            return big;
          case 'nothing?':
            return undefined;
          case 'bye?':
            finished = true;
            return 'Bye.';
          default:
            throw new Error('no such question');
        }
      },
      get finished() {
        return finished;
      },
    };
  },
};

export default talker;
