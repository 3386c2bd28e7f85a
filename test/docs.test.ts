/** The pages in prose: what they point at is there, and what they say of the code is what the code says. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { describe, expect, it } from 'vitest';
import { architectureNames, loadArchitecture } from '../src/architectures/catalogue.ts';

const root = join(import.meta.dirname, '..');
const read = (name: string) => readFileSync(join(root, name), 'utf8');

const pagesIn = (folder: string, recursive = false): string[] =>
  readdirSync(join(root, folder), { recursive, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md'))
    .map((name) => join(folder, name));

/** All pages of the project, in whatever folder. */
const pages = readdirSync(root, { withFileTypes: true })
  .filter(({ name }) => !name.startsWith('.') && name !== 'node_modules' && name !== 'dist')
  .flatMap((entry) =>
    entry.isDirectory()
      ? pagesIn(entry.name, true)
      : entry.name.endsWith('.md')
        ? [entry.name]
        : [],
  );

/** What is shown as code points at nothing. */
const proseOf = (text: string) => text.replaceAll(/^```.*?^```/gms, '');

/** The names under which a page's headings can be linked to, as GitHub makes them. */
const anchorsOf = (text: string): string[] =>
  [...proseOf(text).matchAll(/^#+ (.*)$/gm)].map(([, heading]) =>
    heading!
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\-_ ]/gu, '')
      .replaceAll(' ', '-'),
  );

/** Where a page links to inside the project: `file`, `#anchor` or both. */
const linksOf = (page: string): string[] =>
  [...proseOf(read(page)).matchAll(/\]\(([^)\s]+)\)/g)]
    .map(([, link]) => link!)
    .filter((link) => !/^[a-z]+:/.test(link));

/** The other pages that a page links to; a folder stands for all pages in it. */
const neighboursOf = (page: string): string[] =>
  linksOf(page)
    .filter((link) => !link.startsWith('#'))
    .flatMap((link) => {
      const target = join(dirname(page), link.split('#')[0]!).replace(/\/$/, '');
      return pages.filter((name) => name === target || dirname(name) === target);
    });

describe.each(pages)('%s', (page) => {
  const links = linksOf(page);

  it('links to files and headings that are there', () => {
    const broken = links.filter((link) => {
      const [path = '', anchor] = link.split('#');
      const target = path === '' ? join(root, page) : join(root, dirname(page), path);
      if (!existsSync(target)) return true;
      return anchor !== undefined && !anchorsOf(readFileSync(target, 'utf8')).includes(anchor);
    });
    expect(broken).toEqual([]);
  });

  it('names commands of npm that there are', () => {
    const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> };
    const named = [...read(page).matchAll(/\bnpm run ([a-z-]+)/g)].map(([, name]) => name!);
    expect(named.filter((name) => scripts[name] === undefined)).toEqual([]);
  });
});

/** A line of code as `mondo trace` prints it, with the file and the line that it stands on. */
const TRACED = /^[ \d.]+(?:\[\d+\] )? *([a-z-]+\.ts)\((\d+)\): (.*)$/gm;
const sources = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' });

it.each(pages)('%s quotes code that stands where it says', (page) => {
  const wrong = [...read(page).matchAll(TRACED)].filter(([, file, line, text]) => {
    const [path] = sources.filter((name) => name.endsWith(`/${file}`));
    if (path === undefined) return true;
    const there = read(join('src', path)).split('\n')[Number(line) - 1] ?? '';
    // A summary cuts what is too long.
    return !there.trim().startsWith(text!.trim());
  });
  expect(wrong.map(([quoted]) => quoted)).toEqual([]);
});

describe('README.md', () => {
  const readme = read('README.md');

  it('leads to each page in at most two clicks', () => {
    const near = neighboursOf('README.md');
    const reached = new Set(['README.md', ...near, ...near.flatMap(neighboursOf)]);
    expect(pages.filter((page) => !reached.has(page))).toEqual([]);
  });

  it.each(architectureNames)('has the declaration of %s in its catalogue', async (name) => {
    const { chapter, processModel, ioModel, conversations, defeatedBy } =
      await loadArchitecture(name);
    const page = `docs/architectures/${name}.md`;
    const cells = [
      `[\`${name}\`](${page})`,
      ...[chapter, processModel, ioModel, conversations, defeatedBy],
    ];
    expect(readme.split('\n')).toContain(`| ${cells.join(' | ')} |`);
  });

  it('fits what is said of the pages: an architecture each, and no page besides', () => {
    const named = pagesIn('docs/architectures').map((page) => relative('docs/architectures', page));
    expect(named.toSorted()).toEqual(architectureNames.map((name) => `${name}.md`).toSorted());
  });
});

describe('ARCHITECTURE.md', () => {
  it('names files of the source that are there', () => {
    const [, table = ''] = read('ARCHITECTURE.md').split('## Where to look in the code');
    const files = [...table.split('\n## ')[0]!.matchAll(/`([a-z/-]+\.ts)`/g)].map(
      ([, file]) => file!,
    );
    expect(files.length).toBeGreaterThan(20);
    expect(files.filter((file) => !existsSync(join(root, 'src', file)))).toEqual([]);
  });
});

describe('docs/glossary.md', () => {
  const entries = read('docs/glossary.md').split('\n### ').slice(1);
  const terms = entries.map((entry) => entry.split('\n')[0]!);

  it('is in alphabetical order', () => {
    const sorted = terms.toSorted((a, b) => (a.toLowerCase() < b.toLowerCase() ? -1 : 1));
    expect(terms).toEqual(sorted);
  });

  it('has two sentences or three for each term', () => {
    const long = entries.filter((entry) => {
      const [, , ...text] = entry.split('\n');
      return text.join(' ').split(/\. (?=[A-Z`[])/).length > 3;
    });
    expect(long).toEqual([]);
  });
});
