/** Attacks on a running lab by pages of other origins, in a real browser. security.test.ts has those without a browser. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Page } from 'playwright-core';
import { expect, test } from 'vitest';
import { PROTOCOL } from '../../src/instruments/lab/shared/wire.ts';
import { CALM } from '../support/browser.ts';
import type { Place } from '../support/lab-page.ts';
import { until } from '../support/until.ts';

/** A page of another origin, and of another site: `localhost` is another one than 127.0.0.1. */
async function evil(content: string): Promise<{ url: string; close: () => Promise<void> }> {
  const server = createServer((_, response) => {
    response.setHeader('Content-Type', 'text/html').end(`<!doctype html>${content}`);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://localhost:${port}/`,
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

export function foreignPageTests(place: () => Place): void {
  async function on<T>(content: string, look: (page: Page) => Promise<T>): Promise<T> {
    const site = await evil(content);
    const page = await place().browser.newPage(CALM);
    try {
      await page.goto(site.url);
      return await look(page);
    } finally {
      await page.close();
      await site.close();
    }
  }

  test('no other page frames the lab', async () => {
    const { lab } = place();
    const frame = `<iframe src="http://127.0.0.1:${lab.port}/"></iframe>`;
    await on(frame, async (page) => {
      await until('the frame to be refused', () =>
        page.frames().some((one) => one.url().startsWith('chrome-error:')),
      );
      expect(page.frames().some((one) => one.url().includes(`:${lab.port}`))).toBe(false);
    });
  });

  test('no other page loads or reads a part of the lab', async () => {
    const base = `http://127.0.0.1:${place().lab.port}`;
    await on('<body>', async (page) => {
      const results = await page.evaluate(
        `(async (base) => {
          const script = new Promise((resolve) => {
            const element = document.createElement('script');
            element.onload = () => resolve('loaded');
            element.onerror = () => resolve('refused');
            element.src = base + '/page.js';
            document.body.append(element);
          });
          const outcome = (promise) => promise.then(() => 'fetched', () => 'refused');
          return [
            await script,
            await outcome(fetch(base + '/', { mode: 'no-cors' })),
            await outcome(fetch(base + '/page.js')),
            await outcome(fetch(base + '/', { method: 'POST', body: 'x' })),
          ];
        })(${JSON.stringify(base)})`,
      );
      expect(results).toEqual(['refused', 'refused', 'refused', 'refused']);
    });
  });

  test('no other page connects, not even with the token', async () => {
    const { lab } = place();
    const address = `ws://127.0.0.1:${lab.port}/`;
    const protocols = JSON.stringify([PROTOCOL, `t.${lab.token}`]);
    await on('<body>', async (page) => {
      const result = await page.evaluate(
        `new Promise((resolve) => {
          const socket = new WebSocket('${address}', ${protocols});
          socket.onopen = () => resolve('open');
          socket.onerror = () => resolve('refused');
        })`,
      );
      expect(result).toBe('refused');
    });
  });

  test('the page breaks none of its own rules, and asks for nothing from elsewhere', async () => {
    const { browser, lab } = place();
    const context = await browser.newContext(CALM);
    const page = await context.newPage();
    const asked: string[] = [];
    const faults: string[] = [];
    page.on('request', (request) => asked.push(request.url()));
    page.on('console', (message) => {
      if (message.type() === 'error') faults.push(message.text());
    });
    page.on('pageerror', (error) => faults.push(error.message));
    await page.goto(lab.url);
    await page.waitForSelector('main');
    expect(faults).toEqual([]);
    const origins = new Set(asked.map((url) => new URL(url).host));
    expect([...origins]).toEqual([`127.0.0.1:${lab.port}`]);
    expect(asked.every((url) => !new URL(url).search)).toBe(true);
    await context.close();
  });
}
