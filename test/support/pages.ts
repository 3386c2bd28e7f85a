/** Report pages as a reader sees them: their headings, tables and charts, and whether the page is valid. */
import { expect } from 'vitest';

const texts: Readonly<Record<string, string>> = {
  lt: '<',
  gt: '>',
  quot: '"',
  '#39': "'",
  amp: '&',
};

/** Text without its markup. */
const readable = (markup: string): string =>
  markup.replace(/<[^>]*>/g, '').replace(/&(lt|gt|quot|#39|amp);/g, (_, name) => texts[name]!);

export interface SeenTable {
  readonly caption: string;
  readonly head: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

export const tablesIn = (page: string): SeenTable[] =>
  [...page.matchAll(/<table[^>]*>(.*?)<\/table>/gs)].map(([, table]) => {
    const rows = [...table!.matchAll(/<tr[^>]*>(.*?)<\/tr>/gs)].map(([, row]) =>
      [...row!.matchAll(/<(th|td)\b[^>]*>(.*?)<\/\1>/gs)].map(([, , cell]) => readable(cell!)),
    );
    const [head = [], ...body] = rows;
    const caption = readable(/<caption>(.*?)<\/caption>/s.exec(table!)?.[1] ?? '');
    return { caption, head, rows: body };
  });

/** The one table whose caption begins with these words. */
export function tableIn(page: string, caption: string): SeenTable {
  const found = tablesIn(page).filter((one) => one.caption.startsWith(caption));
  expect(found.map((one) => one.caption)).toHaveLength(1);
  return found[0]!;
}

/** Headings of both levels, in their order. */
export const headingsIn = (page: string): string[] =>
  [...page.matchAll(/<h[12]>(.*?)<\/h[12]>/gs)].map(([, text]) => readable(text!));

/** The large numbers, by name. */
export const tilesIn = (page: string): Record<string, string> =>
  Object.fromEntries(
    [
      ...page.replace(/<header>.*?<\/header>/s, '').matchAll(/<dt>(.*?)<\/dt><dd>(.*?)<\/dd>/gs),
    ].map(([, name, value]) => [readable(name!), readable(value!)]),
  );

export interface SeenChart {
  readonly title: string;
  readonly description: string;
  readonly svg: string;
  /** All texts of the chart: axes, names of lines, values. */
  readonly texts: readonly string[];
}

export const chartsIn = (page: string): SeenChart[] =>
  [...page.matchAll(/<svg.*?<\/svg>/gs)].map(([svg]) => ({
    svg,
    title: readable(/<title id[^>]*>(.*?)<\/title>/s.exec(svg)?.[1] ?? ''),
    description: readable(/<desc[^>]*>(.*?)<\/desc>/s.exec(svg)?.[1] ?? ''),
    texts: [...svg.matchAll(/<text[^>]*>(.*?)<\/text>/gs)].map(([, text]) => readable(text!)),
  }));

/** Checks for faults that a browser repairs silently: unclosed tags, duplicate ids, references to nothing. */
export function expectSound(page: string): void {
  expect(page).not.toMatch(/<script|<link|<img|@import|javascript:|\son\w+=/i);
  const urls = [...page.matchAll(/\b(?:https?:)?\/\/[^\s"'<)]+/g)].map(([url]) => url);
  expect(
    urls.filter((url) => !/^http:\/\/www\.w3\.org\/(2000\/svg|1999\/xlink)$/.test(url)),
  ).toEqual([]);
  const ids = [...page.matchAll(/\sid="([^"]+)"/g)].map(([, id]) => id!);
  expect(ids.length).toBe(new Set(ids).size);
  const used = [...page.matchAll(/url\(#([^)]+)\)|href="#([^"]+)"/g)].map(([, a, b]) => a ?? b!);
  const labels = [...page.matchAll(/aria-labelledby="([^"]+)"/g)].flatMap(([, all]) =>
    all!.split(' '),
  );
  expect([...used, ...labels].filter((id) => !ids.includes(id))).toEqual([]);
  expect(page).not.toMatch(/NaN|Infinity|undefined|\[object/);
  // Every colour that is used is defined in the page.
  const colours = [...page.matchAll(/var\((--[\w-]+)\)/g)].map(([, name]) => name!);
  expect([...new Set(colours)].filter((name) => !page.includes(`${name}: `))).toEqual([]);
  const single = new Set(['meta', '!doctype']);
  const stack: string[] = [];
  const body = page.replace(/<style>.*?<\/style>/gs, '');
  for (const [, close, name, self] of body.matchAll(
    /<(\/?)([a-zA-Z!][\w]*)(?:\s[^<>]*?)?(\/?)>/g,
  )) {
    if (single.has(name!.toLowerCase()) || self === '/') continue;
    if (close === '') stack.push(name!);
    else expect(stack.pop()).toBe(name);
  }
  expect(stack).toEqual([]);
  // In a table, each row has as many cells as there are headings.
  for (const { head, rows } of tablesIn(page)) {
    expect(rows.filter((row) => row.length !== head.length)).toEqual([]);
  }
}
