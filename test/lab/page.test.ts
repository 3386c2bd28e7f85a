/** The lab's page in a real browser, at the lab's own server. The records are made by the test. */
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { architectureNames } from '../../src/architectures/catalogue.ts';
import { EVENT } from '../../src/instruments/lab/shared/records.ts';
import { planOf, sceneNamed } from '../../src/instruments/lab/shared/scenes.ts';
import { CALM, hasBrowser, openBrowser } from '../support/browser.ts';
import { BEAT, Stand, Tab } from '../support/lab-page.ts';
import { hostileRecording } from '../support/lab-recording.ts';
import { until, untilShown } from '../support/until.ts';

const six = { clients: 6, silent: 1 };
const pair = ['single', 'poll'];

describe.skipIf(!hasBrowser())('the page of the lab', () => {
  let browser: Browser;
  let stand: Stand;
  beforeAll(async () => {
    browser = await openBrowser();
    stand = await Stand.open();
  });
  afterAll(async () => {
    await stand?.close();
    await browser?.close();
  });
  const open = (options = {}) => Tab.open(browser, stand.hub.url, options);

  test('shows two servers, says why clients wait, and moves what moves', async () => {
    stand.play(pair, six, 6, BEAT);
    await using tab = await open({ reducedMotion: 'no-preference' });
    await tab.isDrawn(2);
    await untilShown('the sentence of single', async () =>
      /waits for client 1/.test(await tab.sentence(0)),
    );
    expect(await tab.sentence(0)).toContain('5 clients wait outside');
    expect(await tab.sentence(1)).toContain('1 silent client holds no other client up');
    await expect
      .poll(() => tab.page.locator('.why .culprit').first().textContent())
      .toBe('client 1');
    const shot = () => tab.ask<string>('picture(3)');
    const first = await shot();
    await untilShown(
      'something to move in the picture of poll',
      async () => (await shot()) !== first,
    );
    expect(tab.faults).toEqual([]);
  });

  test('the address bar has the plan and no token; another tab with it needs none', async () => {
    stand.play(pair, six, 6);
    await using tab = await open();
    await tab.isDrawn(2);
    await untilShown('the plan in the address bar', () => tab.page.url().includes('#/s?'));
    expect(tab.page.url()).not.toMatch(/[#&][to]=/);
    const plan = planOf(new URL(tab.page.url()).hash);
    expect(plan?.stages.map(({ architecture }) => architecture)).toEqual(pair);
    await tab.page.reload();
    await tab.isDrawn(2);
    expect(tab.faults).toEqual([]);
    const outside = tab.requests.filter(
      (url) => new URL(url).origin !== new URL(stand.hub.url).origin,
    );
    expect(outside).toEqual([]);
  });

  test('a link asks for its plan once the viewer steers', async () => {
    stand.play(pair, six, 6);
    stand.commands.length = 0;
    const link = '&/s?a=epoll&clients=3&think=50&seed=9&title=Mine';
    await using tab = await Tab.open(browser, stand.hub.url + link);
    await until('the plan', () => stand.commands.length > 0);
    expect(stand.commands[0]).toMatchObject({
      do: 'plan',
      plan: { seed: 9, think: 50, title: 'Mine' },
    });
    expect(tab.faults).toEqual([]);
  });

  describe('in one tab', () => {
    let tab: Tab;
    let isFit = false;
    beforeEach(async ({ task }) => {
      if (!isFit) {
        await tab?.close();
        tab = await open();
      }
      isFit = true;
      tab.faults.length = 0;
      await tab.page.keyboard.press('Escape');
      await tab.page.emulateMedia(CALM);
      await tab.page.setViewportSize({ width: 1280, height: 800 });
      return () => {
        isFit = task.result?.state !== 'fail';
      };
    });
    afterAll(() => tab?.close());

    /** Resolves when the page shows these servers, and not those of the test before. */
    const shows = async (names: readonly string[]) => {
      await tab.ask('clear()');
      await expect.poll(() => tab.page.locator('.stage h2').allTextContents()).toEqual(names);
      await tab.isDrawn(names.length);
    };

    test.each(
      architectureNames,
    )('%s is drawn without a complaint, wide and narrow', async (name) => {
      await tab.page.emulateMedia({ reducedMotion: 'no-preference' });
      stand.play([name], { clients: 30, silent: 12 }, 6);
      await expect.poll(() => tab.page.locator('.stage h2').allTextContents()).toEqual([name]);
      for (const width of [1920, 390]) {
        await tab.ask('clear()');
        await tab.page.setViewportSize({ width, height: 800 });
        await tab.isDrawn();
        expect(await tab.ask<number>('overflow()')).toBeLessThanOrEqual(0);
      }
      expect(tab.faults).toEqual([]);
    });

    test('no window is scrolled sideways, with every panel open', async () => {
      stand.play(['single', 'threaded', 'poll', 'prefork'], { clients: 12, silent: 4 }, 6);
      await shows(['single', 'threaded', 'poll', 'prefork']);
      for (const width of [1920, 1280, 640, 390]) {
        await tab.page.setViewportSize({ width, height: 800 });
        const wide = await tab.ask<readonly string[]>("tooWide('.dock .tabs button')");
        expect(wide, `${width} px`).toEqual([]);
      }
      expect(tab.faults).toEqual([]);
    });

    test('four servers stand side by side, then two by two, then one at a time', async () => {
      stand.play(['single', 'threaded', 'poll', 'prefork'], six, 6);
      await shows(['single', 'threaded', 'poll', 'prefork']);
      const rows = async () => {
        const tops = await tab.page
          .locator('.stage')
          .evaluateAll((all) => all.map((one) => one.getBoundingClientRect().top));
        return [tops.length, new Set(tops).size];
      };
      expect(await rows()).toEqual([4, 1]);
      await tab.page.setViewportSize({ width: 1000, height: 800 });
      await expect.poll(rows).toEqual([4, 2]);
      await tab.page.setViewportSize({ width: 600, height: 800 });
      await expect.poll(rows).toEqual([1, 1]);
      await tab.page.getByRole('button', { name: 'poll', exact: true }).click();
      await expect.poll(() => tab.page.locator('.stage h2').textContent()).toBe('poll');
    });

    test('the sizes that a viewer can set are those that the architecture takes', async () => {
      const names = ['single', 'threaded', 'queued', 'prefork'];
      stand.play(names, six, 6);
      await shows(names);
      await tab.page.locator('.dock .tabs button', { hasText: 'Server' }).click();
      const found: string[] = [];
      for (const name of names) {
        await tab.page.locator('.target').getByLabel(name).check();
        await expect.poll(() => tab.page.locator('#architecture').inputValue()).toBe(name);
        const ids = await tab.page
          .locator('input[id^=size-]')
          .evaluateAll((all) => all.map(({ id }) => id.slice('size-'.length)));
        found.push(`${name}: ${ids.join(' ')}`);
      }
      expect(found).toEqual([
        'single: backlog',
        'threaded: threads processes backlog',
        'queued: threads queue backlog',
        'prefork: processes backlog',
      ]);
    });

    test('an attack that fits no server is disabled, and says why', async () => {
      stand.play(['single'], six, 6);
      await shows(['single']);
      await tab.page.keyboard.press('a');
      const burn = tab.page.getByRole('button', { name: 'burns' });
      expect(await burn.isDisabled()).toBe(true);
      expect(await tab.page.locator('.attacks li', { has: burn }).textContent()).toContain(
        'it has one thread',
      );
    });

    test('a projector has four servers on the screen at once', async () => {
      const names = ['callback', 'coroutine', 'generator', 'asyncore'];
      stand.play(names, { clients: 12, silent: 6 }, 6);
      await tab.page.setViewportSize({ width: 1280, height: 1024 });
      await shows(names);
      await tab.page.keyboard.press('p');
      await expect.poll(() => tab.ask<number>('overflowBelow()')).toBeLessThanOrEqual(0);
      expect(await tab.page.locator('.stage').count()).toBe(4);
      await tab.page.keyboard.press('p');
    });

    test('a crowd is a sample, and the page says of how many', async () => {
      stand.play(['epoll'], { clients: 60, silent: 10 }, 6);
      await shows(['epoll']);
      const text = () => tab.page.locator('.sample').allTextContents();
      expect(await text()).toEqual([]);
      stand.say([{ k: 'f', s: 0, t: 7000, every: 4 }]);
      await expect.poll(text).toEqual(['1 dot = 4 clients, about. The counts are exact.']);
    });

    test('of an attack that is too weak, the page says that it proves nothing', async () => {
      stand.play(['poll'], six, 6);
      await shows(['poll']);
      const attack = (t: number, name: string, reached: number) =>
        stand.say([{ k: 'a', s: 0, t, attack: name, reached }]);
      attack(7000, 'churn', 40);
      await tab.page.locator('.attack', { hasText: 'churn' }).waitFor();
      attack(7500, '', 40);
      await tab.page.getByText('the last attack reached only 40 %, which proves nothing').waitFor();
    });

    test('with the colours of the system, hatches and words alone show what threads do', async () => {
      const coloured = async (forcedColors: 'active' | 'none') => {
        await tab.page.emulateMedia({ ...CALM, forcedColors });
        await shows(['threaded', 'poll']);
        return await tab.ask<number>('colouredPixels(0)');
      };
      stand.play(['threaded', 'poll'], { clients: 12, silent: 3 }, 6);
      const usual = await coloured('none');
      // The rest is the highlight of the system, and its grey.
      expect(await coloured('active')).toBeLessThan(usual / 5);
      expect(await tab.barriers('html', ['color-contrast'])).toEqual([]);
      await tab.page.emulateMedia({ forcedColors: 'none' });
      expect(tab.faults).toEqual([]);
    });

    test('targets are large enough for a finger', async () => {
      stand.play(pair, six, 6);
      await tab.page.setViewportSize({ width: 390, height: 844 });
      await tab.page.getByRole('button', { name: 'single', exact: true }).click();
      await shows(['single']);
      for (const button of await tab.page.locator('.dock .tabs button[aria-expanded]').all()) {
        await button.click();
        expect(await tab.ask('small()')).toEqual([]);
      }
    });
  });

  test('the keyboard alone starts a scene, attacks, defends, and reads the keys', async () => {
    stand.play(pair, six, 6);
    stand.commands.length = 0;
    await using tab = await open();
    await tab.isDrawn(2);
    const { keyboard } = tab.page;
    const sent = (wanted: string) =>
      until(wanted, () => stand.commands.find((command) => command.do === wanted));
    await keyboard.press('4');
    expect(await sent('plan')).toMatchObject({
      scene: 'capacity',
      plan: { mix: sceneNamed('capacity')!.mix },
    });
    await keyboard.press('r');
    await sent('again');
    await keyboard.press('n');
    expect(await sent('nc')).toEqual({ do: 'nc', s: 0 });
    await keyboard.press('a');
    await tabTo(tab, 'idle crowd');
    await keyboard.press('Enter');
    expect(await sent('attack')).toEqual({ do: 'attack', s: 0, attack: 'idle-crowd', seconds: 10 });
    await keyboard.press('d');
    await tabTo(tab, 'idle');
    await keyboard.press('Space');
    expect(await sent('limit')).toEqual({ do: 'limit', s: 0, name: 'idle', value: 3 });
    await keyboard.press('Escape');
    await expect.poll(() => tab.page.locator('#panel').isVisible()).toBe(false);
    await keyboard.press('?');
    await tab.page.getByRole('dialog').waitFor();
    expect(await tab.page.locator('dialog kbd').count()).toBeGreaterThan(20);
    await keyboard.press('Escape');
    await expect.poll(() => tab.page.getByRole('dialog').isVisible()).toBe(false);
  });

  /** Goes on with the Tab key to what has this name. */
  async function tabTo(tab: Tab, name: string): Promise<void> {
    await until(`the focus at ${name}`, async () => {
      await tab.page.keyboard.press('Tab');
      return (await tab.ask<string>('focused()')) === name;
    });
  }

  test('Enter on a client of the table tells its story, and so does a click in the picture', async () => {
    stand.play(['single'], six, 6);
    stand.say([
      {
        k: 'f',
        s: 0,
        t: 6000,
        e: [-2000, 3, EVENT.connecting, -1, 0, -1000, 3, EVENT.connected, -1, 40_003],
      },
    ]);
    await using tab = await open();
    await tab.isDrawn();
    const dialog = tab.page.getByRole('dialog', { name: 'client 3 of single' });
    // The table opens when the keyboard comes to it.
    await tabTo(tab, 'client 3');
    expect(await tab.page.locator('.twin').evaluate((twin) => twin.clientHeight)).toBeGreaterThan(
      50,
    );
    await tab.page.keyboard.press('Enter');
    await dialog.getByText('is connected, and waits until the server accepts it').waitFor();
    expect(await tab.barriers('dialog[open]')).toEqual([]);
    await tab.page.keyboard.press('Escape');
    await dialog.waitFor({ state: 'hidden' });

    const picture = (await tab.page.locator('.picture').boundingBox())!;
    const any = tab.page.getByRole('dialog', { name: /client \d of single/ });
    for (let y = 30; y < picture.height && !(await any.isVisible()); y += 12) {
      for (let x = 90; x < 260 && !(await any.isVisible()); x += 12) {
        await tab.page.mouse.click(picture.x + x, picture.y + y);
      }
    }
    await any.waitFor();
    expect(tab.faults).toEqual([]);
  });

  test('Enter on a thread of the table tells its story, which leads to its client; a click in the picture does the same', async () => {
    stand.play(['threaded'], { clients: 6, silent: 4 }, 6);
    const tid = 5050;
    const came = [-2000, 1, EVENT.accepted, 0, 0, -1000, 1, EVENT.asked, -1, 22];
    stand.say([
      { k: 'f', s: 0, t: 6000, e: came },
      { k: 'z', s: 0, t: 6000, z: [tid, 3, 0], channels: ['wait_woken'] },
    ]);
    await using tab = await open();
    await tab.isDrawn();
    const dialog = tab.page.getByRole('dialog', { name: `thread ${tid} of threaded` });
    await tabTo(tab, String(tid));
    expect(await tab.ask<string>('labelOfFocused()')).toBe(`thread ${tid}`);
    await tab.page.keyboard.press('Enter');
    await dialog.getByText('accepts client 1').waitFor();
    await dialog.getByText('client 1 has asked, with 22 bytes').waitFor();
    const facts = (await dialog.locator('dl').textContent()) ?? '';
    for (const fact of ['asleep for one client, for ', '3 connections', 'wait_woken', '5001']) {
      expect(facts).toContain(fact);
    }
    expect(await tab.barriers('dialog[open]')).toEqual([]);
    // The keyboard leads on to the client, and Escape closes its story.
    await tabTo(tab, 'client 1');
    await tab.page.keyboard.press('Enter');
    const client = tab.page.getByRole('dialog', { name: 'client 1 of threaded' });
    await client.getByText('has asked, with 22 bytes').waitFor();
    await expect.poll(() => tab.ask<string>('focused()')).toBe('close');
    await tab.page.keyboard.press('Escape');
    await client.waitFor({ state: 'hidden' });

    // Its strip is in the right half of the picture: a click beside the client that stands on it.
    const picture = (await tab.page.locator('.picture').boundingBox())!;
    const any = tab.page.getByRole('dialog', { name: /^thread \d+ of threaded$/ });
    for (let y = 30; y < picture.height && !(await any.isVisible()); y += 12) {
      await tab.page.mouse.click(picture.x + 0.7 * picture.width, picture.y + y);
    }
    await any.waitFor();
    expect(tab.faults).toEqual([]);
  });

  test('a second viewer has disabled controls until it takes over', async () => {
    stand.play(pair, six, 6);
    await using first = await open();
    await first.isDrawn(2);
    await using second = await open();
    await second.isDrawn(2);
    await second.page.keyboard.press('a');
    const attack = (tab: Tab) => tab.page.getByRole('button', { name: 'idle crowd' });
    expect(await attack(second).isDisabled()).toBe(true);
    await second.page.getByRole('button', { name: 'take over' }).click();
    await expect.poll(() => attack(second).isEnabled()).toBe(true);
    await first.page.keyboard.press('a');
    await expect.poll(() => attack(first).isDisabled()).toBe(true);
  });

  test('nothing stands in the way of a reader in light, dark, projector, panels and dialog', async () => {
    stand.play(pair, six, 6);
    await using tab = await open();
    await tab.isDrawn(2);
    for (const colorScheme of ['light', 'dark'] as const) {
      await tab.page.emulateMedia({ colorScheme });
      // Only colours differ between the two.
      const rules = colorScheme === 'dark' ? ['color-contrast'] : [];
      expect(await tab.barriers('html', rules)).toEqual([]);
      await tab.page.keyboard.press('v');
      for (const button of await tab.page.locator('.dock .tabs button[aria-expanded]').all()) {
        await button.click();
        // The rest of the page is as before.
        const found = await tab.barriers('.dock', rules);
        expect(found, (await button.textContent()) ?? '').toEqual([]);
      }
      await tab.page.keyboard.press('?');
      await tab.page.getByRole('dialog').waitFor();
      expect(await tab.barriers('dialog[open]', rules)).toEqual([]);
      await tab.page.keyboard.press('Escape');
      await tab.page.keyboard.press('v');
    }
    // The projector has one ground.
    await tab.page.keyboard.press('p');
    expect(await tab.barriers()).toEqual([]);
  });

  test('a projector gets large text on white, and nothing but header, sentences and pictures', async () => {
    stand.play(pair, six, 6);
    await using tab = await open({ colorScheme: 'dark', viewport: { width: 1920, height: 1080 } });
    await tab.isDrawn(2);
    await tab.page.keyboard.press('p');
    await expect.poll(() => tab.page.locator('.dock').count()).toBe(0);
    expect(await tab.ask('ground()')).toBe('rgb(255, 255, 255)');
    const sizes = await tab.ask<number[]>("textSizes('.why, .figures, h1, h2')");
    expect(Math.min(...sizes)).toBeGreaterThanOrEqual(20);
    const { width, height } = (await tab.page.locator('.stages').boundingBox())!;
    expect(width * height).toBeGreaterThan(0.6 * 1920 * 1080);
    // All of it is on the screen at once.
    expect(await tab.ask<number>('overflowBelow()')).toBeLessThanOrEqual(0);
  });

  test('for a viewer without motion things stand, and step', async () => {
    stand.play(['epoll'], { clients: 40, silent: 0, restless: true }, 6, BEAT);
    // A small window: each picture is compared.
    await using tab = await open({ viewport: { width: 390, height: 500 } });
    await tab.isDrawn();
    /** How many different pictures there are in 2 s. */
    const pictures = async (reducedMotion: 'reduce' | 'no-preference') => {
      await tab.page.emulateMedia({ reducedMotion });
      return await tab.ask<number>('pictures(2000)');
    };
    const still = await pictures('reduce');
    expect(still).toBeGreaterThan(1);
    expect(still).toBeLessThanOrEqual(6);
    expect(await pictures('no-preference')).toBeGreaterThan(still);

    // Without pictures there are tables, and a command for figures.
    await tab.page.keyboard.press('o');
    const button = tab.page.getByRole('button', { name: 'no pictures' });
    const isPicture = () => tab.page.locator('.picture').first().isVisible();
    const isTable = () => tab.page.locator('.twin:not(.hidden) table').first().isVisible();
    await button.click();
    expect([await isPicture(), await isTable()]).toEqual([false, true]);
    expect(await tab.page.locator('#panel').textContent()).toContain('npx mondo compare ');
    expect(await tab.ask<number>('pictures(500)')).toBeLessThanOrEqual(2);
    await button.click();
    expect([await isPicture(), await isTable()]).toEqual([true, false]);
  });

  test('texts of peers are text', async () => {
    stand.say(hostileRecording());
    await using tab = await open();
    await tab.page.locator('.stage').first().waitFor();
    await tab.page.keyboard.press('o');
    await tab.page.keyboard.press('v');
    expect(await tab.page.title()).toBe('Mondo lab');
    expect(await tab.page.locator('img, #lab script').count()).toBe(0);
    expect(await tab.page.locator('h1').textContent()).toContain('<img src=x');
    expect(tab.faults).toEqual([]);
  });

  test('a lab that ends: the page says so, keeps its picture, and finds the next lab at the address', async () => {
    const own = await Stand.open();
    const { port, url } = own.hub;
    own.play(pair, six, 6);
    await using tab = await Tab.open(browser, url);
    await tab.isDrawn(2);
    await own.close();
    await expect.poll(() => tab.page.getByRole('alert').textContent()).toContain('is lost');
    await tab.isDrawn(2);
    // What it has seen can still be watched.
    const head = async () =>
      Number.parseFloat((await tab.page.locator('.head-time').textContent())!);
    const last = await head();
    await tab.page.keyboard.press('Shift+ArrowLeft');
    await expect.poll(head).toBeLessThan(last);
    await tab.page.keyboard.press('l');
    // Another launch has another token: the page must not go on trying with the old one.
    await using next = await Stand.open(port);
    next.play(pair, six, 6);
    await expect
      .poll(() => tab.page.getByRole('alert').textContent(), { timeout: 20_000 })
      .toContain('has started again');
    await tab.page.goto(next.hub.url);
    await tab.isDrawn(2);
    await expect.poll(() => tab.page.getByRole('alert').textContent()).toBe('');
  });

  test('B plays the recording of the scene though a request is lost, and says what failed if all are', async () => {
    stand.play(pair, six, 6);
    await using tab = await open();
    await tab.isDrawn(2);
    const { page } = tab;
    let lost = 0;
    let most = 1;
    await page.route('**/recorded/*', (route) =>
      lost++ < most ? route.abort('connectionreset') : route.continue(),
    );
    await page.keyboard.press('b');
    await page.locator('.recorded').waitFor();
    expect(lost).toBe(2);
    await page.keyboard.press('l');
    await page.locator('.recorded').waitFor({ state: 'hidden' });
    most = Number.POSITIVE_INFINITY;
    await page.keyboard.press('b');
    await page.getByText('Cannot load the recording: the lab does not answer').waitFor();
  });

  test('seven tabs of one browser show the lab at once', async () => {
    stand.play(['single'], six, 6);
    await using tab = await open();
    const context = tab.page.context();
    const more = await Promise.all(Array.from({ length: 6 }, () => context.newPage()));
    await Promise.all(more.map((page) => page.goto(stand.hub.url)));
    for (const page of [tab.page, ...more]) {
      await page.locator('.stage h2').waitFor();
      await page.getByText('7 viewers').waitFor();
    }
    expect(tab.faults).toEqual([]);
  });

  test('an address without its token says what is missing', async () => {
    await using tab = await Tab.open(browser, `http://127.0.0.1:${stand.hub.port}/`);
    await expect.poll(() => tab.page.getByRole('alert').textContent()).toContain('has no token');
  });

  test('a picture of 10,000 clients that move makes few calls more than one of 10', async () => {
    const viewport = { width: 1600, height: 800 };
    await using tab = await open({ viewport, reducedMotion: 'no-preference' });
    const callsWith = async (clients: number) => {
      stand.play(['epoll'], { clients, silent: clients / 2, restless: true }, 6, BEAT);
      await tab.ask('clear()');
      await tab.isDrawn();
      return await tab.ask<number>('callsOfPicture(5)');
    };
    const few = await callsWith(10);
    expect(few).toBeGreaterThan(10);
    expect(await callsWith(10_000)).toBeLessThan(2 * few);
  });
});
