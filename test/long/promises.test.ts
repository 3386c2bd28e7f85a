/** Very many answers that are promises, outstanding at the same time on one thread. */
import { expect, it } from 'vitest';
import { ask, NetClient } from '../support/clients.ts';
import { gate, OPEN } from '../support/gate.ts';
import { Process } from '../support/processes.ts';
import { DIGITS } from '../support/services/promising.ts';
import { Serving } from '../support/serving.ts';
import { until } from '../support/until.ts';

const service = new URL('../support/services/promising.ts', import.meta.url);
const CROWD = 10_000;

// The clients need the same number of descriptors again, so they have a separate process.
const program = (port: number, question: string) => `const { connect } = require('node:net');
  let n = 0;
  let answered = 0;
  const next = () => {
    const s = connect({ port: ${port}, host: '127.0.0.1', localAddress: '127.0.0.' + (1 + n % 4) });
    s.on('connect', () => {
      s.write(${JSON.stringify(question)});
      if (++n < ${CROWD}) next();
    });
    s.on('data', (data) => {
      if (String(data) !== '${OPEN}') throw new Error(String(data));
      if (++answered === ${CROWD}) console.log('all answered');
    });
    s.on('error', (e) => { console.error(e.message); process.exit(1); });
  };
  next();`;

it.each([
  'uring',
  'epoll',
  'poll',
  'generator',
  'asyncore',
  'coroutine',
])(`%s has ${CROWD} answers outstanding on one thread`, async (architecture) => {
  const serving = await Serving.start({ architecture, service });
  const { question, open } = gate();
  await using crowd = new Process(process.execPath, ['-e', program(serving.server.port, question)]);
  const other = await NetClient.connect(serving.address);
  await until('all answers to be outstanding', async () => {
    if (!crowd.isRunning) throw new Error(crowd.stderr);
    return Number(await ask(other, 'outstanding?', DIGITS)) === CROWD;
  });
  open();
  await crowd.printed(/all answered/);
  expect(await ask(other, 'timer?', 6)).toBe('timer.');
  await other.close();
  await serving.server.close();
});
