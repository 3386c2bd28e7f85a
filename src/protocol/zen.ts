/** The chapter's service: three questions from the Zen of Python, and an error for any other. */
/// <reference types="node" preserve="true" />
import type { Service } from './service.ts';

export const aphorisms = {
  'Beautiful is better than?': 'Ugly.',
  'Explicit is better than?': 'Implicit.',
  'Simple is better than?': 'Complex.',
} as const;

const zen: Service = {
  delimiter: '?',
  shared: 'none',
  answers: aphorisms,
  otherwise: 'Error: unknown aphorism.',
};

export default zen;
