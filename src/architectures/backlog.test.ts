import { describe, expect, it } from 'vitest';
import { Backlog } from './backlog.ts';

function backlogOf(unsentShare: number, isDryRun = false) {
  const counted: string[] = [];
  const exceeded = (limit: string) => {
    counted.push(limit);
    return !isDryRun;
  };
  return { backlog: new Backlog({ unsentShare, exceeded }), counted };
}

describe('Backlog', () => {
  it('adds up what all connections have unsent', () => {
    const { backlog, counted } = backlogOf(100);
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

  it('lets those be whose bytes become fewer, and everybody in a dry run or without a limit', () => {
    const dry = backlogOf(100, true);
    dry.backlog.note(0, 200);
    dry.backlog.note(200, 150);
    expect(dry.counted).toEqual(['unsent-total']);
    const off = backlogOf(0);
    off.backlog.note(0, 1e9);
    expect(off.counted).toEqual([]);
  });
});
