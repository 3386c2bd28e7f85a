import { expect, it } from 'vitest';
import { readAnswerTimes } from './answer-times.ts';
import type { Reason } from './reasons.ts';
import { type End, type Header, ownRow, SCOREBOARD_SIZE, Scoreboard } from './scoreboard.ts';
import { states } from './states.ts';

const scoreboardOf = () =>
  new Scoreboard({ words: new Int32Array(SCOREBOARD_SIZE / 4), unmap: () => {} });

it('keeps the total of unsent bytes when workers leave, also with more threads than rows', () => {
  const board = scoreboardOf();
  const rows = Array.from({ length: 8200 }, (_, i) => board.claim(i + 1, i + 1, i + 1));
  for (const row of rows) row.addUnsent(10);
  expect(board.unsent()).toBe(82_000);
  for (let i = rows.length - 1; i >= 0; i--) {
    rows[i]!.free();
    // The sum reads all rows.
    if (i % 100 === 0) expect(board.unsent()).toBe(10 * i);
  }
  expect(board.read()).toEqual([]);
});

it('counts the connections of killed workers, and gives their rows to others', () => {
  const board = scoreboardOf();
  for (let pid = 1; pid <= 1000; pid++) board.claim(pid, pid, pid).accepted();
  expect(board.freeRows(({ pid }) => pid > 600)).toHaveLength(400);
  expect(board.read()).toHaveLength(600);
  board.claim(2000, 2000, 2000);
  expect(board.read().at(-1)).toMatchObject({ row: 600, pid: 2000, open: 0 });
});

it('keeps what ended workers have done, by place, also of those that were killed', () => {
  const board = scoreboardOf();
  const work = (place: number | undefined, connections: number, questions: number) => {
    const row = board.claim(1, 1, 1, place);
    for (let i = 0; i < connections; i++) row.accepted();
    row.work[0]! += questions;
    return row;
  };
  work(0, 3, 5_000_000_000).free();
  work(1, 1, 1);
  expect(board.freeRows(() => true)).toHaveLength(1);
  work(0, 2, 10);
  work(undefined, 7, 0).free();
  expect(board.served).toEqual({ questions: 5_000_000_011, connections: 13 });
  expect(board.acceptedIn(3)).toEqual([5, 1, 0]);
});

it('counts more than 32 bits can hold', () => {
  const board = scoreboardOf();
  const many = 3_000_000_000;
  board.countEnd('closed', many);
  board.countEnd('closed', many);
  board.addCut(many);
  expect(board.ended.closed).toBe(2 * many);
  expect(board.departed).toEqual({ answered: 0, cut: many });
  const row = board.claim(1, 1, 1, 0);
  row.work[3] = 2 * many;
  row.accepted();
  expect(row.connections).toBe(2 * many + 1);
  expect(board.read()[0]).toMatchObject({ accepted: 2 * many + 1 });
  row.free();
  expect(board.served.connections).toBe(2 * many + 1);
  expect(board.acceptedIn(1)).toEqual([2 * many + 1]);
});

it('gives each counter a place of its own', () => {
  const board = scoreboardOf();
  for (const reason of Object.keys(board.allCounts)) board.count(reason as Reason);
  for (const end of Object.keys(board.ended)) board.countEnd(end as End);
  for (const header of Object.keys(board.headers)) board.countHeader(header as Header);
  board.countDropped();
  expect(new Set(Object.values(board.allCounts))).toEqual(new Set([1]));
  expect(new Set(Object.values(board.ended))).toEqual(new Set([1]));
  expect(new Set(Object.values(board.headers))).toEqual(new Set([1]));
  expect(board.dropped).toBe(1);
  expect(readAnswerTimes(board.answerTimes).sum).toBe(0);
  expect(board.read()).toEqual([]);
});

it('counts each change of the state, and keeps the state', () => {
  const board = scoreboardOf();
  const row = board.claim(1, 1, 1);
  const { turns } = row.reading;
  for (let i = 0; i < 100; i++) row.state = i % 2 === 0 ? states.sending : states.ended;
  expect(row.reading).toMatchObject({ state: 'ended', turns: turns + 100 });
});

it('tells the workers of the generation that serves, and no others, that they are in service', () => {
  const board = scoreboardOf();
  const rows = [1, 2, -1].map((generation) => board.claim(1, 1, 1, -1, generation));
  const seen = () => rows.map(({ isInService }) => isInService);
  board.replace(1, 0);
  expect(seen()).toEqual([true, false, false]);
  expect(board.orders(2).order).toBe('serve');
  board.replace(2, 0);
  expect(seen()).toEqual([false, true, false]);
  board.stop(0);
  expect(seen()).toEqual([false, false, false]);
  expect(ownRow(1).isInService).toBe(false);
});
