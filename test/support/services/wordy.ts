/** A service with answers that are much longer than the questions. */
import type { Service } from '../../../src/protocol/service.ts';

const answer = 'wordy'.repeat(100);

const wordy: Service = { delimiter: '?', answer: () => answer };

export default wordy;
