import { describe, expect, it } from 'vitest';
import type { RowReading } from '../../../worker/scoreboard.ts';
import { KERNEL, LANE } from '../shared/records.ts';
import { Lanes } from './lanes.ts';

const row = (changes: Partial<RowReading>): RowReading => ({
  ...{ row: 0, pid: 10, family: 10, tid: 11, state: 'receiving' },
  ...{ accepted: 0, open: 0, turns: 0 },
  ...changes,
});
const lanes = () =>
  new Lanes(
    () => 5,
    () => KERNEL.asleep,
  );

describe('the lanes of a stage', () => {
  it('have the state of most samples with its share, and come only if they change', () => {
    const all = lanes();
    for (const state of ['receiving', 'answering', 'answering', 'sending'] as const) {
      all.sample([row({ state, open: 1 })]);
    }
    expect(all.frame()).toEqual([0, 11, 10, LANE.answering, 50, 1, 5, KERNEL.asleep]);
    for (let i = 0; i < 2; i++) {
      all.sample([row({ state: 'answering' })]);
      const changed = i === 0 ? [0, 11, 10, LANE.answering, 100, 0, -1, KERNEL.asleep] : [];
      expect(all.frame()).toEqual(changed);
    }
  });

  it('say who has one client more, and who is gone, also if another has its row', () => {
    const all = lanes();
    expect(all.sample([row({ accepted: 2 })])).toEqual({
      risen: [{ tid: 11, count: 2 }],
      gone: [],
    });
    expect(all.sample([row({ accepted: 3 })]).risen).toEqual([{ tid: 11, count: 1 }]);
    expect(all.sample([row({ tid: 12, accepted: 1 })])).toEqual({
      risen: [{ tid: 12, count: 1 }],
      gone: [{ pid: 10, tid: 11 }],
    });
    expect([all.rowOf(11), all.rowOf(12)]).toEqual([-1, 0]);
    all.frame();
    expect(all.sample([]).gone).toEqual([{ pid: 10, tid: 12 }]);
    expect(all.frame()).toEqual([0, 0, 0, LANE.free, 100, 0, -1, 0]);
    expect(all.frame()).toEqual([]);
  });

  it('are stuck from the report until the next turn', () => {
    const all = lanes();
    all.sample([row({ turns: 7 })]);
    all.stuck(11);
    expect(all.frame()[3]).toBe(LANE.stuck);
    all.sample([row({ turns: 7 })]);
    expect(all.frame()).toEqual([]);
    all.sample([row({ turns: 8 })]);
    expect(all.frame()[3]).toBe(LANE.receiving);
  });
});
