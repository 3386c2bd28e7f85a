/** The recordings of `docs/lab/` as pages in a browser, for the pictures of the documents. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { pageFiles } from '../src/instruments/lab/hub/page-files.ts';
import { staticPage } from '../src/instruments/lab/hub/static.ts';
import { unpack } from '../src/instruments/lab/shared/recording.ts';
import { openBrowser } from '../test/support/browser.ts';

export const folder = join(import.meta.dirname, '..', 'docs', 'lab');

/** Opens the recording of a scene, paused at a second of it. */
export type OpenScene = (scene: string, second: number) => Promise<Page>;

/** Runs `use` with a browser of light colours and this size. */
export async function withRecordedPages(
  viewport: { readonly width: number; readonly height: number },
  use: (open: OpenScene) => Promise<void>,
): Promise<void> {
  const files = await pageFiles();
  const temporary = mkdtempSync(join(tmpdir(), 'mondo-pictures-'));
  const browser = await openBrowser();
  try {
    const context = await browser.newContext({ viewport, colorScheme: 'light', offline: true });
    await use(async (scene, second) => {
      const records = await unpack(new Uint8Array(readFileSync(join(folder, `${scene}.mondolab`))));
      const file = join(temporary, `${scene}.html`);
      writeFileSync(file, await staticPage(records, files));
      const page = await context.newPage();
      await page.goto(`file://${file}`);
      await page.locator('.pause').click();
      await page.locator('h1').click();
      // Back to the start from where it was paused, and on by whole seconds.
      for (let i = 0; i < 5; i++) await page.keyboard.press('Shift+ArrowLeft');
      for (let i = 0; i < second; i++) await page.keyboard.press('Shift+ArrowRight');
      return page;
    });
  } finally {
    await browser.close();
    rmSync(temporary, { recursive: true });
  }
}
