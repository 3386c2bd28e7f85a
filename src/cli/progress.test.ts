import { describe, expect, it } from 'vitest';
import type { Progress } from '../instruments/load/result.ts';
import { ProgressReport, progressLine, sparkline } from './progress.ts';

const at = (elapsed: number, more: Partial<Progress> = {}): Progress => ({
  phase: 'measuring',
  elapsed,
  total: 10,
  rate: 20_012.6,
  wantedRate: 20_000,
  p50: 0.064,
  p99: 5.23,
  answers: 1000,
  errors: 3,
  open: 64,
  ...more,
});

function screen(isTTY: boolean, columns = 200) {
  const written: string[] = [];
  return { isTTY, columns, written, write: (text: string) => written.push(text) };
}

describe('the line of progress', () => {
  it('shows rate, percentiles, errors, time left, and draws the rates', () => {
    expect(progressLine(at(4.2), [1, 2, 4])).toBe(
      'measuring  20,013/s of 20,000  p50 64 µs  p99 5.23 ms  errors 3  6 s left  ▃▅█',
    );
    expect(progressLine(at(0, { phase: 'connecting' }), [])).toBe('connecting  64 connections');
    expect(progressLine(at(1, { wantedRate: null, p50: null }), [])).toContain('20,013/s  p50 –');
    expect(progressLine(at(11), [])).toContain('0 s left');
  });

  it('is not wider than the terminal', () => {
    for (const width of [0, 5, 40])
      expect(progressLine(at(1), [1], width).length).toBeLessThanOrEqual(width);
  });

  it('has a bar for each rate, none larger than the largest', () => {
    expect(sparkline([0, 5, 10])).toBe('▁▅█');
    expect(sparkline([0, 0])).toBe('▁▁');
    expect(sparkline([])).toBe('');
  });
});

describe('progress', () => {
  it('is redrawn in a terminal, and removed at the end', () => {
    const terminal = screen(true, 60);
    const report = new ProgressReport(terminal, 'x: ');
    for (const elapsed of [0.25, 0.5, 1.1]) report.show(at(elapsed));
    expect(terminal.written).toHaveLength(3);
    for (const text of terminal.written) {
      expect(text.startsWith('\rx: measuring')).toBe(true);
      expect(text.endsWith('\x1b[K')).toBe(true);
      expect(text.length - '\r\x1b[K'.length).toBeLessThan(60);
    }
    report.clear();
    report.clear();
    expect(terminal.written.slice(3)).toEqual(['\r\x1b[K']);
  });

  it('is a plain line per second elsewhere, and less often in a long run', () => {
    const pipe = screen(false);
    const report = new ProgressReport(pipe);
    for (let elapsed = 0; elapsed < 3; elapsed += 0.25) report.show(at(elapsed));
    report.clear();
    expect(pipe.written).toHaveLength(2);
    expect(pipe.written.join('')).not.toContain('\r');
    expect(pipe.written.join('')).not.toContain('\x1b');

    const long = screen(false);
    const hour = new ProgressReport(long);
    for (let elapsed = 0; elapsed < 3600; elapsed += 0.5) hour.show(at(elapsed, { total: 3600 }));
    expect(long.written.length).toBeLessThanOrEqual(120);
    expect(long.written.length).toBeGreaterThan(100);
  });
});
