import { describe, expect, it } from 'vitest';
import { html } from './markup.ts';
import { pageOf, tableOf, verdict } from './page.ts';

it('a page has its own style after the common style, and begins with what, when, where and the command', () => {
  const page = pageOf({
    title: 'a < b',
    by: 'load',
    what: 'Four clients asked.',
    when: Date.UTC(2026, 10, 27, 17, 20, 10),
    where: 'Linux',
    command: 'npx mondo load <host>',
    body: html`<h2>x</h2>`,
    style: 'h1 { color: red }',
  });
  expect(page).toMatch(/^<!doctype html>\n<html lang="en">\n/);
  expect(page).toContain('<title>Mondo: a &lt; b</title>');
  const [, style] = /<style>(.*)<\/style>/s.exec(page)!;
  expect(style).toMatch(/color-scheme: light dark.*h1 \{ color: red \}$/s);
  const [, main] = /<main>\n(.*)\n<\/main>/s.exec(page)!;
  expect(main).toMatch(
    /^<header>.*<h1>a &lt; b<\/h1>.*<\/header>\n<h2>x<\/h2>\n<footer>.*<\/footer>$/s,
  );
  const [, header] = /<header>(.*)<\/header>/s.exec(page)!;
  expect(
    header!
      .replace(/<[^>]*>/g, ' ')
      .replace(/\s+/g, ' ')
      .trim(),
  ).toBe(
    'mondo load a &lt; b Four clients asked. When 2026-11-27 17:20:10 UTC Where Linux Command npx mondo load &lt;host&gt;',
  );
});

describe('the HTML layout of a table', () => {
  const table = { caption: 'c', head: ['who', 'n', 'why'], rows: [['epoll', '3', '<fast>']] };
  /** Each cell as `tag:class:text`. */
  const cells = (text: string) =>
    [...text.matchAll(/<(th|td)\b([^>]*)>(.*?)<\/\1>/g)].map(
      ([, tag, attributes, inner]) =>
        `${tag}${attributes!.includes('class="number"') ? ':r' : ':l'}:${inner}`,
    );

  it('has the heading, the alignment of `align`, and a heading for each row', () => {
    expect(cells(tableOf({ ...table, align: 'lrl' }).text)).toEqual([
      ...['th:l:who', 'th:r:n', 'th:l:why'],
      ...['th:l:epoll', 'td:r:3', 'td:l:&lt;fast&gt;'],
    ]);
    expect(cells(tableOf({ ...table, align: 'r' }).text).at(3)).toBe('td:r:epoll');
    expect(tableOf(table).text).not.toContain('number');
    expect(tableOf(table).text).toContain('<caption><span>c</span></caption>');
  });

  it('gives rows their ids, for links to them', () => {
    expect(tableOf(table, ['here']).text).toContain('<tr id="here"><th scope="row">epoll</th>');
  });
});

it('the words of a verdict say what its mark repeats, and a list follows only if there are reasons', () => {
  expect(verdict('bad', 'No', ['one', '<two>']).text).toBe(
    '<section class="verdict bad"><h2><span aria-hidden="true">✗</span> No</h2><ul><li>one</li><li>&lt;two&gt;</li></ul></section>',
  );
  expect(verdict('good', 'Yes', []).text).not.toContain('<ul>');
});
