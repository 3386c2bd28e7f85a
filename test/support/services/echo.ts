/** Answers with the question itself, so that an answer that reaches another client is seen. */
import type { Service } from '../../../src/index.ts';

const echo: Service = { delimiter: '?', answer: (question) => `${question}!` };

export default echo;
