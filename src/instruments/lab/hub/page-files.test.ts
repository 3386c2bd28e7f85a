import { gzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { pageFiles } from './page-files.ts';

const KB = 1024;

test('the page is a classic script, in its budget, and asks for nothing from elsewhere', async () => {
  const { html, script, missions, style } = await pageFiles();
  for (const code of [script, missions]) {
    expect(code).toMatch(/^\(function\(|^\(\(?\)?\s*=>|^var /);
    expect(code).not.toMatch(/^(?:import|export) /m);
  }
  expect(gzipSync(script).length).toBeLessThan(55 * KB);
  expect(style.length).toBeLessThan(15 * KB);
  expect(`${style}${html}`).not.toMatch(/https?:|@import|\bon[a-z]+=/);
  expect(html).not.toMatch(/<script>|<style/);
});
