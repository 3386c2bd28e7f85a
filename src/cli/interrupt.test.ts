import { afterEach, expect, it } from 'vitest';
import { until } from '../../test/support/until.ts';
import { onInterrupt, SAME_SIGNAL } from './interrupt.ts';

// One that no other test of this process uses.
const SIGNAL = 'SIGWINCH';
afterEach(() => process.removeAllListeners(SIGNAL));

function counting() {
  const count = { first: 0, again: 0 };
  onInterrupt({ first: () => count.first++, again: () => count.again++ }, [SIGNAL]);
  return count;
}

/** Keeps the thread from handling anything, as a large page does that is being written. */
function block(ms: number): void {
  const end = performance.now() + ms;
  while (performance.now() < end);
}

it('takes a second delivery for the same signal, although the command handles it only much later', async () => {
  const count = counting();
  process.kill(process.pid, SIGNAL);
  await until('the first', () => count.first === 1);
  process.kill(process.pid, SIGNAL);
  block(1.5 * SAME_SIGNAL);
  // After several turns of the loop the second delivery has been handled.
  for (let turn = 0; turn < 10; turn++) await new Promise((resolve) => setTimeout(resolve, 1));
  expect(count).toEqual({ first: 1, again: 0 });
});

it('takes a later one for another signal, once', async () => {
  const count = counting();
  process.kill(process.pid, SIGNAL);
  await until('the first', () => count.first === 1);
  await until('the second', () => {
    process.kill(process.pid, SIGNAL);
    return count.again > 0;
  });
  expect(count).toEqual({ first: 1, again: 1 });
});

it('takes a third one too, if the second has asked for it', async () => {
  const count = { again: 0 };
  const { interruptedAgain } = onInterrupt({ again: () => ++count.again < 2 }, [SIGNAL]);
  let isOver = false;
  void interruptedAgain.then(() => {
    isOver = true;
  });
  const isAgain = (signals: number) => {
    process.kill(process.pid, SIGNAL);
    return count.again === signals;
  };
  await until('the second', () => isAgain(1));
  expect(isOver).toBe(false);
  await until('the third', () => isAgain(2));
  await until('the end', () => isOver);
});
