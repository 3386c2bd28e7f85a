/** `mondo lab` as a lecturer has it: the command, its servers, and the page in a real browser. */
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { architectureNames } from '../../src/architectures/catalogue.ts';
import { hasBrowser, openBrowser } from '../support/browser.ts';
import { startLab } from '../support/lab.ts';
import { Tab } from '../support/lab-page.ts';
import { until } from '../support/until.ts';

describe.skipIf(!hasBrowser())('the page of a running lab', () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await openBrowser();
  });
  afterAll(() => browser?.close());

  /** Answers of a stage, as its table says. */
  const answers = async (tab: Tab, stage: number) => {
    const text = (await tab.page.locator('.stage').nth(stage).locator('.twin').textContent()) ?? '';
    return Number(/([\d,]+) answers/.exec(text)?.[1]?.replaceAll(',', '') ?? 0);
  };

  test('one silent client: single waits for it, poll serves the others, and the page says so', async () => {
    await using lab = await startLab();
    await using tab = await Tab.open(browser, lab.url);
    await tab.isDrawn(2);
    let seen = '';
    let began = performance.now();
    await until('the sentence of single', async () => {
      seen = await tab.sentence(0);
      if (/waits for client 1\. Behind it, 5 clients wait outside/.test(seen)) return true;
      // On a busy machine another client may connect before the silent one: then the scene starts again.
      if (/waits for client [2-6]\b/.test(seen) && performance.now() - began > 5000) {
        began = performance.now();
        await tab.page.keyboard.press('r');
      }
      return false;
    }).catch((error: Error) => {
      throw new Error(`${error.message}, and saw “${seen}”`);
    });
    await until('answers of poll', async () => (await answers(tab, 1)) > 3);
    expect(await answers(tab, 0)).toBe(0);
    // One more silent client, by a key.
    await tab.page.keyboard.press('n');
    await until('six clients outside', async () =>
      / 6 clients wait outside/.test(await tab.sentence(0)),
    );
    expect(tab.faults).toEqual([]);
  });

  const groups = [0, 4, 8, 12].map((from) => architectureNames.slice(from, from + 4));
  test.each(
    groups.map((names) => [names.join(', '), names] as const),
  )('%s: each answers, and the page complains of nothing', async (_, names) => {
    await using lab = await startLab(...names, '--scene', 'long-answers');
    await using tab = await Tab.open(browser, lab.url, { viewport: { width: 1600, height: 900 } });
    await tab.isDrawn(names.length);
    for (const stage of names.keys()) {
      await until(`an answer of ${names[stage]}`, async () => (await answers(tab, stage)) > 0);
    }
    expect(await tab.page.locator('.stage h2').allTextContents()).toEqual(names);
    expect(tab.faults).toEqual([]);
  });
});
