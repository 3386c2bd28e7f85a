/** The service for the attack `burn`: the Zen questions, and one that computes for 300 ms. */
import type { Service } from '../../protocol/service.ts';
import zen from '../../protocol/zen.ts';

const BURNS_FOR = 300;

function answer(question: string): string {
  if (question !== 'Burn?') return 'Error: unknown aphorism.';
  const end = performance.now() + BURNS_FOR;
  while (performance.now() < end);
  return 'Ash.';
}

const burning: Service = { delimiter: '?', answers: zen.answers!, answer };

export default burning;
