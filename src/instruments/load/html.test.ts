import { beforeAll, describe, expect, it } from 'vitest';
import { runOf, serverSide } from '../../../test/support/load-runs.ts';
import { barChart, lineChart } from '../report/charts.ts';
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

/** What a browser would mend in silence: tags that are not closed, ids that are there twice, references to nothing. */
function expectSound(page: string): void {
  expect(page).not.toMatch(/<script|<link|<img|@import|javascript:|\son\w+=/i);
  const urls = [...page.matchAll(/\b(?:https?:)?\/\/[^\s"'<)]+/g)].map(([url]) => url);
  expect(
    urls.filter((url) => !/^http:\/\/www\.w3\.org\/(2000\/svg|1999\/xlink)$/.test(url)),
  ).toEqual([]);
  const ids = [...page.matchAll(/\sid="([^"]+)"/g)].map(([, id]) => id!);
  expect(ids.length).toBe(new Set(ids).size);
  const used = [...page.matchAll(/url\(#([^)]+)\)|href="#([^"]+)"/g)].map(([, a, b]) => a ?? b!);
  const labels = [...page.matchAll(/aria-labelledby="([^"]+)"/g)].flatMap(([, all]) =>
    all!.split(' '),
  );
  expect([...used, ...labels].filter((id) => !ids.includes(id))).toEqual([]);
  expect(page).not.toMatch(/NaN|Infinity|undefined|\[object/);
  const single = new Set(['meta', '!doctype']);
  const stack: string[] = [];
  const body = page.replace(/<style>.*?<\/style>/s, '');
  for (const [, close, name, self] of body.matchAll(
    /<(\/?)([a-zA-Z!][\w]*)(?:\s[^<>]*?)?(\/?)>/g,
  )) {
    if (single.has(name!.toLowerCase()) || self === '/') continue;
    if (close === '') stack.push(name!);
    else expect(stack.pop()).toBe(name);
  }
  expect(stack).toEqual([]);
}

/** Colours come from the page, and with them light and dark. */
function expectThemed(svg: string): void {
  expect(svg).not.toMatch(/#fe01|fill="#(?!000")|stroke="#|rgb/);
  expect(svg).toMatch(/var\(--look-1\)/);
}

describe('the page of a run', () => {
  let page: string;
  beforeAll(async () => {
    const { result } = runOf(samples, { plan: open, seconds: 30, server: serverSide(30) });
    page = await loadPage(result);
  });

  it('needs nothing else and is whole', () => {
    expectSound(page);
    expect(page).toContain('color-scheme: light dark');
  });

  it('has its plots, each with words for those who do not see it, and its figures', () => {
    const svgs = page.match(/<svg[^>]*>/g)!;
    expect(svgs).toHaveLength(3);
    for (const svg of svgs) expect(svg).toMatch(/role="img" aria-labelledby="[\w-]+ [\w-]+"/);
    for (const title of [
      'Latency by percentile',
      'Each second of the run',
      'Connections, from the worst',
    ]) {
      expect(page).toContain(`${title}`);
    }
    expect(page.match(/<details>/g)!.length).toBeGreaterThanOrEqual(4);
    for (const svg of page.match(/<svg.*?<\/svg>/gs)!) expectThemed(svg);
    // Two curves are told apart by their dashes, marks and names.
    const curves = page.match(/<svg.*?<\/svg>/s)![0];
    expect(curves).toContain('stroke-dasharray');
    expect(curves).toContain('● response');
    expect(curves).toContain('□ service');
    expect(page).toContain('99 %');
  });

  it('has the server on the time line of the load, and what it cost', () => {
    for (const name of [
      'processors in use',
      'context switches per second',
      'memory (PSS)',
      'accept queue',
    ]) {
      expect(page).toContain(name);
    }
    expect(page).toContain('What it cost the server');
  });

  it('is the same for the same result', async () => {
    const { result } = runOf(samples, { plan: open, seconds: 30, server: serverSide(30) });
    expect(await loadPage(result)).toBe(page);
  });

  it('says first that a run is not to be trusted', async () => {
    const { result } = runOf(samples, {
      validity: { reasons: ['Too slow; wait.'], trusted: false },
    });
    const bad = await loadPage(result);
    expect(bad).toMatch(
      /<section class="verdict bad"><h2>.*This run is not to be trusted<\/h2><ul><li>Too slow; wait\./,
    );
    expect(bad.indexOf('not to be trusted')).toBeLessThan(bad.indexOf('<svg'));
  });

  it('is whole without answers, in a closed loop, and after a second only', async () => {
    expectSound(await loadPage(runOf([]).result));
    expectSound(await loadPage(runOf([], { seconds: 0 }).result));
    expectSound(await loadPage(runOf(samples.slice(0, 1), { seconds: 1 }).result));
  });

  it('leaves what others wrote as text', async () => {
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
    const long = Array.from({ length: 3600 }, (_, second) => ({
      connection: 1,
      second,
      service: 1,
      response: 1 + (second % 500),
    }));
    const { result } = runOf(long, { seconds: 3600 });
    expect((await loadPage(result)).length).toBeLessThan(2_000_000);
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
  expect(page.match(/<svg/g)).toHaveLength(4);
});

describe('charts', () => {
  it('have whiskers, gaps, patterns and names', async () => {
    const { text: lines } = await lineChart({
      id: 'lines',
      title: 'a <b>',
      description: 'c & d',
      x: { name: 'x', log: true },
      panels: [
        {
          y: { name: 'y', log: true },
          lines: [
            {
              name: 'one',
              points: [
                { x: 1, y: 5, low: 4, high: 6 },
                { x: 10, y: null },
                { x: 100, y: 0 },
              ],
            },
            {
              name: 'two',
              steps: true,
              points: [
                { x: 0, y: 5 },
                { x: 10, y: 7 },
              ],
            },
          ],
        },
      ],
    });
    expect(lines).toContain('<title id="lines-title">a &lt;b&gt;</title>');
    expect(lines).toContain('<desc id="lines-words">c &amp; d</desc>');
    expectThemed(lines);
    const { text: bars } = await barChart({
      id: 'bars',
      title: 'bars',
      description: 'bars',
      value: { name: 'µs' },
      categories: ['single', 'epoll'],
      groups: [
        { name: 'calm', values: [{ value: 5, low: 4, high: 6 }, null] },
        { name: 'crowd', values: [{ value: 1500 }, { value: 3 }] },
      ],
    });
    expectThemed(bars);
    expect(bars).toContain('<pattern');
    for (const word of ['single', 'epoll', 'calm', 'crowd', '1.5k'])
      expect(bars).toContain(`>${word}<`);
  });

  it('do not fail where there is nothing to draw', async () => {
    const { text: empty } = await lineChart({
      id: 'none',
      title: 'none',
      description: 'none',
      x: { name: 'x' },
      panels: [{ y: { name: 'y', log: true }, lines: [{ name: 'one', points: [] }] }],
    });
    expect(empty).toContain('<svg');
    expect(empty).not.toContain('NaN');
  });
});
