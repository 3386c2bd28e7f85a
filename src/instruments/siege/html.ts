/** The matrix as one self-contained page. The letters say everything; colour only repeats it. */
import { mebibytes, several, time } from '../report/figures.ts';
import { html, joined, type Markup, type Part } from '../report/markup.ts';
import { details, listOf, pageOf, tableOf } from '../report/page.ts';
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
    title: 'Server architectures under siege',
    by: 'siege',
    what: html`One kind of hostile client at a time attacked each server, for ${time(report.duration)} each. ${'At the same time an honest client came ten times a second and wanted three answers within a second. '}${on.length > 0 ? `With limits on, ${stood} of ${on.length} servers got A or B.` : ''}`,
    when: Date.parse(report.at),
    where: `${several(machine.cpus, 'processor')}, Linux ${machine.kernel}, Node ${machine.node}; load ${machine.load.map((load) => load.toFixed(1)).join(' before, ')} after`,
    style,
    body: html`<h2>The key</h2>
<p>${
      modes.length === 2
        ? 'In each place the first letter is for a server without any limits. The second letter is for one with all of them.'
        : `All servers had limits ${modes[0]}.`
    } A letter leads to its measurements.</p>
<dl class="key">${report.rule.flatMap(keyOf)}
${excusesOf(cells).map(
  ({ reason, whose }) =>
    html`<dt>*</dt><dd>The architecture cannot survive it by design (${whose.join(', ')}): ${reason}.</dd>`,
)}
<dt>·</dt><dd>The attack is not meant for this architecture, or could not run.</dd></dl>
<h2>Grade of each attack</h2>
${matrixOf(report, 'How well the server answered honest clients during the attack and after it', (cell) => letter(mark(cell), cell, describe(cell)))}
${details(
  'How well the server stopped while the attack went on',
  html`<p>${sentence(drainRule)}</p>${matrixOf(report, 'Grade of the drain under each attack', (cell) => letter(drainMark(cell), cell, drainText(cell)))}`,
)}

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

<h2>The limits</h2>
<p>These limits were on:</p>
<pre>${limitsText(report)}</pre>`,
  });
}

/** A line of the rule as a term and its sentence: a grade, `At most C`, or `Void (-)`. */
function keyOf(line: string): Markup[] {
  const [, term = '', text = ''] = /^([A-F](?= {2})|[^:]+(?=:)):?\s+(.*)$/s.exec(line) ?? [];
  const kind = term.length === 1 ? html` class="grade-${term}"` : undefined;
  return [html`<dt${kind}>${term}</dt><dd>${sentence(text)}</dd>`];
}

const sentence = (text: string): string => `${text.slice(0, 1).toUpperCase()}${text.slice(1)}.`;

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
<caption><span>${caption}</span></caption>
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
.matrix { font-size: .86rem; } 
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
.grade-A { background: #a8d8b0; } .grade-B { background: #d3e5a0; } .grade-C { background: #f4de8a; }
.grade-D { background: #f6bd84; } .grade-E { background: #f19b8b; } .grade-F { background: #d9534f; color: #fff; }
.matrix a.void { background: none; color: var(--text); border: 1px dashed var(--soft); }
.key { display: grid; grid-template-columns: max-content 1fr; gap: .25rem .8rem; align-items: start; max-width: 60rem; }
.key dt { margin: 0; justify-self: start; min-width: 1.75rem; text-align: center; border-radius: .2rem; padding: 0 .3rem; } .key dt:not([class]) { text-align: left; }
dt[class] { color: #16160f; }
dt { font-weight: 600; margin-top: .6rem; } dd { margin: 0; } dd em { color: var(--soft); font-style: normal; }
.all :is(th, td) { padding-right: .8rem; }
.all td:nth-child(2) { white-space: nowrap; } .all td:nth-child(4) { font-weight: 650; }
.all :is(td:nth-child(5), td:nth-child(n+15)) { min-width: 14rem; }
.all tr:target { background: light-dark(#fff3c4, #4a4220); }
pre { color: var(--soft); }
@media (prefers-color-scheme: dark) { .matrix a { filter: brightness(.86); } .matrix a.void { filter: none; } }
`;
