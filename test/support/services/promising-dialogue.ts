/**
 * A protocol whose dialogues answer with promises and keep a state: `count?` is the number of questions so far,
 * `nothing?` has no answer, `bye?` is the last. `large?` has an answer that the kernel does not take at once. It leaves a
 * timer: Node's loop never ends by itself.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Protocol } from '../../../src/protocol/service.ts';

/** Size of the answer to `large?`, in bytes. */
export const LARGE = 2 ** 23;

const QUESTION_MARK = 63;

export const GREETING = 'Hello.';

let hasTimer = false;

const protocol: Protocol = {
  dialogue() {
    if (!hasTimer) setInterval(() => {}, 1000);
    hasTimer = true;
    let asked = 0;
    let finished = false;
    return {
      greeting: GREETING,
      frame: (bytes, start, end, searched) =>
        bytes.subarray(0, end).indexOf(QUESTION_MARK, start + searched) + 1 || -1,
      async answerAsync(question) {
        asked++;
        const text = Buffer.from(question).toString();
        if (text === 'nothing?') await sleep(1);
        if (text === 'nothing?') return undefined;
        if (text === 'large?') return Buffer.alloc(LARGE, 'l');
        await new Promise<void>((resolve) => process.nextTick(resolve));
        if (text === 'bye?') finished = true;
        return `${asked}.`;
      },
      get finished() {
        return finished;
      },
    };
  },
};

export default protocol;
