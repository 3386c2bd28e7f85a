/** A service whose module takes a moment to load, so that a test can see its workers start. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Service } from '../../../src/protocol/service.ts';

await sleep(300);

const slowToLoad: Service = { delimiter: '?', answer: (question) => `${question}!` };

export default slowToLoad;
