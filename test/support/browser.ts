/**
 * A real browser for the pages: Debian's Chromium, built without windows. The same engine with windows needs seven times
 * the processor time for a page, most of it for its address bar.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Browser, chromium, type Page } from 'playwright-core';
import { hasProgram } from './programs.ts';

/** @throws Error in CI if it is missing */
export const hasBrowser = (): boolean =>
  hasProgram('chromium-headless-shell', 'chromium-headless-shell');

export const openBrowser = (): Promise<Browser> =>
  chromium.launch({ executablePath: '/usr/bin/chromium-headless-shell', args: ['--no-sandbox'] });

/**
 * For tests of texts and buttons: the lab's page then paints twice a second, and leaves the processors to the servers
 * and the other tests.
 */
export const CALM = { reducedMotion: 'reduce' } as const;

/** What a reader at a screen of this width could not read. */
export interface Faults {
  /** Pairs of texts that lie over each other. */
  readonly overlaps: readonly string[];
  /** How far the page is wider than the window, in px. */
  readonly overflow: number;
}

const inPage = readFileSync(join(import.meta.dirname, 'page-faults.js'), 'utf8');

export async function faultsOf(page: Page): Promise<Faults> {
  await page.evaluate(inPage);
  return await page.evaluate<Faults>('faultsInPage()');
}
