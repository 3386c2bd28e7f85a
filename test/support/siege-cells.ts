/** Cells of a siege that no server had to stand. */
import type { Cell } from '../../src/instruments/siege/cell.ts';

export const siegeCell = (change: Partial<Cell>): Cell => ({
  architecture: 'epoll',
  attack: 'idle-crowd',
  limits: 'on',
  grade: 'A',
  reasons: [],
  tooSlow: false,
  probes: { sent: 25, answered: 25, late: 0, refused: 0, cut: 0, wrong: 0 },
  availability: 1,
  recovery: 3,
  peakMemory: 60 * 2 ** 20,
  calmMemory: 55 * 2 ** 20,
  peakDescriptors: 80,
  peakThreads: 14,
  cores: 0.1,
  others: 0,
  wrong: 0,
  lines: 90,
  accepted: 40,
  isAlive: true,
  deaths: 0,
  intensity: { reached: 400, prevented: 0, wanted: 400, unit: 'connections at once', wrong: 0 },
  ended: { idle: 3, 'accepts-per-second': 40 },
  drain: { grade: 'A', reasons: [], ms: 40, answered: 0, cut: 0 },
  ...change,
});
