import { describe, expect, it } from 'vitest';
import { aWorld, calm, madeUp } from '../../../test/support/comparison.ts';
import { againstOf } from './against.ts';
import { htmlPage } from './html.ts';
import { conditionsOf } from './plan.ts';

const architectures = ['single', 'threaded', 'epoll', 'uring'];
const both = conditionsOf({
  connections: [1, 64],
  think: [0],
  thinkHow: ['block'],
  silent: [0, 4],
});
const headings = (page: string) => [...page.matchAll(/<h2>([^<]*)<\/h2>/g)].map(([, text]) => text);

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
    expect(page.match(/<svg /g)).toHaveLength(5);
    expect(page.match(/<svg [^>]*role="img"/g)).toHaveLength(5);
    // Nobody has to see a chart to know what it shows.
    expect(page).toMatch(/<desc id="rate-0-words">answers per second, by number of connections: /);
    const [, end] = page.split('<h2>Recommendation</h2>');
    expect(end).toContain('Take uring: ');
    expect(end).toContain('Choose single only if ');
    expect(/<script|<link|<img|src=|https?:(?!\/\/www\.w3\.org)/.exec(page)).toBeNull();
  });

  it('has bars where there is one number of connections', async () => {
    const page = await htmlPage(madeUp({ conditions: calm(64) }));
    expect(headings(page)).toContain('Throughput');
    expect(page).not.toContain('over connections</h2>');
    expect(page).not.toContain('What silent clients do');
  });

  it('has charts of their own for each way of thinking', async () => {
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

  it('says first what the whole is to be taken for', async () => {
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

  it('has what changed since a stored run', async () => {
    const then = madeUp({});
    const now = madeUp({}, () => ({ rate: 50_000 }));
    const page = await htmlPage(now, againstOf(now, then));
    expect(headings(page)).toContain('Against the stored run');
    expect(page).toMatch(/<\/span> 2 regressions<\/h2>/);
    expect(await htmlPage(then, againstOf(then, then))).toContain('No regression');
  });
});
