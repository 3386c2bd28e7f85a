/**
 * The Zen questions as a service that has promises for answers. The query of this module's URL says what each waits
 * for: `?ms=1` for a timer of 1 ms, `?ms=0` for nothing.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Service } from '../../src/protocol/service.ts';
import { aphorisms } from '../../src/protocol/zen.ts';

const ms = Number(new URL(import.meta.url).searchParams.get('ms'));
const answerOf = (question: string) =>
  aphorisms[question as keyof typeof aphorisms] ?? 'Error: unknown aphorism.';

const later: Service = {
  delimiter: '?',
  async answerAsync(question) {
    if (ms > 0) await sleep(ms);
    return answerOf(question);
  },
};

export default later;
