import { describe, expect, it } from 'vitest';
import { aWorld, calm, madeUp } from '../../../test/support/comparison.ts';
import {
  chartsIn,
  expectSound,
  headingsIn,
  tableIn,
  tablesIn,
} from '../../../test/support/pages.ts';
import { againstOf } from './against.ts';
import { htmlPage } from './html.ts';
import { conditionsOf } from './plan.ts';
import { silenceTables, tablesOf } from './tables.ts';
import { levelText } from './words.ts';

const architectures = ['single', 'threaded', 'epoll', 'uring'];
const both = conditionsOf({
  connections: [1, 64],
  think: [0],
  thinkHow: ['block'],
  silent: [0, 4],
});
/** Without the headings of verdicts, which begin with a mark. */
const headings = (page: string) =>
  headingsIn(page).filter((text) => !/^[✓✗!] |compared: /.test(text));

describe('htmlPage', () => {
  it('draws every figure over connections, and ends with the recommendation', async () => {
    const page = await htmlPage(madeUp({ architectures, conditions: both }, aWorld));
    expect(headings(page)).toEqual([
      'Throughput over connections',
      'Latency over connections',
      'Processor time per question over connections',
      'Memory over connections',
      'What silent clients do to each, beside 64 connections',
      'All differences',
      'How it was measured',
      'Recommendation',
    ]);
    expectSound(page);
    const charts = chartsIn(page);
    expect(charts.map(({ title }) => title)).toEqual(headings(page).slice(0, 5));
    // Each architecture has its line, and a text for readers who cannot see it.
    for (const { texts, description } of charts.slice(0, 4)) {
      for (const name of architectures) {
        expect(texts.some((text) => text.endsWith(` ${name}`))).toBe(true);
        expect(description).toContain(`${name} `);
      }
    }
  });

  it('has the measured figures, one table for each condition and chart', async () => {
    const found = madeUp({ architectures, conditions: both }, aWorld);
    const page = await htmlPage(found);
    for (const { caption, head, rows } of [...tablesOf(found), ...silenceTables(found)]) {
      expect(tablesIn(page)).toContainEqual({ caption, head, rows });
    }
    const rates = tableIn(page, 'Throughput over connections');
    expect(rates.head).toEqual(['architecture', '1 connection', '64 connections']);
    expect(rates.rows).toEqual(
      architectures.map((name) => [
        name,
        ...[1, 64].map((connections) => {
          const { levels } = found.findings.rows.find(
            ({ variant }) =>
              variant.architecture === name &&
              variant.connections === connections &&
              variant.silent === 0,
          )!;
          return levelText('rate', levels.rate);
        }),
      ]),
    );
  });

  it('ends with the recommendation, with a row for each reason and for each conditional choice', async () => {
    const found = madeUp({ architectures, conditions: both }, aWorld);
    const [, end] = (await htmlPage(found)).split('<h2>Recommendation</h2>');
    const { headline, because, unless } = found.recommendation;
    expect(headingsIn(end!)).toEqual([`✓ ${headline}`]);
    const [why, otherwise, ...more] = tablesIn(end!);
    expect(more).toEqual([]);
    expect(why!.rows.map(([, figure, best]) => [figure, best])).toEqual(
      because.map(({ figure, best }) => [figure, best]),
    );
    expect(otherwise!.rows.map(([name, onlyIf]) => [name, onlyIf])).toEqual(
      unless.map(({ architecture, onlyIf }) => [architecture, onlyIf]),
    );
    expect(unless.map(({ architecture }) => architecture)).toEqual(['single', 'threaded']);
  });

  it('has bars if there is only one number of connections', async () => {
    const page = await htmlPage(madeUp({ conditions: calm(64) }));
    expect(headings(page)).toContain('Throughput');
    expect(page).not.toContain('over connections</h2>');
    expect(page).not.toContain('What silent clients do');
  });

  it('has separate charts for each think time', async () => {
    const conditions = conditionsOf({
      connections: [1, 64],
      think: [0, 10],
      thinkHow: ['block', 'defer'],
      silent: [0],
    });
    const all = headings(await htmlPage(madeUp({ conditions })));
    expect(all.filter((text) => text?.startsWith('Throughput'))).toEqual([
      'Throughput over connections, with answers that take no time',
      'Throughput over connections, with answers that take 10 ms and hold the thread',
      'Throughput over connections, with answers that take 10 ms by a timer',
    ]);
  });

  it('says first whether the run can be trusted', async () => {
    const first = (page: string) =>
      /<section class="verdict (\w+)"><h2>.*?<\/span> (.*?)<\/h2>/.exec(page);
    const good = madeUp({ architectures, conditions: both }, aWorld);
    expect(first(await htmlPage(good))).toMatchObject({
      1: 'good',
      2: expect.stringMatching(/^Take uring: /),
    });
    const stopped = await htmlPage({ ...good, end: 'interrupted', planned: 100 });
    expect(first(stopped)).toMatchObject({ 1: 'open', 2: 'Stopped after 80 of 100 measurements' });
    const bad = madeUp({}, () => ({
      state: 'wrong',
      reasons: ['<b> is no answer'],
      figures: null,
    }));
    const page = await htmlPage(bad);
    expect(first(page)).toMatchObject({ 1: 'bad', 2: 'Not to be trusted' });
    expect(page).toContain('&lt;b&gt; is no answer');
    expect(page).not.toContain('<b>');
  });

  it('has the changes since a stored run', async () => {
    const then = madeUp({});
    const now = madeUp({}, () => ({ rate: 50_000 }));
    const page = await htmlPage(now, againstOf(now, then));
    expect(headings(page)).toContain('Against the stored run');
    expect(page).toMatch(/<\/span> 2 regressions<\/h2>/);
    expect(await htmlPage(then, againstOf(then, then))).toContain('No regression');
  });
});
