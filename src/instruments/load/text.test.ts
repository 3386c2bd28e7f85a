import { describe, expect, it } from 'vitest';
import { runOf, serverSide } from '../../../test/support/load-runs.ts';
import { count, percent, time } from '../report/figures.ts';
import { csvOf } from './csv.ts';
import { summaryLines } from './text.ts';
import { stageText, targetOf } from './words.ts';

const samples = Array.from({ length: 300 }, (_, i) => ({
  connection: i % 4,
  second: i % 3,
  service: 1 + i / 100,
  response: 2 + i,
}));
const open = {
  loop: 'open',
  stages: [
    { kind: 'warm-up', seconds: 2, from: 200 },
    { kind: 'steady', seconds: 3, from: 200, to: 200 },
  ],
} as const;
const { result } = runOf(samples, {
  plan: open,
  server: serverSide(3),
  outcomes: { resetBefore: 12, refused: 1, connectFailed: 9 },
  connectErrors: { EODD: 1, ENETUNREACH: 8 },
});

describe('the summary', () => {
  const lines = summaryLines(result);
  const all = lines.join('\n');

  it('says what ran, where, and for how long', () => {
    expect(lines[0]).toBe(
      '127.0.0.1:1060 for 3 s after 2 s of warm-up: open loop at 200 per second, 8 connections (uring)',
    );
  });

  it('has service beside response, in columns', () => {
    const [head, response, service] = lines.slice(2, 5);
    expect(head).toMatch(/^ +min +mean +p50 +p90 +p99 +p99\.9 +p99\.99 +max$/);
    expect(response).toMatch(/^response +2 ms +15\d ms .* 301 ms$/);
    expect(service).toMatch(/^service +1 ms .* 3\.99 ms$/);
    expect(new Set([head!.length, response!.length, service!.length]).size).toBe(1);
  });

  it('says the outcomes, and which connections starved', () => {
    expect(all).toContain(
      'answers         100 per second, of 200 wanted (50 %); 300 answers to 312 questions',
    );
    expect(all).toMatch(/^reset-before {4}12 {2}connection reset before the answer$/m);
    expect(all).toMatch(/^refused {9}1 {2}connections refused$/m);
    expect(all).toMatch(
      /^connect-failed {2}9 {2}attempts to connect that failed, by error: ENETUNREACH \(network is unreachable\): 8, EODD: 1$/m,
    );
    expect(all).not.toContain('closed-inside');
    expect(all).toContain('connections     4 of 8 connections asked and were never answered');
    expect(all).toContain('fairness 0.5 (0 to 75 answers each, median 75)');
    expect(all).toMatch(/worst connection: number 0, p99 301 ms/);
    expect(all).toContain('server          process 4711: 2.4 s of CPU, 12.5 µs per answer');
    expect(all).toContain(
      'at most 90 MiB, 2 processes, 14 threads, 90 descriptors, 2 waiting to be accepted',
    );
    expect(all).toContain('This run can be trusted');
  });

  it('says that there were no errors, and which figures were not measured', () => {
    const calm = summaryLines(runOf([]).result).join('\n');
    expect(calm).toMatch(/^errors {10}none$/m);
    expect(calm).toMatch(/^response +–/m);
    expect(calm).not.toMatch(/NaN|Infinity|undefined|null/);
  });

  it('says whether the run is trusted, and why not', () => {
    const { result: bad } = runOf(samples, {
      validity: {
        trusted: false,
        interrupted: true,
        reasons: ['Too slow; wait'],
        notes: ['By the way'],
      },
    });
    expect(summaryLines(bad).slice(-4)).toEqual([
      'This run is not to be trusted:',
      '- Too slow; wait',
      '- Interrupted: this is not the whole plan',
      'Note: By the way',
    ]);
    const { result: ended } = runOf(samples, { validity: { interrupted: true } });
    expect(summaryLines(ended).at(-1)).toBe('Interrupted: this is not the whole plan');
  });
});

describe('figures', () => {
  it('have three digits and the unit that fits', () => {
    expect([0, 0.0004, 0.064, 0.9996, 5.234, 99.96, 999.6, 12_345].map(time)).toEqual([
      '0 ms',
      '0.4 µs',
      '64 µs',
      '1 ms',
      '5.23 ms',
      '100 ms',
      '1 s',
      '12.3 s',
    ]);
    expect([1234567, 12.345, 0].map(count)).toEqual(['1,234,567', '12.35', '0']);
    expect([1, 0.99999, 0.5, 0.0123, 0.000001, 0].map(percent)).toEqual([
      '100 %',
      '99.999 %',
      '50 %',
      '1.23 %',
      'less than 0.01 %',
      '0 %',
    ]);
  });

  it('name place and time', () => {
    expect(targetOf({ host: '::1', port: 7 })).toBe('[::1]:7');
    expect(targetOf({ host: 'unix:/x', port: 7 })).toBe('unix:/x');
    expect(stageText({ kind: 'ramp', seconds: 2, from: 1, to: 5 })).toBe('ramp:2s:1..5');
    expect(stageText({ kind: 'steady', seconds: 2 })).toBe('steady:2s');
  });
});

describe('the CSV', () => {
  it('has a line per second, with the server beside it', () => {
    const rows = csvOf(result)
      .trimEnd()
      .split('\r\n')
      .map((row) => row.split(','));
    expect(rows).toHaveLength(4);
    expect(new Set(rows.map((row) => row.length))).toEqual(new Set([23]));
    const first = Object.fromEntries(rows[0]!.map((name, i) => [name, rows[1]![i]]));
    expect(first).toMatchObject({
      at_s: '0',
      answers_per_s: '100',
      wanted_per_s: '200',
      server_cpu_cores: '0.8',
      server_memory_bytes: String(80 * 2 ** 20),
    });
    expect(Number(first.response_p99_ms)).toBeGreaterThan(Number(first.response_p50_ms));
  });

  it('leaves unknown values empty', () => {
    const [, row] = csvOf(runOf([], { seconds: 1 }).result).split('\r\n');
    expect(row).toBe(`0,1,0,,,,,,,0,1,2,8,0,0.1,0.5${','.repeat(7)}`);
  });
});
