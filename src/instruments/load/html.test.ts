import { beforeAll, describe, expect, it } from 'vitest';
import { runOf, serverSide } from '../../../test/support/load-runs.ts';
import {
  chartsIn,
  expectSound,
  headingsIn,
  tableIn,
  tilesIn,
} from '../../../test/support/pages.ts';
import { count, mebibytes, time, timeOr } from '../report/figures.ts';
import { parseCondition } from './conditions.ts';
import { kneePage, loadPage } from './html.ts';
import { findKnee } from './knee.ts';
import type { LoadPlan } from './plan.ts';

const samples = Array.from({ length: 900 }, (_, i) => ({
  connection: i % 6,
  second: i % 30,
  service: 0.1 + (i % 50) / 10,
  response: 0.2 + ((i * i) % 9000) / 10,
}));
const open: Partial<LoadPlan> = {
  loop: 'open',
  stages: [{ kind: 'steady', seconds: 30, from: 30, to: 30 }],
};

describe('the page of a run', () => {
  let page: string;
  const { result } = runOf(samples, { plan: open, seconds: 30, server: serverSide(30) });
  beforeAll(async () => {
    page = await loadPage(result);
  });

  it('is self-contained and complete', () => {
    expectSound(page);
    expect(page).toContain('color-scheme: light dark');
  });

  it('has its sections in order, from the verdict to the details', () => {
    expect(headingsIn(page)).toEqual([
      'Load on 127.0.0.1:1060',
      '✓ This run can be trusted',
      'How long answers took',
      'Over time',
      'What became of the questions',
      'Who was served',
      'What it cost the server',
      'Plan and place',
    ]);
  });

  it('has the most important numbers of this run first', () => {
    const { response, totals, connections } = result;
    expect(tilesIn(page)).toEqual({
      'answers per second': count(Math.round(totals.rate)),
      'response time, median': time(response.p50),
      'response time, p99': time(response.p99),
      'response time, largest': time(response.max),
      errors: '0',
      'never answered': count(connections.neverAnswered),
    });
  });

  it('has each measured second, with the costs of the server', () => {
    const { head, rows } = tableIn(page, 'Each second');
    expect(rows).toHaveLength(30);
    const column = (name: string) => rows.map((row) => row[head.indexOf(name)]);
    expect(column('answers/s')).toEqual(result.series.map(({ rate }) => count(rate)));
    expect(column('p99')).toEqual(result.series.map(({ p99 }) => timeOr(p99)));
    const { samples: own } = result.server!;
    expect(column('memory')).toEqual(own.map(({ memory }) => mebibytes(memory)));
    expect(column('threads')).toEqual(own.map(({ threads }) => count(threads)));
  });

  it('has the percentiles, outcomes and connections of the run', () => {
    const latency = tableIn(page, 'Response time: from').rows;
    expect(latency.map(([name]) => name)).toEqual(['response', 'service']);
    expect(latency[0]!.at(-1)).toBe(time(result.response.max));
    expect(tableIn(page, 'Time by percentile').rows.at(-1)).toEqual([
      ...['largest', time(result.response.max), time(result.service.max)],
    ]);
    expect(tableIn(page, 'Every question that was due').rows).toEqual([
      ['answered', 'the right answer, in time', '900', '100 %'],
    ]);
    const each = tableIn(page, 'All connections').rows;
    expect(each.map(([, answers]) => answers)).toEqual(
      result.connections.each.map(({ answers }) => count(answers)),
    );
  });

  it('has a plot for percentiles, for each second and for connections, and describes each in words', () => {
    const [curves, seconds, connections, ...more] = chartsIn(page);
    expect(more).toEqual([]);
    expect(curves!.title).toBe('Latency by percentile');
    expect(curves!.description).toContain(`p99 ${time(result.response.p99)}`);
    expect(curves!.texts).toEqual(expect.arrayContaining(['● response', '□ service', '99 %']));
    expect(seconds!.title).toBe('Each second of the run');
    // The server's samples use the time axis of the load.
    expect(seconds!.texts.filter((text) => text.startsWith('server: '))).toEqual([
      'server: processors in use',
      'server: context switches per second',
      'server: memory (PSS), MiB',
      'server: threads, descriptors, connections that wait to be accepted',
    ]);
    expect(connections!.description).toMatch(
      / from \d+ to \d+, .*; 2 connections of 8 had none\.$/,
    );
  });

  it('is the same for the same result', async () => {
    const again = runOf(samples, { plan: open, seconds: 30, server: serverSide(30) });
    expect(await loadPage(again.result)).toBe(page);
  });

  it('begins with the verdict of a run that is not trusted', async () => {
    const { result } = runOf(samples, {
      validity: { reasons: ['Too slow; wait.'], trusted: false },
    });
    const bad = await loadPage(result);
    expect(bad).toMatch(
      /<section class="verdict bad"><h2>.*This run is not to be trusted<\/h2><ul><li>Too slow; wait\./,
    );
    expect(bad.indexOf('not to be trusted')).toBeLessThan(bad.indexOf('<svg'));
  });

  it('is complete without answers, in a closed loop, and after only one second', async () => {
    expectSound(await loadPage(runOf([]).result));
    expectSound(await loadPage(runOf([], { seconds: 0 }).result));
    expectSound(await loadPage(runOf(samples.slice(0, 1), { seconds: 1 }).result));
  });

  it('shows foreign text escaped', async () => {
    const { result } = runOf(samples, {
      plan: {
        host: '<script>alert(1)</script>',
        exchanges: [{ question: '</pre><img src=x onerror=1>' }],
      },
      validity: { notes: ['<b>"&'] },
    });
    const hostile = await loadPage(result);
    expect(hostile).not.toContain('<script');
    expect(hostile).not.toContain('<img');
    expect(hostile).toContain('&lt;b&gt;&quot;&amp;');
  });

  it('stays small for a long run', async () => {
    const long = Array.from({ length: 1500 }, (_, second) => ({
      connection: 1,
      second,
      service: 1,
      response: 1 + (second % 500),
    }));
    const { result } = runOf(long, { seconds: 1500 });
    expect((await loadPage(result)).length).toBeLessThan(1_500_000);
  });
});

it('the page of a search shows its steps and the run at the knee', async () => {
  const target = [parseCondition('p99<10ms')];
  const knee = await findKnee(
    async (rate) => {
      const ms = rate < 5000 ? 1 : 50;
      const own = samples
        .slice(0, 90)
        .map((one) => ({ ...one, second: one.second % 3, response: ms }));
      const { result } = runOf(own, { plan: open });
      return { ...result, validity: { ...result.validity, rateRatio: 1 } };
    },
    { target, start: 1000 },
  );
  const page = await kneePage(knee, target);
  expectSound(page);
  expect(page).toContain('p99&lt;10ms was kept up to 4,');
  const steps = tableIn(page, 'The steps').rows;
  expect(steps.map(([rate, said]) => [rate, said])).toEqual(
    knee.steps.map(({ rate, verdict }) => [count(rate), verdict === 'kept' ? 'kept' : 'not kept']),
  );
  expect(chartsIn(page).map(({ title }) => title)).toEqual([
    'Response time over the rate',
    'Latency by percentile',
    'Each second of the run',
    'Connections, from the fewest answers to the most',
  ]);
});
