/** Pause, steps, rewind and the present on a page of running servers: the page shows what its records say. */
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Model } from '../../src/instruments/lab/shared/model.ts';
import { Player } from '../../src/instruments/lab/shared/player.ts';
import type { LabRecord } from '../../src/instruments/lab/shared/records.ts';
import { doingOf } from '../../src/instruments/lab/shared/words.ts';
import { hasBrowser, openBrowser } from '../support/browser.ts';
import { startLab } from '../support/lab.ts';
import { until } from '../support/until.ts';

/** All records that the hub has sent to a page. */
function recordsTo(page: Page): readonly LabRecord[] {
  const records: LabRecord[] = [];
  page.on('websocket', (socket) => {
    socket.on('framereceived', ({ payload }) => {
      for (const line of String(payload).split('\n')) {
        const record = line === '' ? { k: '' } : JSON.parse(line);
        if (!['', 'y', 'n'].includes(record.k)) records.push(record);
      }
    });
  });
  return records;
}

const textOf = async (page: Page, selector: string): Promise<string> =>
  (await page.locator(selector).textContent()) ?? '';
/** Where the play head is, in ms. */
const headOf = async (page: Page): Promise<number> =>
  1000 * Number.parseFloat(await textOf(page, '.head-time'));

/** What the tables of the page say of each stage. */
const shownIn = (page: Page): Promise<readonly (readonly string[])[]> =>
  page.locator('.twin').evaluateAll((twins) =>
    twins.map((twin) => {
      const [sum = ''] = [...twin.querySelectorAll('p')].map((p) => p.textContent ?? '');
      const does = [...twin.querySelectorAll('table:first-of-type tbody tr td:nth-child(4)')];
      const waits = [...twin.querySelectorAll('table:last-of-type tbody tr td:nth-child(1)')];
      return [
        /^([\d,]+) of/.exec(sum)?.[1] ?? '',
        /([\d,]+) answers/.exec(sum)?.[1] ?? '',
        does.map((cell) => cell.textContent).join(),
        String(waits.filter((cell) => cell.textContent !== 'no client waits').length),
      ];
    }),
  );

const expectedOf = ({ stages }: Model): readonly (readonly string[])[] =>
  stages.map(({ queue, users, lanes, clients }) => {
    const sorted = [...lanes.values()].sort((a, b) => a.row - b.row);
    const waiting = [...clients.values()].filter(
      ({ asked, place }) => asked !== undefined || place !== 3,
    );
    return [
      queue.waiting.toLocaleString('en'),
      users.answered.toLocaleString('en'),
      sorted.map(doingOf).join(),
      String(Math.min(10, waiting.length)),
    ];
  });

describe.skipIf(!hasBrowser())('time on the page of running servers', () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await openBrowser();
  });
  afterAll(async () => {
    await browser?.close();
  });

  test('pause, ←, →, Z and L: the page shows the model of its records', async () => {
    await using lab = await startLab('single', 'poll');
    const page = await browser.newPage();
    const records = recordsTo(page);
    await page.goto(lab.url);
    /** The page, compared with a player of its own records at the same moment. */
    const agrees = (what: string) =>
      until(`the page to agree ${what}`, async () => {
        const player = new Player('live');
        for (const record of records) player.push(record);
        const expected = expectedOf(player.modelAt(await headOf(page)));
        return JSON.stringify(await shownIn(page)) === JSON.stringify(expected);
      });
    const answered = async () => Number((await shownIn(page))[1]?.[1] ?? 0);
    await until('answers', async () => (await answered()) > 5);

    await page.keyboard.press(' ');
    await until('the pause', async () => (await textOf(page, '.pause')).includes('play'));
    const paused = await headOf(page);
    await agrees('at the pause');
    for (const key of ['ArrowLeft', 'ArrowLeft', 'ArrowLeft', 'ArrowRight', 'ArrowLeft']) {
      const before = await headOf(page);
      await page.keyboard.press(key);
      await until('a step', async () => (await headOf(page)) !== before);
      expect(Math.sign((await headOf(page)) - before)).toBe(key === 'ArrowLeft' ? -1 : 1);
      await agrees(`after ${key}`);
    }
    expect(await headOf(page)).toBeLessThan(paused);

    await page.keyboard.press('z');
    await until('the replay', async () => (await textOf(page, '.pause')).includes('pause'));
    const rewound = await headOf(page);
    expect(rewound).toBeLessThan(paused);
    await until('it to go on', async () => (await headOf(page)) > rewound);
    await page.keyboard.press('[');
    await until(
      'slow motion',
      async () => (await page.locator('.transport select').inputValue()) === '0.1',
    );

    await page.keyboard.press('l');
    await until('the present', async () => (await headOf(page)) > paused);
    await until('new answers', async () => (await answered()) > 8);
    expect(await page.locator('.transport .live').getAttribute('aria-pressed')).toBe('true');

    await page.keyboard.press('b');
    await until('the recording', async () => (await page.locator('.recorded').count()) === 1);
    expect(await textOf(page, '.recorded')).toMatch(
      /^recorded \d{4}-\d\d-\d\d .* Linux .* processor/,
    );
    await until('its answers', async () => (await answered()) > 0);
    await page.keyboard.press('l');
    await until('the present', async () => (await page.locator('.recorded').count()) === 0);
    await page.close();
  });
});
