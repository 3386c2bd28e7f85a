/** A protocol that answers each question with the peer of its connection, as JSON in a line. It greets some peers. */
import type { Protocol } from '../../../src/protocol/service.ts';
import { GREETING } from './talker.ts';

/** The address of clients that it greets. */
export const GREETED = '203.0.113.99';

const protocol: Protocol = {
  dialogue: (peer) => ({
    ...(peer.address === GREETED ? { greeting: GREETING } : {}),
    frame(bytes, start, end, searched) {
      const at = bytes.subarray(0, end).indexOf(0x3f, start + searched);
      return at < 0 ? -1 : at + 1;
    },
    answer: () => `${JSON.stringify(peer)}\n`,
  }),
};

export default protocol;
