/** Answers with the question itself: an answer that reaches the wrong client is noticed. */
import type { Service } from '../../../src/index.ts';

const echo: Service = { delimiter: '?', answer: (question) => `${question}!` };

export default echo;
