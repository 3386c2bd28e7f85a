/** The report pages in a real browser, at three widths, light and dark: every text can be read. */
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { architectureNames } from '../../src/architectures/catalogue.ts';
import { htmlPage as comparePage } from '../../src/instruments/compare/html.ts';
import { conditionsOf } from '../../src/instruments/compare/plan.ts';
import { loadPage } from '../../src/instruments/load/html.ts';
import { attacks } from '../../src/instruments/siege/attacks.ts';
import { rule } from '../../src/instruments/siege/grade.ts';
import { htmlPage as siegePage } from '../../src/instruments/siege/html.ts';
import { htmlOf } from '../../src/instruments/trace/html.ts';
import { faultsOf, hasBrowser, openBrowser } from '../support/browser.ts';
import { aWorld, madeUp } from '../support/comparison.ts';
import { runOf, serverSide } from '../support/load-runs.ts';
import { siegeCell } from '../support/siege-cells.ts';
import { crowdedPicture } from '../support/trace-picture.ts';

const samples = Array.from({ length: 900 }, (_, i) => ({
  connection: i % 6,
  second: i % 30,
  service: 0.1 + (i % 50) / 10,
  response: 0.2 + ((i * i) % 9000) / 10,
}));

const pages: readonly [name: string, make: () => string | Promise<string>][] = [
  [
    'compare',
    () => {
      const axes = { connections: [1, 16, 256], think: [0], thinkHow: ['block'] as const };
      const conditions = conditionsOf({ ...axes, thinkHow: ['block'], silent: [0, 4] });
      const architectures = ['single', 'threaded', 'epoll', 'uring', 'callback'];
      return comparePage(madeUp({ architectures, conditions }, aWorld));
    },
  ],
  ['load', () => loadPage(runOf(samples, { seconds: 30, server: serverSide(30) }).result)],
  [
    'siege',
    () =>
      siegePage({
        at: '2026-01-01T00:00:00.000Z',
        machine: { cpus: 2, kernel: '6.0', node: 'v26', load: [0, 1] },
        duration: 2500,
        drainDeadline: 1000,
        rule,
        limits: { epoll: { idle: 1000 }, single: { idle: 1000, connectionsPerAddress: 1 } },
        planned: 4,
        cells: architectureNames.flatMap((architecture) =>
          attacks.flatMap(({ name }) =>
            (['off', 'on'] as const).map((limits) =>
              siegeCell({ architecture, attack: name, limits }),
            ),
          ),
        ),
        missing: [],
      }),
  ],
  [
    'trace',
    () =>
      htmlOf(
        crowdedPicture(),
        [{ caption: 'Lines', head: ['times', 'line'], rows: [['3', 'const n = recv(fd);']] }],
        0,
      ),
  ],
];

describe.skipIf(!hasBrowser())('in a browser', () => {
  let browser: Browser;
  let page: Page;
  beforeAll(async () => {
    browser = await openBrowser();
    page = await browser.newPage();
  });
  afterAll(() => browser.close());

  it('finds texts over each other, also in a picture, and a page that is too wide', async () => {
    await page.setViewportSize({ width: 390, height: 900 });
    await page.setContent(
      '<h1 style="margin-bottom:-3rem">one</h1><p>two</p><svg><text x="0" y="20">three</text><text x="5" y="22">four</text></svg><pre style="width:500px">five</pre><details><summary>six</summary><p style="margin-top:-2rem">seven</p></details>',
    );
    const { overlaps, overflow } = await faultsOf(page);
    expect(overlaps).toEqual(['"one" over "two"', '"three" over "four"']);
    expect(overflow).toBeGreaterThan(0);
  });

  it.each(
    pages,
  )('the page of %s has no text over another and fits the window, at 390, 1,280 and 1,920 px', async (_, make) => {
    const html = await make();
    await page.setContent(html);
    // Colours move no text: the narrowest window shows that of the dark page.
    const looks = [
      ...[390, 1280, 1920].map((width) => [width, 'light'] as const),
      [390, 'dark'] as const,
    ];
    for (const [width, colorScheme] of looks) {
      await page.emulateMedia({ colorScheme });
      await page.setViewportSize({ width, height: 900 });
      expect({ width, colorScheme, ...(await faultsOf(page)) }).toEqual({
        ...{ width, colorScheme, overlaps: [], overflow: 0 },
      });
    }
  });
});
