/**
 * A service whose answers are as long as is fair: a peer has had its turn, of so many questions, just before the
 * answers are too many to be kept.
 */
import type { Service } from '../../../src/protocol/service.ts';

/** How long an answer is, in bytes. */
export const BULK = 900;

const answer = Buffer.alloc(BULK, 'x');

const bulky: Service = { delimiter: '?', answer: () => answer };

export default bulky;
