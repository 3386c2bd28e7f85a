import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { hostileRecording, labRecording } from '../../../../test/support/lab-recording.ts';
import { unpack } from '../shared/recording.ts';
import { staticPage } from './static.ts';

const files = {
  script: 'const text = "</script>";\nconsole.log(text);',
  missions: 'globalThis.missions = 1;',
  style: 'body { margin: 0 }',
};

/** Element by element, as a browser splits a page at its tags. */
const elementsOf = (page: string, name: string) =>
  [...page.matchAll(new RegExp(`<${name}( [^>]*)?>(.*?)</${name}>`, 'gs'))].map(
    ([, attributes = '', content = '']) => ({ attributes, content }),
  );
const hashOf = (text: string) => `sha256-${createHash('sha256').update(text).digest('base64')}`;

test('a page has its script, its style and its recording in it, and the policy allows only these', async () => {
  const page = await staticPage(labRecording(), files);
  const [data, code, ...rest] = elementsOf(page, 'script');
  expect(rest).toEqual([]);
  const [style] = elementsOf(page, 'style');
  const [, policy] = /http-equiv="Content-Security-Policy" content="([^"]*)"/.exec(page)!;
  const directives = policy!.replaceAll('&#39;', "'").split('; ');
  expect(directives).toContain("default-src 'none'");
  expect(directives).toContain("connect-src 'none'");
  expect(directives).toContain(`script-src '${hashOf(code!.content)}'`);
  expect(directives).toContain(`style-src '${hashOf(style!.content)}'`);
  expect(data!.attributes).toBe(' type="application/octet-stream" id="r"');
  expect(code!.attributes).toBe('');
  expect(await unpack(new Uint8Array(Buffer.from(data!.content, 'base64')))).toEqual(
    labRecording(),
  );
});

test('it names no other address', async () => {
  const page = await staticPage(labRecording(), files);
  const [data] = elementsOf(page, 'script');
  expect(page.replace(data!.content, '')).not.toMatch(/\/\/\w/);
  expect(page.match(/\b(?:src|href)="[^"]*"/g)).toEqual(['href="data:,"']);
});

test('the code keeps its meaning where it has the end of a script in a text', async () => {
  const page = await staticPage(labRecording(), files);
  const { content } = elementsOf(page, 'script')[1]!;
  expect(new Function(content.replace('console.log(text)', 'return text'))()).toBe('</script>');
});

test('the caption says when and where it was recorded, and how to see it live', async () => {
  const page = await staticPage(labRecording(), files);
  expect(page).toContain('Recorded 2026-11-27 17:20 UTC, Linux 6.18, 2 processors');
  expect(page).toContain('<code>npx mondo lab --scene silent --seed 7</code>');
});

test('no text of a recording becomes markup', async () => {
  const page = await staticPage(hostileRecording(), files);
  expect(elementsOf(page, 'script')).toHaveLength(2);
  expect(page).not.toContain('<img');
  expect(page.match(/<\/style>/g)).toHaveLength(1);
});
