import { expect, it } from 'vitest';
import { SCOREBOARD_SIZE, Scoreboard } from './scoreboard.ts';

const scoreboardOf = () =>
  new Scoreboard({ words: new Int32Array(SCOREBOARD_SIZE / 4), unmap: () => {} });

it('keeps the total of unsent bytes when workers leave, also with more threads than rows', () => {
  const board = scoreboardOf();
  const rows = Array.from({ length: 8200 }, (_, i) => board.claim(i + 1, i + 1, i + 1));
  for (const row of rows) row.addUnsent(10);
  expect(board.unsent()).toBe(82_000);
  for (const row of rows.toReversed()) {
    const before = board.unsent();
    row.free();
    expect(board.unsent()).toBe(before - 10);
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
