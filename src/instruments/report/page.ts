/** The frame that all reports have: one HTML file without script, font or picture from elsewhere, in light and dark. */
import { plain } from './charts.ts';

export interface Table {
  readonly caption: string;
  readonly head: readonly string[];
  readonly rows: readonly (readonly string[])[];
  /** How many columns at the left are words; the others are figures, and stand at the right. Default 1. */
  readonly words?: number;
}

/** A whole page. `body` is HTML; what others wrote goes into it through `plain`. */
export const pageOf = (title: string, body: string): string => `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${plain(title)}</title>
<style>${style}</style>
<main>
${body}
</main>
</html>
`;

/** A chart with what it shows below it, and its figures behind a click. */
export function figure(svg: string, caption: string, figures?: Table): string {
  const below = figures === undefined ? '' : details('The figures', tableOf(figures));
  return `<figure><div class="wide">${svg}</div><figcaption>${plain(caption)}</figcaption>${below}</figure>`;
}

/** `body` is HTML. */
export const details = (summary: string, body: string): string =>
  `<details><summary>${plain(summary)}</summary>${body}</details>`;

export function tableOf({ caption, head, rows, words = 1 }: Table): string {
  const row = (cells: readonly string[]) =>
    cells
      .map((cell, i) =>
        i === 0
          ? `<th scope="row">${plain(cell)}</th>`
          : `<td${i < words ? '' : ' class="number"'}>${plain(cell)}</td>`,
      )
      .join('');
  const heads = head.map(
    (cell, i) => `<th scope="col"${i < words ? '' : ' class="number"'}>${plain(cell)}</th>`,
  );
  return `<div class="wide"><table><caption>${plain(caption)}</caption>
<thead><tr>${heads.join('')}</tr></thead>
<tbody>
${rows.map((cells) => `<tr>${row(cells)}</tr>`).join('\n')}
</tbody></table></div>`;
}

/** The few figures that are read first. */
export const tiles = (all: readonly (readonly [name: string, value: string, note?: string])[]) =>
  `<dl class="tiles">${all
    .map(
      ([name, value, note]) =>
        `<div><dt>${plain(name)}</dt><dd>${plain(value)}</dd>${note === undefined ? '' : `<dd class="note">${plain(note)}</dd>`}</div>`,
    )
    .join('')}</dl>`;

/** What the whole is to be taken for, in a box: `kind` repeats by its mark and its edge what the words say. */
export const verdict = (kind: 'good' | 'bad' | 'open', title: string, lines: readonly string[]) =>
  `<section class="verdict ${kind}"><h2><span aria-hidden="true">${{ good: '✓', bad: '✗', open: '!' }[kind]}</span> ${plain(title)}</h2>${
    lines.length > 0 ? `<ul>${lines.map((line) => `<li>${plain(line)}</li>`).join('')}</ul>` : ''
  }</section>`;

const style = `
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
main { max-width: 66rem; margin: 0 auto; padding: 2rem 1rem 4rem; }
main > p, main > ul, main > ol, main > dl { max-width: 46rem; }
main > .tiles { max-width: none; }
h1 { font-size: 1.7rem; line-height: 1.25; margin: 0 0 .5rem; } h2 { font-size: 1.2rem; margin: 2.6rem 0 .5rem; } h3 { font-size: 1rem; margin: 1.6rem 0 .3rem; }
code { font: .9em ui-monospace, monospace; overflow-wrap: anywhere; }
pre { overflow-x: auto; font: .82rem/1.45 ui-monospace, monospace; white-space: pre-wrap; overflow-wrap: anywhere; }
.soft { color: var(--soft); font-size: .9rem; }
.wide { overflow-x: auto; }
figure { margin: 1.2rem 0; } figcaption { color: var(--soft); font-size: .9rem; max-width: 46rem; margin-top: .2rem; }
figure svg { display: block; width: 100%; min-width: 44rem; height: auto; }
details { margin: .4rem 0; font-size: .9rem; } summary { cursor: pointer; color: var(--soft); }
table { border-collapse: collapse; min-width: min(100%, 30rem); font-size: .88rem; margin: .6rem 0 1rem; font-variant-numeric: tabular-nums; }
caption { text-align: left; color: var(--soft); padding-bottom: .4rem; max-width: 46rem; }
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
