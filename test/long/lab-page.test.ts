/** The page of a running lab, in a real browser, with each architecture. */
import { expect, test } from 'vitest';
import { architectureNames } from '../../src/architectures/catalogue.ts';
import { hasBrowser, openBrowser } from '../support/browser.ts';
import { startLab } from '../support/lab.ts';
import { showing } from '../support/lab-page.ts';

const groups = [0, 4, 8, 12].map((from) => architectureNames.slice(from, from + 4));

test.skipIf(!hasBrowser()).each(groups.map((names) => [names.join(', '), names] as const))(
  '%s: each answers, and the page complains of nothing',
  async (_, names) => {
    await using browser = await openBrowser();
    await using lab = await startLab();
    await using tab = await showing(browser, lab.url, names);
    expect(tab.faults).toEqual([]);
  },
);
