/** The Zen questions, too slow on purpose: after the first answers of a process, each takes longer than an honest client of a siege waits. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Service } from '../../../src/protocol/service.ts';
import { aphorisms } from '../../../src/protocol/zen.ts';

/** Number of quick answers, from the query of this module's URL: `tired.ts?quick=24`. */
let quick = Number(new URL(import.meta.url).searchParams.get('quick'));

const tired: Service = {
  delimiter: '?',
  async answerAsync(question) {
    if (quick > 0) quick--;
    else await sleep(1500);
    return aphorisms[question as keyof typeof aphorisms] ?? 'Error: unknown aphorism.';
  },
};

export default tired;
