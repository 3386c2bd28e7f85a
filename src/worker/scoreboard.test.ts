import { expect, it } from 'vitest';
import { SCOREBOARD_SIZE, Scoreboard } from './scoreboard.ts';

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
