/** Answers each question with the peer of its connection, as JSON in a line. */
import { defineService } from '../../../src/protocol/service.ts';

export const shared = 'none';

export default defineService({
  delimiter: '?',
  connected: (peer) => peer,
  answer: (_question, peer) => `${JSON.stringify(peer)}\n`,
});
