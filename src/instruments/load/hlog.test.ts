import hdr from 'hdr-histogram-js';
import { describe, expect, it } from 'vitest';
import { runOf, serverSide } from '../../../test/support/load-runs.ts';
import { hlogOf, parseHlog } from './hlog.ts';

const samples = Array.from({ length: 500 }, (_, i) => ({
  connection: i % 8,
  second: i % 3,
  service: 0.05 + (i % 40) / 100,
  response: 0.05 + (i * i) / 1000,
}));
const run = runOf(samples, {
  server: serverSide(3),
  outcomes: { refused: 3, connectFailed: 1 },
  connectErrors: { ENOENT: 1 },
});
const log = hlogOf(run);

describe('a histogram log', () => {
  it('is the same after writing and reading', () => {
    expect(parseHlog(log, 'x')).toEqual(run);
  });

  it('has the format of other readers', () => {
    const lines = log.trimEnd().split('\n');
    expect(lines).toContain('#[Histogram log format version 1.3]');
    expect(lines.find((line) => line.startsWith('#[StartTime: '))).toMatch(
      /^#\[StartTime: 1764000000\.000 \(seconds since epoch\)/,
    );
    const intervals = lines.filter((line) => !/^[#"]/.test(line));
    expect(intervals).toHaveLength(6);
    for (const line of intervals) {
      expect(line).toMatch(
        /^Tag=(service|response),\d+\.\d{3},1\.000,\d+\.\d{3},HISTFAAA[\w+/=]+$/,
      );
    }
    expect(hdr.listTags(log)).toEqual(['service', 'response']);
    const reader = new hdr.HistogramLogReader(log);
    let count = 0;
    for (let one = reader.nextIntervalHistogram(); one; one = reader.nextIntervalHistogram()) {
      expect(one.startTimeStampMsec).toBeGreaterThanOrEqual(1_764_000_000_000);
      count += one.totalCount;
    }
    expect(count).toBe(2 * samples.length);
  });

  it.each([
    ['of another tool', '#[StartTime: 1.0]\n', 'it is no log of mondo load'],
    [
      'with its end cut off',
      log.slice(0, log.trimEnd().lastIndexOf('\n') + 1),
      /has \d+ of 500 response times/,
    ],
    ['cut inside a histogram', log.slice(0, -200), /is damaged|of 500/],
    ['with a broken head', log.replace('"schema"', 'schema'), 'is damaged'],
    [
      'with text in place of a number',
      log.replace('"inTime":500', '"inTime":"x"'),
      /"inTime" is "x"; it is dam/,
    ],
    ['without its plan', log.replace('"plan":', '"plans":'), /has no "plans"; it is damaged/],
    [
      'with broken connections',
      log.replace(/"answers":"[^"]{8}/, '"answers":"'),
      'connections are damaged',
    ],
    ['of a later form', log.replace('mondo-hlog-3', 'mondo-hlog-9'), 'reads mondo-hlog-3'],
  ])('%s is refused in one line', (_, text, message) => {
    expect(() => parseHlog(text, 'some.hlog')).toThrow(message);
    expect(() => parseHlog(text, 'some.hlog')).toThrow(/^Cannot add "some.hlog": [^\n]+$/);
  });
});
