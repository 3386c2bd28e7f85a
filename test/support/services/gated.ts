/**
 * A service whose question names a file. It answers once the file exists, and computes until then: its thread does
 * nothing else. See gate.ts.
 */
import { existsSync } from 'node:fs';
import type { Service } from '../../../src/protocol/service.ts';

const clock = new Int32Array(new SharedArrayBuffer(4));

const gated: Service = {
  delimiter: '?',
  answer(question) {
    const file = question.slice(0, -1);
    while (file.startsWith('/') && !existsSync(file)) Atomics.wait(clock, 0, 0, 5);
    return 'Open.';
  },
};

export default gated;
