/** The matrix as one self-contained page. The letters say everything; colour only repeats it. */
import { mebibytes, time } from '../report/figures.ts';
import { html, joined, type Markup, type Part } from '../report/markup.ts';
import { listOf, pageOf, tableOf } from '../report/page.ts';
import type { Table } from '../report/table.ts';
import { attacks } from './attacks.ts';
import type { Cell } from './cell.ts';
import { drainRule, intensityText } from './grade.ts';
import type { Report } from './siege.ts';
import { drainMark, drainText, endedText, excusesOf, mark, titleOf } from './words.ts';

/** @returns the text of an HTML file */
export function htmlPage(report: Report): string {
  const { cells, machine, missing } = report;
  const modes = modesOf(report);
  const used = attacks.filter(({ name }) => cells.some(({ attack }) => attack === name));
  const on = cells.filter(({ limits }) => limits === 'on');
  const stood = on.filter(({ grade }) => grade === 'A' || grade === 'B').length;
  return pageOf({
    title: 'Mondo under siege',
    style,
    body: html`<h1>Mondo under siege</h1>
<p>One kind of hostile client at a time, at each server architecture, while an honest client comes ten times a second
and wants three answers within a second. ${
      modes.length === 2
        ? 'In each place the first letter is for a server without any limits, the second for one with all of them.'
        : `Limits are ${modes[0]}.`
    }${on.length > 0 ? ` With limits on, ${stood} of ${on.length} are A or B.` : ''}</p>
${matrixOf(report, 'Grade of each attack', (cell) => letter(mark(cell), cell, describe(cell)))}
<ul class="notes">
${excusesOf(cells).map(
  ({ reason, whose }) =>
    html`<li><b>*</b> cannot be survived by design (${whose.join(', ')}): ${reason}</li>`,
)}
<li><b>·</b> the attack is not meant for it, or could not be run</li>
</ul>
${matrixOf(report, `While the attack goes on, ${drainRule}`, (cell) => letter(drainMark(cell), cell, drainText(cell)))}

<h2>The rule</h2>
<div class="notes">${listOf(report.rule)}</div>

<h2>The attacks</h2>
<dl>${used.map(({ title, what, stoppedBy }) => html`<dt>${title}</dt><dd>${what} <em>Stopped by:</em> ${stoppedBy}.</dd>`)}</dl>

<h2>All measurements</h2>
<div class="all">${tableOf(measurements(cells), cells.map(idOf))}</div>
${
  missing.length === 0
    ? undefined
    : html`<h2>Not run</h2>${listOf(
        missing.map(
          ({ architecture, attack, limits, error }) =>
            `${architecture}, ${titleOf(attack)}, limits ${limits}: ${error}`,
        ),
      )}`
}

<h2>Where and how</h2>
<p>${report.at}; ${machine.cpus} processors, Linux ${machine.kernel}, Node ${machine.node}; load
${machine.load.map((load) => load.toFixed(1)).join(' before, ')} after. Each attack went on for ${time(report.duration)}.
The limits that were on:</p>
<pre>${limitsText(report)}</pre>`,
  });
}

const modesOf = ({ cells }: Report) => [...new Set(cells.map(({ limits }) => limits))];

/**
 * A row for each attack and a column for each architecture. Each letter links to the measurements
 * of its cell.
 */
function matrixOf(report: Report, caption: string, link: (cell: Cell) => Markup): Markup {
  const { cells } = report;
  const architectures = [...new Set(cells.map(({ architecture }) => architecture))];
  const used = attacks.filter(({ name }) => cells.some(({ attack }) => attack === name));
  const place = (attack: string, architecture: string): Part => {
    const own = modesOf(report).map((mode) =>
      cells.find(
        (cell) =>
          cell.attack === attack && cell.architecture === architecture && cell.limits === mode,
      ),
    );
    if (own.every((cell) => cell === undefined)) return html`<td class="none">·</td>`;
    return html`<td>${own.map((cell) => (cell === undefined ? GAP : link(cell)))}</td>`;
  };
  const rows = used.map(
    ({ name, title, what }) =>
      html`<tr><th scope="row" title="${what}">${title}</th>${architectures.map((one) => place(name, one))}</tr>`,
  );
  return html`<div class="wide"><table class="matrix">
<caption>${caption}</caption>
<thead><tr><th scope="col">attack</th>${architectures.map((name) => html`<th scope="col"><span>${name}</span></th>`)}</tr></thead>
<tbody>
${joined(rows, '\n')}
</tbody></table></div>`;
}

/** Fills the width of a grade where a cell has only one. */
const GAP = html`<span class="gap">·</span>`;

const idOf = ({ architecture, attack, limits }: Cell) => `${architecture}-${attack}-${limits}`;

const letter = (text: string, cell: Cell, title: string): Markup =>
  html`<a class="${kind(text)}" href="#${idOf(cell)}" title="${title}">${text}</a>`;

const kind = (text: string) => (text[0] === '-' ? 'void' : `grade-${text[0]}`);

const describe = (cell: Cell) =>
  `limits ${cell.limits}${cell.reasons.length > 0 ? `: ${cell.reasons.join('; ')}` : ''}`;

const columns: readonly (readonly [heading: string, text: (cell: Cell) => string])[] = [
  ['architecture', ({ architecture }) => architecture],
  ['attack', ({ attack }) => titleOf(attack)],
  ['limits', ({ limits }) => limits],
  ['grade', mark],
  ['why', ({ reasons }) => reasons.join('; ')],
  ['answered', ({ probes }) => `${probes.answered} of ${probes.sent}`],
  ['recovered', ({ recovery }) => (recovery === undefined ? 'no' : `${recovery} ms`)],
  ['memory', ({ peakMemory, calmMemory }) => `${mebibytes(peakMemory)} (${mebibytes(calmMemory)})`],
  ['descriptors', ({ peakDescriptors }) => String(peakDescriptors)],
  ['threads', ({ peakThreads }) => String(peakThreads)],
  ['processors', ({ cores }) => cores.toFixed(2)],
  ['wrong', ({ wrong }) => String(wrong)],
  ['log lines', ({ lines }) => String(lines)],
  [
    'alive',
    ({ isAlive, deaths }) =>
      isAlive ? (deaths > 0 ? `yes, ${deaths} workers died` : 'yes') : 'no',
  ],
  ['intensity', ({ intensity }) => intensityText(intensity)],
  ['ended', ({ ended }) => endedText(ended)],
  ['drain', (cell) => `${drainMark(cell)}: ${drainText(cell)}`],
];

const measurements = (cells: readonly Cell[]): Table => ({
  caption:
    'Answered: honest clients that had their answers in time. Memory: what all processes of the server had written at the worst moment, and before the attack. Processors: kept busy during the attack, on average. Ended: connections that a limit closed or refused.',
  head: columns.map(([heading]) => heading),
  rows: cells.map((cell) => columns.map(([, text]) => text(cell))),
  align: 'lllllrrrrrrrrllll',
});

/** Limits that all architectures share are listed once, the others by architecture. */
function limitsText({ limits }: Report): string {
  const sets = Object.entries(limits).map(([name, set]) => [name, Object.entries(set)] as const);
  const [, first = []] = sets[0] ?? [];
  const isCommon = ([key, value]: [string, unknown]) =>
    sets.every(([, set]) => set.some(([k, v]) => k === key && String(v) === String(value)));
  const shown = (entries: readonly [string, unknown][]) =>
    entries.map(([key, value]) => `${key} ${value}`).join(', ');
  const isSet = ([, value]: [string, unknown]) => value !== 0 && String(value) !== '';
  return [
    `all: ${shown(first.filter(isCommon).filter(isSet))}`,
    ...sets.map(([name, set]) => `${name}: ${shown(set.filter((entry) => !isCommon(entry)))}`),
  ].join('\n');
}

const style = `
main { max-width: 76rem; }
.matrix { font-size: .86rem; } .matrix caption { max-width: none; }
.matrix td, .matrix th { padding: .14rem .22rem; text-align: center; white-space: nowrap; vertical-align: middle; }
.matrix th[scope=row] { text-align: left; position: sticky; left: 0; background: var(--back); padding-right: .8rem; }
.matrix thead th { font-weight: 500; vertical-align: bottom; height: 6.4rem; }
.matrix thead th:first-child { text-align: left; }
.matrix thead span { writing-mode: vertical-rl; transform: rotate(180deg); }
.matrix a { display: inline-block; min-width: 1.75rem; padding: .05rem .2rem; margin: 0 1px; border-radius: .2rem; font-weight: 650;
  text-decoration: none; color: #16160f; font-variant-numeric: tabular-nums; }
.matrix a:hover, .matrix a:focus-visible { outline: 2px solid var(--text); outline-offset: 1px; }
.none, .matrix .gap { color: var(--soft); }
.matrix .gap { display: inline-block; min-width: 1.75rem; margin: 0 1px; }
a.grade-A { background: #a8d8b0; } a.grade-B { background: #d3e5a0; } a.grade-C { background: #f4de8a; }
a.grade-D { background: #f6bd84; } a.grade-E { background: #f19b8b; } a.grade-F { background: #d9534f; color: #fff; }
.matrix a.void { background: none; color: var(--text); border: 1px dashed var(--soft); }
.notes, .notes ul { list-style: none; padding: 0; margin: .3rem 0; font-size: .9rem; max-width: 46rem; } .notes li { margin: .15rem 0; white-space: pre-line; }
dt { font-weight: 600; margin-top: .6rem; } dd { margin: 0; } dd em { color: var(--soft); font-style: normal; }
.all :is(th, td) { padding-right: .8rem; }
.all td:nth-child(2) { white-space: nowrap; } .all td:nth-child(4) { font-weight: 650; }
.all :is(td:nth-child(5), td:nth-child(n+15)) { min-width: 14rem; }
.all tr:target { background: light-dark(#fff3c4, #4a4220); }
pre { color: var(--soft); }
@media (prefers-color-scheme: dark) { .matrix a { filter: brightness(.86); } .matrix a.void { filter: none; } }
`;
