/**
 * A service with answers of the largest fair length: a peer reaches its most questions per turn just before the
 * outbox is full.
 */
import type { Service } from '../../../src/protocol/service.ts';

/** Length of an answer, in bytes. */
export const BULK = 900;

const answer = Buffer.alloc(BULK, 'x');

const bulky: Service = { delimiter: '?', answer: () => answer };

export default bulky;
