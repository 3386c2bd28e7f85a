/**
 * The frame of every report page: one HTML file in light and dark, without script and without
 * external fonts or pictures. Every page begins with what was run, when, where and by which command.
 */
import { commandLine } from './command-line.ts';
import { html, joined, type Markup, type Part, trusted } from './markup.ts';
import { isNumber, type Table } from './table.ts';

export interface Page {
  readonly title: string;
  /** The instrument that measured, such as `compare`. */
  readonly by: 'trace' | 'load' | 'compare' | 'siege';
  /** What was run, in a sentence or two. */
  readonly what: Part;
  /** Start of the run, in ms since 1970. */
  readonly when?: number | undefined;
  /** The machine and its software. */
  readonly where?: string | undefined;
  /** The command that makes such a page again; default: the one that is running. */
  readonly command?: string | undefined;
  readonly body: Part;
  /** CSS of this kind of page, after the common style. */
  readonly style?: string;
}

/** @returns the text of an HTML file */
export const pageOf = (page: Page): string =>
  `${html`<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Mondo: ${page.title}</title>
<style>${trusted(common)}${trusted(page.style ?? '')}</style>
<main>
${headerOf(page)}
${page.body}
${footerOf(page)}
</main>
</html>
`}`;

function headerOf({ title, by, what, when, where, command = commandLine() }: Page): Markup {
  const facts: [name: string, value: Part][] = [
    ...(when === undefined ? [] : [['When', dateText(when)] as [string, Part]]),
    ...(where === undefined ? [] : [['Where', where] as [string, Part]]),
    ...(command === undefined
      ? []
      : [['Command', html`<code>${command}</code>`] as [string, Part]]),
  ];
  return html`<header><p class="by">mondo ${by}</p>
<h1>${title}</h1>
<p>${what}</p>
<dl class="facts">${facts.map(([name, value]) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`)}</dl></header>`;
}

/** Where the page's terms are explained, by instrument. */
const GUIDES = {
  trace: 'docs/trace.md',
  load: 'docs/measuring.md',
  compare: 'docs/measuring.md',
  siege: 'docs/robustness.md',
} as const;

const footerOf = ({ by }: Page): Markup =>
  html`<footer>Made by <code>mondo ${by}</code>. The file <code>${GUIDES[by]}</code> of Mondo explains what stands here, and <code>docs/glossary.md</code> its terms.</footer>`;

/** `2026-11-27 17:20:10 UTC` */
const dateText = (ms: number): string =>
  `${new Date(ms).toISOString().slice(0, 19).replace('T', ' ')} UTC`;

/** A chart with its caption. A click shows the numbers of the chart. */
export const figure = (svg: Markup, caption: string, figures?: Table): Markup =>
  html`<figure><div class="wide">${svg}</div><figcaption>${caption}</figcaption>${figures && details('The figures', tableOf(figures))}</figure>`;

export const details = (summary: string, body: Part): Markup =>
  html`<details><summary>${summary}</summary>${body}</details>`;

/**
 * The HTML layout of a table. The first cell of each row is its heading.
 *
 * @param ids ids of the rows, for links to them
 */
export function tableOf(table: Table, ids: readonly string[] = []): Markup {
  const { caption, head, rows } = table;
  const side = (column: number) => (isNumber(table, column) ? html` class="number"` : undefined);
  const row = (cells: readonly string[], index: number) =>
    html`<tr${ids[index] === undefined ? undefined : html` id="${ids[index]}"`}>${cells.map(
      (cell, i) =>
        i === 0 && !isNumber(table, 0)
          ? html`<th scope="row">${cell}</th>`
          : html`<td${side(i)}>${cell}</td>`,
    )}</tr>`;
  const heads = head.map((cell, i) => html`<th scope="col"${side(i)}>${cell}</th>`);
  return html`<div class="wide"><table><caption><span>${caption}</span></caption>
<thead><tr>${heads}</tr></thead>
<tbody>
${joined(rows.map(row), '\n')}
</tbody></table></div>`;
}

export const listOf = (items: readonly Part[]): Markup =>
  html`<ul>${items.map((item) => html`<li>${item}</li>`)}</ul>`;

/** The most important numbers, in large type. */
export const tiles = (all: readonly (readonly [name: string, value: string, note?: string])[]) =>
  html`<dl class="tiles">${all.map(
    ([name, value, note]) =>
      html`<div><dt>${name}</dt><dd>${value}</dd>${note === undefined ? undefined : html`<dd class="note">${note}</dd>`}</div>`,
  )}</dl>`;

const MARKS = { good: '✓', bad: '✗', open: '!' } as const;

/**
 * The verdict on the whole run, in a box. The mark and the edge of `kind` only repeat the words.
 */
export const verdict = (kind: keyof typeof MARKS, title: string, lines: readonly Part[]) =>
  html`<section class="verdict ${kind}"><h2><span aria-hidden="true">${MARKS[kind]}</span> ${title}</h2>${lines.length > 0 ? listOf(lines) : undefined}</section>`;

const common = `
:root { color-scheme: light dark;
  --back: light-dark(#fdfdfb, #191917); --text: light-dark(#20201c, #ecece4);
  --soft: light-dark(#62625a, #a8a89f); --line: light-dark(#e3e3dd, #35352f);
  --good: light-dark(#1d7a3e, #7fd39a); --bad: light-dark(#b3261e, #ff9a8f); --open: light-dark(#8a5a00, #f0c060);
  --look-1: light-dark(#0b5fa5, #6cb6ff); --look-2: light-dark(#b5480a, #ffa35c); --look-3: light-dark(#0a7a55, #4fd1a1);
  --look-4: light-dark(#a3307a, #f293cf); --look-5: light-dark(#6a4bc4, #b9a3ff); --look-6: light-dark(#7a6200, #dcc451);
  --look-7: light-dark(#b3261e, #ff9a8f); --look-8: light-dark(#3f5a66, #a9c3cf);
  --heat-1: light-dark(#d9e8f5, #17324a); --heat-2: light-dark(#a9cdea, #1f4f77); --heat-3: light-dark(#6fabd9, #2b70a6);
  --heat-4: light-dark(#3b83bd, #4c97d0); --heat-5: light-dark(#1a5a92, #8cc2ec); --heat-6: light-dark(#0a3258, #dcefff); }
* { box-sizing: border-box; }
body { margin: 0; background: var(--back); color: var(--text); font: 16px/1.5 system-ui, sans-serif; }
main { max-width: 74rem; margin: 0 auto; padding: 2rem 1rem 4rem; }
main > p, main > ul, main > ol, main > dl { max-width: 46rem; }
main > .tiles { max-width: none; }
h1 { font-size: 1.7rem; line-height: 1.25; margin: 0 0 .5rem; } h2 { font-size: 1.2rem; margin: 2.6rem 0 .5rem; } h3 { font-size: 1rem; margin: 1.6rem 0 .3rem; }
code { font: .9em ui-monospace, monospace; overflow-wrap: anywhere; }
pre { overflow-x: auto; font: .82rem/1.45 ui-monospace, monospace; white-space: pre-wrap; overflow-wrap: anywhere; }
header .by { margin: 0; color: var(--soft); font: .9rem ui-monospace, monospace; }
header > p { max-width: 46rem; }
.facts { margin: .6rem 0 1.4rem; padding: .5rem 0; border-block: 1px solid var(--line); font-size: .9rem; max-width: none; }
.facts div { display: grid; grid-template-columns: 5rem minmax(0, 1fr); } .facts dt { color: var(--soft); font-weight: 400; margin: 0; } .facts dd { margin: 0; overflow-wrap: anywhere; }
footer { margin-top: 3rem; padding-top: .6rem; border-top: 1px solid var(--line); color: var(--soft); font-size: .85rem; }
.soft { color: var(--soft); font-size: .9rem; }
/* A shadow at an edge shows that there is more to scroll to. */
.wide { overflow-x: auto; background:
  linear-gradient(to right, var(--back) 30%, transparent) left / 3rem 100% local, linear-gradient(to left, var(--back) 30%, transparent) right / 3rem 100% local,
  linear-gradient(to right, var(--line), transparent) left / 1rem 100% scroll, linear-gradient(to left, var(--line), transparent) right / 1rem 100% scroll; background-repeat: no-repeat; }
figure { margin: 1.2rem 0; } figcaption { color: var(--soft); font-size: .9rem; max-width: 46rem; margin-top: .2rem; }
figure svg { display: block; width: 100%; min-width: 44rem; height: auto; }
details { margin: .4rem 0; font-size: .9rem; } summary { cursor: pointer; color: var(--soft); }
table { border-collapse: collapse; min-width: min(100%, 30rem); font-size: .88rem; margin: .6rem 0 1rem; font-variant-numeric: tabular-nums; }
caption { text-align: left; color: var(--soft); padding-bottom: .4rem; }
caption span { display: block; position: sticky; left: 0; max-width: min(60rem, 100vw - 2rem); }
th, td { text-align: left; vertical-align: top; padding: .2rem 1.1rem .2rem 0; border-bottom: 1px solid var(--line); }
th { font-weight: 600; } tbody th { font-weight: 500; white-space: nowrap; }
.number { text-align: right; white-space: nowrap; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(9.5rem, 1fr)); gap: 1px; margin: 1.2rem 0; padding: 0;
  background: var(--line); border: 1px solid var(--line); border-radius: .4rem; overflow: hidden; }
.tiles div { background: var(--back); padding: .6rem .8rem; }
.tiles dt { color: var(--soft); font-size: .85rem; } .tiles dd { margin: 0; font-size: 1.35rem; font-weight: 600; font-variant-numeric: tabular-nums; }
.tiles dd.note { font-size: .82rem; font-weight: 400; color: var(--soft); }
.verdict { border: 1px solid; border-left-width: .4rem; border-radius: .3rem; padding: .7rem 1rem; margin: 1.2rem 0; max-width: 46rem; }
.verdict h2 { margin: 0; font-size: 1.05rem; } .verdict ul { margin: .3rem 0 0; padding-left: 1.2rem; color: var(--text); }
.verdict.good { border-color: var(--good); } .verdict.bad { border-color: var(--bad); border-style: double; border-width: 4px 4px 4px .6rem; } .verdict.open { border-color: var(--open); border-style: dashed; border-left-width: .4rem; }
.good h2 span { color: var(--good); } .bad h2 span { color: var(--bad); } .open h2 span { color: var(--open); }
@media print { :root { color-scheme: light; } main { padding: 0; } figure, .verdict { break-inside: avoid; } }
@media (forced-colors: active) { figure svg { forced-color-adjust: none; background: var(--back); } }
`;
