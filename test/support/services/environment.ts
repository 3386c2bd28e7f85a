/** Answers with a variable of its environment. */
import type { Service } from '../../../src/protocol/service.ts';

const environment: Service = {
  delimiter: '?',
  answer: (question) => `${process.env[question.slice(0, -1)] ?? 'unset'}.`,
};

export default environment;
