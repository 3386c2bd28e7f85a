/** The code pane of the page, with a real lab behind it and in a real browser. */
import { describe, expect, it } from 'vitest';
import { CALM, hasBrowser, openBrowser } from '../support/browser.ts';
import { startLab } from '../support/lab.ts';
import { until } from '../support/until.ts';

/** Seconds of a clock such as `asleep 6.2 s, for client 3`. */
const secondsOf = (clock: string): number => {
  const [, number, unit] = /([\d.]+) (ms|s)/.exec(clock) ?? [];
  return Number(number) * (unit === 'ms' ? 0.001 : 1);
};

describe.skipIf(!hasBrowser())('the code pane', () => {
  it('lights the line on which the thread sleeps for the silent client, with a clock that goes on', async () => {
    await using lab = await startLab('--scene', 'silent');
    const browser = await openBrowser();
    try {
      const page = await browser.newPage({ ...CALM, viewport: { width: 1600, height: 1000 } });
      const faults: string[] = [];
      page.on('pageerror', ({ message }) => faults.push(message));
      await page.goto(lab.url);
      await page.locator('.stage').nth(1).waitFor();
      await page.keyboard.press('c');
      await page.getByRole('button', { name: 'Trace it' }).first().click();
      const lit = page.getByLabel('Code of single').locator('li.lit');
      const textOf = async () => (await lit.first().textContent()) ?? '';
      await until(
        'the line of recv',
        async () => (await lit.count()) === 1 && (await textOf()).includes('client.recv()'),
      );
      await until('its client', async () => /for client \d+/.test(await textOf()));
      const [, client] = /for client (\d+)/.exec(await textOf())!;
      await until('it to be asleep', async () => (await textOf()).includes('asleep '));
      const before = secondsOf((await lit.locator('.clock').textContent())!);
      await until('two more seconds', async () => {
        const now = secondsOf((await lit.locator('.clock').textContent())!);
        return now > before + 2;
      });
      // It is the silent client: its one thread has not moved.
      expect(await textOf()).toContain(`for client ${client}`);
      expect(await textOf()).toContain('client.recv()');
      // The other server goes on without a trace.
      expect(await page.getByRole('button', { name: 'Trace it' }).count()).toBe(1);
      await page.getByRole('button', { name: 'end the trace' }).click();
      await until(
        'the trace to end',
        async () => (await page.getByRole('button', { name: 'Trace it' }).count()) === 2,
      );
      expect(faults).toEqual([]);
    } finally {
      await browser.close();
    }
  });
});
