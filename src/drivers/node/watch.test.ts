import { expect, it } from 'vitest';
import { Departure } from '../../lifecycle/drain.ts';
import { GONE, IDLE, THINKING } from '../../lifecycle/phase.ts';
import { noLimits } from '../../limits/limits.ts';
import type { WorkerContext } from '../../worker/contract.ts';
import { Watch } from './watch.ts';

it('leaves nobody out whose time is over as it looks at others', async () => {
  let looks = 0;
  let cut = 0;
  const departure = new Departure({
    order: 'stop',
    drain: 0,
    // Over from the third look on: at the first connection it is not yet, at the second it is.
    get left() {
      looks++;
      return looks > 2 ? 0 : 1;
    },
    count(outcome) {
      if (outcome === 'cut') cut++;
    },
  });
  const parts = { departure, limits: noLimits, unsentShare: 0, exceeded: () => false };
  const watch = new Watch(parts as Partial<WorkerContext> as WorkerContext);
  const ended: number[] = [];
  for (const i of [0, 1, 2]) {
    const place = watch.add({
      phase: () => THINKING,
      endAfterAnswer: () => {},
      endFor() {
        ended.push(i);
        watch.remove(place);
      },
    });
  }
  await watch.leave();
  expect(ended.toSorted()).toEqual([0, 1, 2]);
  expect(cut).toBe(3);
});

it('counts once who has its answer and takes a while to end', async () => {
  const counts = { answered: 0, cut: 0 };
  const departure = new Departure({
    ...{ order: 'stop', drain: 0, left: 60_000 },
    count: (outcome) => void counts[outcome]++,
  });
  const parts = { departure, limits: noLimits, unsentShare: 0, exceeded: () => false };
  const watch = new Watch(parts as Partial<WorkerContext> as WorkerContext);
  let looks = 0;
  const place = watch.add({
    phase() {
      looks++;
      if (looks === 2) watch.noteAnswered(place);
      if (looks < 2) return THINKING;
      return looks < 4 ? IDLE : GONE;
    },
    endAfterAnswer: () => {},
    endFor: () => {
      throw new Error('It ends by itself');
    },
  });
  await watch.leave();
  expect(counts).toEqual({ answered: 1, cut: 0 });
});
