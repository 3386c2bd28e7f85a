/**
 * Pictures of all recorded scenes, for a screen and for a projector: `node tools/lab-screenshots.ts [SCENE…]` writes
 * `docs/lab/SCENE-light.png` and `docs/lab/SCENE-projector.png`. It needs the Debian package chromium-headless-shell.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { scenes } from '../src/instruments/lab/shared/scenes.ts';
import { withPalette } from './png.ts';
import { folder, withRecordedPages } from './recorded-pages.ts';

const WIDTH = 1280;
const EDGE = 16;
/** Most bytes of a picture. */
const MOST = 120 * 1024;
/** The second of the recording that shows what the scene is about. */
const USUAL = 8;
const SECONDS: Readonly<Record<string, number>> = { capacity: 8.7 };

/** The page down to the end of its stages, without what steers it. */
async function upper(page: Page) {
  const boxes = await Promise.all(
    (await page.locator('.stage').all()).map((stage) => stage.boundingBox()),
  );
  const height = Math.max(...boxes.map((box) => box!.y + box!.height));
  return { x: 0, y: 0, width: WIDTH, height: Math.ceil(height + EDGE) };
}

const wanted = process.argv.slice(2);
await withRecordedPages({ width: WIDTH, height: 900 }, async (open) => {
  for (const { name } of scenes) {
    if (wanted.length > 0 && !wanted.includes(name)) continue;
    const page = await open(name, SECONDS[name] ?? USUAL);
    for (const look of ['light', 'projector']) {
      if (look === 'projector') await page.keyboard.press('p');
      // The sentence changes every 3 s at most.
      await page.waitForTimeout(3500);
      const picture = withPalette(
        await page.screenshot({ fullPage: true, clip: await upper(page) }),
      );
      console.log(`${name}-${look}.png: ${picture.length} bytes`);
      if (picture.length > MOST) throw new Error(`It has more than ${MOST} bytes`);
      writeFileSync(join(folder, `${name}-${look}.png`), picture);
    }
    await page.close();
  }
});
