/** A service that always fails, and quotes the question in its error, as careless services do. */
import type { Service } from '../../../src/protocol/service.ts';

/** More than a socket takes in one piece. */
const LONG = 'x'.repeat(200_000);

const throws: Service = {
  delimiter: '?',
  answer(question) {
    throw new Error(question === 'long?' ? LONG : `no answer to ${question}`);
  },
};

export default throws;
