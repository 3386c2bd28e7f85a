/**
 * The picture of the lab at the top of the README: `node tools/lab-picture.ts` writes `docs/lab/lab.gif`, the first
 * 6 s of the recorded scene `silent` as the page itself saves them. It needs the Debian package chromium-headless-shell.
 */
import { copyFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { folder, withRecordedPages } from './recorded-pages.ts';

/** Most bytes of the picture. */
const MOST = 400 * 1024;
const SECONDS = 6;

await withRecordedPages({ width: 1280, height: 900 }, async (open) => {
  const page = await open('silent', SECONDS);
  await page.keyboard.press('e');
  const [download] = await Promise.all([
    page.waitForEvent('download', { timeout: 300_000 }),
    page.getByRole('button', { name: 'GIF' }).click(),
  ]);
  const made = await download.path();
  const { size } = statSync(made);
  console.log(`lab.gif: ${size} bytes`);
  if (size > MOST) throw new Error(`It has more than ${MOST} bytes`);
  copyFileSync(made, join(folder, 'lab.gif'));
});
