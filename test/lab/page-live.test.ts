/** `mondo lab` as a lecturer has it: the command, its servers, and the page in a real browser. */
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Model } from '../../src/instruments/lab/shared/model.ts';
import { Player } from '../../src/instruments/lab/shared/player.ts';
import type { LabRecord } from '../../src/instruments/lab/shared/records.ts';
import { doingOf } from '../../src/instruments/lab/shared/words.ts';
import { hasBrowser, openBrowser } from '../support/browser.ts';
import { type Lab, startLab } from '../support/lab.ts';
import { showing, Tab } from '../support/lab-page.ts';
import { untilShown } from '../support/until.ts';
import { foreignPageTests } from './foreign-page-tests.ts';
import { missionTests } from './mission-tests.ts';

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

/** Seconds of a clock such as `asleep 6.2 s, for client 3`. */
const secondsOf = (clock: string): number => {
  const [, number, unit] = /([\d.]+) (ms|s)/.exec(clock) ?? [];
  return Number(number) * (unit === 'ms' ? 0.001 : 1);
};

describe.skipIf(!hasBrowser())('the page of a running lab', () => {
  let browser: Browser;
  let lab: Lab;
  beforeAll(async () => {
    [browser, lab] = await Promise.all([openBrowser(), startLab()]);
  });
  afterAll(async () => {
    await browser?.close();
    await lab?.[Symbol.asyncDispose]();
  });

  // First: a recording begins with the time for which the lab has run, and a replay waits for that time.
  describe('missions', () => missionTests(() => ({ browser, lab })));
  describe('other pages', () => foreignPageTests(() => ({ browser, lab })));

  test('one silent client: single waits for it, poll serves the others, and the page says so, and what the lab costs', async () => {
    await using tab = await Tab.open(browser, lab.url);
    await tab.isDrawn(2);
    let seen = '';
    let began = performance.now();
    await untilShown('the sentence of single', async () => {
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
    await untilShown('answers of poll', async () => (await tab.answers(1)) > 3);
    expect(await tab.answers(0)).toBe(0);
    // One more silent client, by a key.
    await tab.page.keyboard.press('n');
    await untilShown('six clients outside', async () =>
      / 6 clients wait outside/.test(await tab.sentence(0)),
    );
    // The probe is an honest client, too.
    await tab.page.locator('.dock .tabs button', { hasText: 'Server' }).click();
    for (const name of ['single', 'poll']) {
      await tab.page.locator('.target').getByLabel(name).check();
      await tab.page.getByRole('button', { name: 'probe on' }).click();
    }
    for (const [stage, light] of ['red', 'green'].entries()) {
      await tab.page.locator('.stage').nth(stage).locator(`.probe.${light}`).waitFor();
    }
    // What the lab itself costs is on the page.
    const costs = await untilShown('all three to work', async () => {
      const text = (await tab.page.locator('footer.bottom').textContent()) ?? '';
      const found = /Of (\d+) processors: servers ([\d.]+), clients ([\d.]+), lab ([\d.]+)\./;
      const [, ...figures] = (found.exec(text) ?? []).map(Number);
      return figures.length === 4 && figures.every((figure) => figure > 0) && figures;
    });
    const [cpus, ...shares] = costs as [number, ...number[]];
    expect(shares.reduce((sum, share) => sum + share)).toBeLessThan(cpus * 1.5);
    expect(tab.faults).toEqual([]);
  });

  test('the code pane lights the line on which the thread sleeps for the silent client, with a clock that goes on', async () => {
    await using tab = await Tab.open(browser, lab.url, { viewport: { width: 1600, height: 1000 } });
    const { page } = tab;
    await page.locator('.stage').nth(1).waitFor();
    await page.keyboard.press('c');
    await page.getByRole('button', { name: 'Trace it' }).first().click();
    const lit = page.getByLabel('Code of single').locator('li.lit');
    const textOf = async () => (await lit.first().textContent()) ?? '';
    await untilShown(
      'the line of recv',
      async () => (await lit.count()) === 1 && (await textOf()).includes('client.recv()'),
    );
    await untilShown('its client', async () => /for client \d+/.test(await textOf()));
    const [, client] = /for client (\d+)/.exec(await textOf())!;
    await untilShown('it to be asleep', async () => (await textOf()).includes('asleep '));
    const before = secondsOf((await lit.locator('.clock').textContent())!);
    await untilShown('two more seconds', async () => {
      const now = secondsOf((await lit.locator('.clock').textContent())!);
      return now > before + 2;
    });
    // It is the silent client: its one thread has not moved.
    expect(await textOf()).toContain(`for client ${client}`);
    expect(await textOf()).toContain('client.recv()');
    // The other server goes on without a trace.
    expect(await page.getByRole('button', { name: 'Trace it' }).count()).toBe(1);
    await page.getByRole('button', { name: 'end the trace' }).click();
    await untilShown(
      'the trace to end',
      async () => (await page.getByRole('button', { name: 'Trace it' }).count()) === 2,
    );
    expect(tab.faults).toEqual([]);
  });

  test('pause, ←, →, Z and L: the page shows the model of its records', async () => {
    await using tab = await Tab.open(browser, 'about:blank');
    const { page } = tab;
    const records = recordsTo(page);
    await page.goto(lab.url);
    /** The page, compared with a player of its own records at the same moment. */
    const agrees = (what: string) =>
      untilShown(`the page to agree ${what}`, async () => {
        const player = new Player('live');
        for (const record of records) player.push(record);
        const expected = expectedOf(player.modelAt(await headOf(page)));
        return JSON.stringify(await shownIn(page)) === JSON.stringify(expected);
      });
    const answered = async () => Number((await shownIn(page))[1]?.[1] ?? 0);
    await untilShown('answers', async () => (await answered()) > 5);

    await page.keyboard.press(' ');
    await untilShown('the pause', async () => (await textOf(page, '.pause')).includes('play'));
    const paused = await headOf(page);
    await agrees('at the pause');
    for (const key of ['ArrowLeft', 'ArrowLeft', 'ArrowLeft', 'ArrowRight', 'ArrowLeft']) {
      const before = await headOf(page);
      await page.keyboard.press(key);
      await untilShown('a step', async () => (await headOf(page)) !== before);
      expect(Math.sign((await headOf(page)) - before)).toBe(key === 'ArrowLeft' ? -1 : 1);
      await agrees(`after ${key}`);
    }
    expect(await headOf(page)).toBeLessThan(paused);

    await page.keyboard.press('z');
    await untilShown('the replay', async () => (await textOf(page, '.pause')).includes('pause'));
    const rewound = await headOf(page);
    expect(rewound).toBeLessThan(paused);
    await untilShown('it to go on', async () => (await headOf(page)) > rewound);
    await page.keyboard.press('[');
    await untilShown(
      'slow motion',
      async () => (await page.locator('.transport select').inputValue()) === '0.1',
    );

    await page.keyboard.press('l');
    await untilShown('the present', async () => (await headOf(page)) > paused);
    await untilShown('new answers', async () => (await answered()) > 8);
    expect(await page.locator('.transport .live').getAttribute('aria-pressed')).toBe('true');

    await page.keyboard.press('b');
    await untilShown(
      'the recording',
      async () => (await page.locator('.recorded').count()) === 1,
    ).catch(async (error) => {
      throw new Error(`${error.message}; the page says: ${await textOf(page, 'footer')}`);
    });
    expect(await textOf(page, '.recorded')).toMatch(
      /^recorded \d{4}-\d\d-\d\d .* Linux .* processor/,
    );
    await untilShown('its answers', async () => (await answered()) > 0);
    await page.keyboard.press('l');
    await untilShown('the present', async () => (await page.locator('.recorded').count()) === 0);
  });

  test('four other servers: each answers, and the page complains of nothing', async () => {
    await using tab = await showing(browser, lab.url, [
      'threaded',
      'prefork',
      'uring',
      'coroutine',
    ]);
    expect(tab.faults).toEqual([]);
  });
});
