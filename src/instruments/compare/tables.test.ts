import { describe, expect, it } from 'vitest';
import { aWorld, calm, madeUp } from '../../../test/support/comparison.ts';
import { againstOf } from './against.ts';
import { conditionsOf } from './plan.ts';
import { againstNotes, againstTable, notesOf, silenceTables, tablesOf } from './tables.ts';

describe('tablesOf', () => {
  it('has a table for each condition, the reference as 1 and the others as ratios with verdicts', () => {
    const [one, many, ...more] = tablesOf(
      madeUp({ architectures: ['threaded', 'epoll', 'uring'], conditions: calm(1, 64) }, aWorld),
    );
    expect(more).toEqual([]);
    expect([one!.caption, many!.caption]).toEqual(['1 connection', '64 connections']);
    expect(many!.head.slice(0, 5)).toEqual([
      'architecture',
      'answers/s',
      'times epoll',
      'unanswered',
      'fairness',
    ]);
    const [threaded, epoll, uring] = many!.rows;
    expect(threaded!.slice(2, 5)).toEqual([
      expect.stringMatching(/^0\.8\d \[0\.7\d, 0\.8\d\] slower$/),
      '60 of 64',
      '0.06',
    ]);
    expect(epoll!.slice(2, 4)).toEqual(['1', '0 of 64']);
    expect(epoll![8]).toBe('1');
    expect(uring![2]).toMatch(/^1\.[23]\d \[.*\] faster$/);
    expect(uring![8]).toMatch(/^0\.[78]\d \[.*\] cheaper$/);
  });

  it('marks omitted rounds, a saturated load, and a time that is too short', () => {
    const found = madeUp(
      { architectures: ['epoll', 'uring', 'poll'] },
      ({ architecture }, round) => {
        if (architecture === 'uring') return { loadCpu: 0.99 };
        if (architecture === 'poll') return { neverAnswered: 3, mostAnswers: 1 };
        return round === 1 ? { state: 'doubtful', reasons: ['It was late'], figures: null } : {};
      },
    );
    const [table] = tablesOf(found);
    const [epoll, uring, poll] = table!.rows;
    expect(epoll![0]).toBe('epoll!');
    expect(uring![1]).toMatch(/\d\+$/);
    expect(poll![3]).toBe('3 of 64?');
    const notes = notesOf(found).join('\n');
    expect(notes).toContain('+ the load used its core to the full');
    expect(notes).toContain('! 1 times, such as epoll at 64 connections: It was late');
    expect(notes).toContain('? the time was too short');
    const plain = notesOf(madeUp({})).join('\n');
    expect(plain).not.toMatch(/^[+!?]/m);
  });

  it('reports failed connections, and variants that did not run', () => {
    const found = madeUp({}, ({ architecture }) =>
      architecture === 'uring' ? { troubles: { resetBefore: 2, neverServed: 64 } } : {},
    );
    const left = [{ variant: found.cells[0]!.variant, why: 'there is no room' }];
    const notes = notesOf({ ...found, left });
    expect(notes).toContain(
      'uring at 64 connections: connection reset before the answer, 10 times',
    );
    expect(notes.at(-1)).toMatch(/^Not run: (epoll|uring) at 64 connections: there is no room$/);
  });
});

it('says why a busy machine lets nothing be claimed, in the table and below it', () => {
  const busy = (from: number) =>
    madeUp({ rounds: 6 }, (_, round) => ({ othersCpu: round < from ? 0 : 0.5 }));
  const [table] = tablesOf(busy(1));
  expect(table!.rows[1]![2]).toMatch(/^\d\.\d\d \[.*\] machine busy$/);
  expect(notesOf(busy(1))).toContainEqual(
    expect.stringMatching(/^machine busy: Other programs .* during 12 of 12 measurements, /),
  );
  expect(tablesOf(busy(4))[0]!.rows[1]![2]).toMatch(/no difference$/);
  expect(notesOf(busy(4))).toContainEqual(
    expect.stringMatching(/^Other programs .* during 6 of 12 measurements; no difference is /),
  );
  expect(notesOf(busy(7)).join()).not.toContain('Other programs');
});

describe('silenceTables', () => {
  it('has the effect of silent clients, and no table without them', () => {
    const conditions = conditionsOf({
      connections: [64],
      think: [0],
      thinkHow: ['block'],
      silent: [0, 4],
    });
    const [table] = silenceTables(
      madeUp({ architectures: ['single', 'epoll'], conditions }, aWorld),
    );
    expect(table!.caption).toMatch(/^64 connections, 4 silent clients: /);
    expect(table!.rows[0]).toEqual(['single', '64 of 64', 'no answers', '–', '–']);
    expect(table!.rows[1]![2]).toMatch(/^\d\.\d\d \[.*\] no difference$/);
    expect(silenceTables(madeUp({}))).toEqual([]);
  });
});

describe('againstTable', () => {
  it('has a row for each variant, and marks regressions', () => {
    const against = againstOf(
      madeUp({ conditions: calm(1, 64) }, ({ architecture }) =>
        architecture === 'uring' ? { rate: 50_000, neverAnswered: 1 } : {},
      ),
      madeUp({ conditions: calm(64) }),
    );
    const { rows } = againstTable(against);
    expect(rows.map((row) => [row[0], row.at(-1)])).toEqual([
      ['epoll', ''],
      ['uring', 'REGRESSION'],
    ]);
    expect(rows[1]![2]).toMatch(/^0\.\d\d \[.*\] slower$/);
    const noisy = againstNotes(againstOf(madeUp({ seed: 4 }, undefined, 0.6), madeUp({})));
    expect(noisy[0]).toMatch(/^\d of 6 figures are unclear: /);
    expect(againstNotes(against).slice(0, 2)).toEqual([
      'REGRESSION: uring at 64 connections now leaves connections unanswered',
      '2 variants of the two runs have no counterpart in the other',
    ]);
  });
});
