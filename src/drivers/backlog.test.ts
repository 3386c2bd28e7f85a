import { describe, expect, it } from 'vitest';
import { defaultLimits } from '../limits/limits.ts';
import { unreadRow } from '../worker/scoreboard.ts';
import { Backlog } from './backlog.ts';

/** Workers of one server, each with a backlog of its own. */
function backlogsOf(unsentTotal: number, isDryRun = false, workers = 1) {
  const counted: string[] = [];
  const limits = { ...defaultLimits, unsentTotal };
  const exceeded = (limit: string) => {
    counted.push(limit);
    return !isDryRun;
  };
  const rows = Array.from({ length: workers }, unreadRow);
  const unsentOfAll = () => rows.reduce((sum, { unsent }) => sum + unsent, 0);
  const backlogs = rows.map((row) => new Backlog({ row, limits, unsentOfAll, exceeded }));
  return { backlog: backlogs[0]!, backlogs, rows, counted };
}

describe('Backlog', () => {
  it('adds up what all connections have unsent', () => {
    const { backlog, counted } = backlogsOf(100);
    backlog.note(0, 60);
    backlog.note(0, 40);
    expect(() => backlog.note(0, 1)).toThrow('unsent-total');
    backlog.note(60, 59);
    backlog.note(0, 1);
    expect(() => backlog.note(40, 41)).toThrow('unsent-total');
    // One that ends gives back what it had.
    backlog.note(40, 0);
    backlog.note(0, 40);
    expect(counted).toEqual(['unsent-total', 'unsent-total']);
  });

  it('is one for all workers, and what one had goes with its row', () => {
    const { backlogs, rows, counted } = backlogsOf(100, false, 2);
    const [one, other] = backlogs as [Backlog, Backlog];
    one.note(0, 80);
    other.note(0, 20);
    expect(() => other.note(20, 21)).toThrow('unsent-total');
    rows[0]!.free();
    other.note(20, 100);
    expect(counted).toEqual(['unsent-total']);
  });

  it('counts more than four gigabytes', () => {
    const { backlog, rows } = backlogsOf(2 ** 40);
    backlog.note(0, 2 ** 33);
    backlog.note(2 ** 33, 2 ** 33 - 1);
    expect(rows[0]!.unsent).toBe(2 ** 33 - 1);
  });

  it('lets those be whose bytes become fewer, and everybody in a dry run or without a limit', () => {
    const dry = backlogsOf(100, true);
    dry.backlog.note(0, 200);
    dry.backlog.note(200, 150);
    expect(dry.counted).toEqual(['unsent-total']);
    const off = backlogsOf(0);
    off.backlog.note(0, 1e9);
    expect(off.counted).toEqual([]);
  });
});
