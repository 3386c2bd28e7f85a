import { describe, expect, it } from 'vitest';
import { Handover } from './handover.ts';

const unasked = () => {
  throw new Error('It asks the kernel only if the order is not known');
};

describe('which thread has which client', () => {
  it('follows the order of the queue: either report may come first', () => {
    const handover = new Handover(unasked);
    handover.came('a');
    handover.came('b');
    expect(handover.taken()).toEqual([]);
    handover.rose(11);
    expect(handover.taken()).toEqual([{ peer: 'a', tid: 11, isSure: false }]);
    handover.rose(12);
    expect(handover.taken()).toEqual([{ peer: 'b', tid: 12, isSure: true }]);
    handover.rose(13);
    expect(handover.taken()).toEqual([]);
    handover.came('c');
    expect(handover.taken()).toEqual([{ peer: 'c', tid: 13, isSure: true }]);
  });

  it('is asked of the kernel if several have taken one at once', () => {
    const asked: number[] = [];
    const handover = new Handover((tid) => {
      asked.push(tid);
      return { 11: 'b', 12: undefined, 13: 'z' }[tid];
    });
    for (const peer of ['a', 'b', 'c']) handover.came(peer);
    for (const tid of [11, 12, 13]) handover.rose(tid);
    // 13 sleeps for a client that is none of these: it is in the order of the queue, too.
    expect(handover.taken()).toEqual([
      { peer: 'b', tid: 11, isSure: true },
      { peer: 'a', tid: 12, isSure: false },
      { peer: 'c', tid: 13, isSure: false },
    ]);
    expect(asked).toEqual([11, 12, 13]);
  });

  it('leaves out clients that have left, and the threads that had them', () => {
    const handover = new Handover(unasked);
    handover.came('a');
    handover.came('b');
    handover.rose(11);
    expect(handover.left('b', 11)).toBe(true);
    expect(handover.left('b', 11)).toBe(false);
    expect(handover.taken()).toEqual([]);
    handover.rose(12);
    handover.keep((tid) => tid !== 12);
    expect(handover.taken()).toEqual([]);
    handover.rose(13);
    expect(handover.taken()).toEqual([{ peer: 'a', tid: 13, isSure: true }]);
  });

  it('takes a client that was there for a moment for none of those after it', () => {
    const handover = new Handover(unasked);
    handover.came('a');
    expect(handover.left('a', 11)).toBe(true);
    handover.came('b');
    handover.rose(11);
    expect(handover.taken()).toEqual([]);
    handover.rose(11);
    expect(handover.taken()).toEqual([{ peer: 'b', tid: 11, isSure: true }]);
    // A later thread may have the number of one that has ended.
    handover.came('c');
    handover.left('c', 12);
    handover.keep((tid) => tid !== 12);
    handover.came('d');
    handover.rose(12);
    expect(handover.taken()).toEqual([{ peer: 'd', tid: 12, isSure: true }]);
  });
});
