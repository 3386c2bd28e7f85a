/** The lab shows what it costs itself, beside its servers and clients. */
import { describe, expect, it } from 'vitest';
import { CALM, hasBrowser, openBrowser } from '../support/browser.ts';
import { startLab } from '../support/lab.ts';
import { until } from '../support/until.ts';

describe.skipIf(!hasBrowser())('the cost of the lab', () => {
  it('is on the page, and is more than nothing', async () => {
    await using lab = await startLab('--scene', 'silent');
    const browser = await openBrowser();
    try {
      const page = await browser.newPage(CALM);
      await page.goto(lab.url);
      const costs = await until('all three to work', async () => {
        const text = (await page.locator('footer.bottom').textContent()) ?? '';
        const found = /Of (\d+) processors: servers ([\d.]+), clients ([\d.]+), lab ([\d.]+)\./;
        const [, ...figures] = (found.exec(text) ?? []).map(Number);
        return figures.length === 4 && figures.every((figure) => figure > 0) && figures;
      });
      const [cpus, ...shares] = costs as [number, ...number[]];
      expect(shares.reduce((sum, share) => sum + share)).toBeLessThan(cpus * 1.5);
    } finally {
      await browser.close();
    }
  });
});
