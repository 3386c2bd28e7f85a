/**
 * A service that writes each moment of its life into a file: `at` in its address. With `fail` it cannot open, with
 * `fail=elsewhere` only in a thread that waits for promises, with a path as long as that file exists; with `later` it
 * has only the asynchronous form; `shared` is its declaration. With `tick` it leaves a timer.
 */
import { appendFileSync, existsSync } from 'node:fs';
import { setImmediate as turn } from 'node:timers/promises';
import { threadId } from 'node:worker_threads';
import { defineService, type Service } from '../../../src/protocol/service.ts';

const { searchParams } = new URL(import.meta.url);
const at = searchParams.get('at')!;
const self = `${process.pid}.${threadId}`;
const note = (...words: unknown[]) => appendFileSync(at, `${[self, ...words].join(' ')}\n`);

if (searchParams.has('tick')) setInterval(() => {}, 1000);

export const shared = searchParams.get('shared') ?? undefined;

const life: Pick<Service, 'open' | 'close'> = {
  async open({ architecture, worker, thread }) {
    await turn();
    const fail = searchParams.get('fail');
    // A thread that only waits for promises has no number.
    if (fail?.startsWith('/') && existsSync(fail)) {
      note('failed');
      throw new Error('The database is down.');
    }
    if (fail === '' || (fail === 'elsewhere' && thread === undefined))
      throw new Error('There is no database.\nAt all.');
    note('open', architecture, worker, thread);
  },
  async close() {
    await turn();
    note('close');
  },
};

const later: Service = {
  ...life,
  delimiter: '?',
  async answerAsync() {
    note('asked');
    return 'Later.';
  },
};

const counting = defineService({
  ...life,
  delimiter: '?',
  connected: ({ address, port }) => ({ from: `${address}:${port}`, asked: 0 }),
  answer(_question, state) {
    note('asked');
    return `${state.from} ${++state.asked}.`;
  },
  disconnected: ({ from, asked }) => note('disconnected', from, asked),
});

export default searchParams.has('later') ? later : counting;
