/** A recording as one HTML file, in a real browser without a network. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser, BrowserContext, Frame, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { pageFiles } from '../../src/instruments/lab/hub/page-files.ts';
import { staticPage } from '../../src/instruments/lab/hub/static.ts';
import { unpack } from '../../src/instruments/lab/shared/recording.ts';
import type { LabRecord } from '../../src/instruments/lab/shared/records.ts';
import { CALM, hasBrowser, openBrowser } from '../support/browser.ts';
import { hostileRecording, labRecording } from '../support/lab-recording.ts';
import { expectValid } from '../support/trace-format.ts';
import { untilShown } from '../support/until.ts';

/** What a page complained of, and what it asked for beside itself. */
class Watched {
  readonly page: Page;
  readonly faults: string[] = [];
  readonly requests: string[] = [];

  constructor(page: Page) {
    this.page = page;
    page.on('pageerror', ({ message }) => this.faults.push(message));
    page.on('console', (message) => {
      if (message.type() === 'error' || message.type() === 'warning')
        this.faults.push(message.text());
    });
    page.on('request', (request) => this.requests.push(request.url()));
  }
}

/** Seconds that the play head shows. */
const headOf = async (place: Page | Frame): Promise<number> =>
  Number.parseFloat((await place.locator('.head-time').textContent()) ?? '');

const answersOf = async (place: Page | Frame): Promise<number> => {
  const text = (await place.locator('.stage').nth(1).locator('.twin').textContent()) ?? '';
  return Number(/(\d+) answers/.exec(text)?.[1]);
};

/** How often an animation has another picture: a file of this format is read block by block. */
function framesIn(gif: Uint8Array): number {
  let at = 13 + 768;
  let frames = 0;
  while (gif[at] !== 0x3b) {
    if (gif[at] === 0x2c) frames++;
    at += gif[at] === 0x2c ? 11 : 2;
    while (gif[at] !== 0) at += gif[at]! + 1;
    at++;
  }
  return frames;
}

describe.skipIf(!hasBrowser())('a recording as one file', () => {
  let browser: Browser;
  let context: BrowserContext;
  let folder: string;
  /** Without motion by default: then nothing keeps the browser drawing. */
  const open = async (
    name: string,
    reducedMotion: 'reduce' | 'no-preference' = 'reduce',
  ): Promise<Watched> => {
    const watched = new Watched(await context.newPage());
    await watched.page.emulateMedia({ reducedMotion });
    await watched.page.goto(`file://${folder}/${name}`);
    return watched;
  };

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'mondo-static-'));
    const files = await pageFiles();
    const write = async (name: string, records: readonly LabRecord[]) =>
      writeFileSync(join(folder, name), await staticPage(records, files));
    await write('plain.html', labRecording());
    await write('hostile.html', hostileRecording());
    writeFileSync(
      join(folder, 'course.html'),
      '<!doctype html><title>Course</title><iframe sandbox="allow-scripts" src="plain.html" width="1200" height="800"></iframe>',
    );
    browser = await openBrowser();
    context = await browser.newContext({ offline: true, acceptDownloads: true });
  });
  afterAll(async () => {
    await browser?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  test('plays by a double-click without a network: dots move, and the page asks for nothing', async () => {
    const { page, faults, requests } = await open('plain.html', 'no-preference');
    const picture = page.locator('.picture').nth(1);
    await untilShown('an answer', async () => (await answersOf(page)) > 2);
    const before = await picture.screenshot();
    const head = await headOf(page);
    await untilShown('another picture', async () => !before.equals(await picture.screenshot()));
    await untilShown('a later moment', async () => (await headOf(page)) > head);
    expect(await page.locator('.recorded').textContent()).toContain(
      '2026-11-27 17:20 UTC, Linux 6.18',
    );
    expect(await page.locator('footer code').textContent()).toBe(
      'npx mondo lab --scene silent --seed 7',
    );
    expect(requests).toEqual([`file://${folder}/plain.html`]);
    expect(faults).toEqual([]);
    await page.close();
  });

  test('the page that comes with Mondo plays', async () => {
    const watched = new Watched(await context.newPage());
    await watched.page.emulateMedia(CALM);
    await watched.page.goto(`file://${join(import.meta.dirname, '../../docs/lab/silent.html')}`);
    await untilShown('an answer', async () => (await answersOf(watched.page)) > 2);
    expect(watched.faults).toEqual([]);
    await watched.page.close();
  });

  test('plays in a frame that may run scripts and nothing else', async () => {
    const { page, faults } = await open('course.html');
    const frame = await untilShown('the frame', () => page.frames()[1]);
    await untilShown('an answer', async () => (await answersOf(frame)) > 2);
    expect(faults).toEqual([]);
    await page.close();
  });

  test('pause, event by event, and again from the start', async () => {
    const { page } = await open('plain.html');
    await untilShown('the second second', async () => (await headOf(page)) > 1);
    await page.keyboard.press(' ');
    await untilShown('the pause', async () =>
      (await page.locator('.pause').textContent())!.includes('play'),
    );
    const heads: number[] = [];
    for (const key of ['ArrowRight', 'ArrowRight', 'ArrowRight', 'ArrowLeft', 'ArrowLeft']) {
      const before = await page.locator('.head-time').textContent();
      await page.keyboard.press(key);
      await untilShown(
        'a step',
        async () => (await page.locator('.head-time').textContent()) !== before,
      );
      heads.push(await headOf(page));
    }
    // A question 100 ms and an answer 50 ms before each fifth of a second.
    for (const head of heads) expect([100, 150]).toContain(Math.round(head * 1000) % 200);
    expect(heads[3]).toBe(heads[1]);
    expect(heads[4]).toBe(heads[0]);
    expect(heads[2]! > heads[1]! && heads[1]! > heads[0]!).toBe(true);
    await page.keyboard.press('r');
    await untilShown('the start', async () => (await headOf(page)) < heads[0]!);
    await page.close();
  });

  test('the play head goes where an arrow key or a mouse moves it', async () => {
    const { page } = await open('plain.html');
    await page.keyboard.press('t');
    const slider = page.getByRole('slider', { name: 'Play head' });
    await slider.focus();
    await page.keyboard.press('Home');
    await page.keyboard.press('ArrowRight');
    await page.keyboard.press('ArrowRight');
    await untilShown('2 s', async () => (await headOf(page)) === 2);
    await untilShown('its words', async () =>
      (await slider.getAttribute('aria-valuetext'))!.startsWith('2.0 s, paused; single: 1'),
    );
    const box = (await slider.boundingBox())!;
    await page.mouse.move(box.x + 5, box.y + 5);
    await page.mouse.down();
    await page.mouse.move(box.x + box.width / 2, box.y + 5);
    await page.mouse.up();
    await untilShown('the middle', async () => Math.abs((await headOf(page)) - 6) < 0.3);
    await page.close();
  });

  test('texts of a stranger are texts', async () => {
    const { page, faults } = await open('hostile.html');
    await untilShown('an answer', async () => (await answersOf(page)) > 2);
    await page.keyboard.press('t');
    await page.getByText('The same as a table').click();
    await untilShown('the table', async () => (await page.locator('.timeline td').count()) > 0);
    expect(await page.locator('img').count()).toBe(0);
    expect(await page.locator('script').count()).toBe(2);
    expect(await page.title()).not.toBe('broken');
    expect(await page.locator('h1').textContent()).toContain('<img src=x');
    expect(faults).toEqual([]);
    await page.close();
  });

  test('saves pictures, an animation, a trace and itself', async () => {
    const { page, faults } = await open('plain.html');
    await untilShown('some seconds', async () => (await headOf(page)) > 3);
    await page.keyboard.press('e');
    const save = async (name: string): Promise<Buffer> => {
      const [download] = await Promise.all([
        page.waitForEvent('download'),
        page.getByRole('button', { name, exact: true }).click(),
      ]);
      return readFileSync(await download.path());
    };
    const png = await save('PNG');
    expect(png.subarray(1, 4).toString()).toBe('PNG');
    expect([png.readUInt32BE(16), png.length > 20_000]).toEqual([2 * 1280, true]);
    const svg = (await save('SVG')).toString();
    for (const text of ['Its one thread', 'Linux 6.18', 'npx mondo lab --scene silent']) {
      expect(svg).toContain(text);
    }
    // The policy of the page itself lets no text become a document.
    const empty = await context.newPage();
    const fault = await empty.evaluate<string>(`(() => {
      const parsed = new DOMParser().parseFromString(${JSON.stringify(svg)}, 'image/svg+xml');
      return parsed.querySelector('parsererror')?.textContent ?? parsed.documentElement.tagName;
    })()`);
    await empty.close();
    expect(fault).toBe('svg');
    const gif = await save('GIF');
    expect([gif.subarray(0, 6).toString(), gif.readUInt16LE(6)]).toEqual(['GIF89a', 960]);
    expect(framesIn(gif)).toBeGreaterThan(60);
    expectValid(JSON.parse((await save('Perfetto')).toString()).traceEvents);
    const saved = await unpack(new Uint8Array(await save('recording')));
    expect([saved[0], saved.at(-1)]).toEqual([labRecording()[0], labRecording().at(-1)]);
    expect(faults).toEqual([]);
    await page.close();
  });
});
