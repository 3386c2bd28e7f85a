/** A service that says much more than it is asked. */
import type { Service } from '../../../src/protocol/service.ts';

const answer = 'wordy'.repeat(100);

const wordy: Service = { delimiter: '?', answer: () => answer };

export default wordy;
