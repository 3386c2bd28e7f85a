/** The matrix as one page that needs nothing else: no script, no font, no picture. Letters say it all; colour only repeats them. */
import { attacks } from './attacks.ts';
import type { Cell } from './cell.ts';
import { drainRule, intensityText, seconds } from './grade.ts';
import type { Report } from './siege.ts';
import { drainMark, drainText, endedText, excusesOf, mark, mib, titleOf } from './words.ts';

export function htmlPage(report: Report): string {
  const { cells, machine, missing } = report;
  const architectures = [...new Set(cells.map(({ architecture }) => architecture))];
  const modes = [...new Set(cells.map(({ limits }) => limits))];
  const used = attacks.filter(({ name }) => cells.some(({ attack }) => attack === name));
  const on = cells.filter(({ limits }) => limits === 'on');
  const stood = on.filter(({ grade }) => grade === 'A' || grade === 'B').length;
  const excused = excusesOf(cells);

  const matrix = (caption: string, link: (cell: Cell) => string) => `
<div class="wide"><table class="matrix">
<caption>${plain(caption)}</caption>
<thead><tr><th scope="col">attack</th>${architectures.map((name) => `<th scope="col"><span>${name}</span></th>`).join('')}</tr></thead>
<tbody>
${used
  .map(
    ({ name, title, what }) =>
      `<tr><th scope="row" title="${plain(what)}">${plain(title)}</th>${architectures
        .map((architecture) => {
          const own = modes.map((mode) =>
            cells.find(
              (cell) =>
                cell.attack === name && cell.architecture === architecture && cell.limits === mode,
            ),
          );
          if (own.every((cell) => cell === undefined)) return '<td class="none">·</td>';
          return `<td>${own.map((cell) => (cell === undefined ? GAP : link(cell))).join('')}</td>`;
        })
        .join('')}</tr>`,
  )
  .join('\n')}
</tbody></table></div>`;

  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Mondo under siege</title>
<style>${style}</style>
<main>
<h1>Mondo under siege</h1>
<p>One kind of hostile client at a time, at each server architecture, while an honest client comes ten times a second
and wants three answers within a second. ${
    modes.length === 2
      ? 'In each place the first letter is for a server without any limits, the second for one with all of them.'
      : `Limits are ${modes[0]}.`
  }${on.length > 0 ? ` With limits on, ${stood} of ${on.length} are A or B.` : ''}</p>
${matrix('Grade of each attack', (cell) => letter(mark(cell), cell, describe(cell)))}
<ul class="notes">
${excused.map(({ reason, whose }) => `<li><b>*</b> cannot be survived by design (${plain(whose.join(', '))}): ${plain(reason)}</li>`).join('\n')}
<li><b>·</b> the attack is not meant for it, or could not be run</li>
</ul>
${matrix(`While the attack goes on, ${drainRule}`, (cell) => letter(drainMark(cell), cell, drainText(cell)))}

<h2>The rule</h2>
<ul class="rule">${report.rule.map((line) => `<li>${plain(line)}</li>`).join('')}</ul>

<h2>The attacks</h2>
<dl>${used.map(({ title, what, stoppedBy }) => `<dt>${plain(title)}</dt><dd>${plain(what)} <em>Stopped by:</em> ${plain(stoppedBy)}.</dd>`).join('\n')}</dl>

<h2>All measurements</h2>
<p>Answered: of the honest clients, in time. Memory: what all processes of the server had written, at the worst, and
before the attack. Processors: kept busy during the attack, on average. Ended: whom a limit ended or refused.</p>
<div class="wide"><table class="all">
<thead><tr>${headings.map((text) => `<th scope="col">${text}</th>`).join('')}</tr></thead>
<tbody>
${cells.map(measurements).join('\n')}
</tbody></table></div>
${missing.length > 0 ? `<h2>Not run</h2><ul>${missing.map(({ architecture, attack, limits, error }) => `<li>${architecture}, ${plain(titleOf(attack))}, limits ${limits}: ${plain(error)}</li>`).join('')}</ul>` : ''}

<h2>Where and how</h2>
<p>${plain(report.at)}; ${machine.cpus} processors, Linux ${plain(machine.kernel)}, Node ${plain(machine.node)}; load
${machine.load.map((load) => load.toFixed(1)).join(' before, ')} after. Each attack went on for ${seconds(report.duration)}.
The limits that were on:</p>
<pre>${plain(limitsText(report))}</pre>
</main>
</html>
`;
}

/** As wide as a grade, where there is none beside one. */
const GAP = '<span class="gap">·</span>';

const idOf = ({ architecture, attack, limits }: Cell) => `${architecture}-${attack}-${limits}`;

const letter = (text: string, cell: Cell, title: string) =>
  `<a class="${kind(text)}" href="#${idOf(cell)}" title="${plain(title)}">${text}</a>`;

const kind = (text: string) => (text[0] === '-' ? 'void' : `grade-${text[0]}`);

const describe = (cell: Cell) =>
  `limits ${cell.limits}${cell.reasons.length > 0 ? `: ${cell.reasons.join('; ')}` : ''}`;

const headings = [
  'architecture',
  'attack',
  'limits',
  'grade',
  'why',
  'answered',
  'well again',
  'memory',
  'descriptors',
  'threads',
  'processors',
  'wrong',
  'log lines',
  'alive',
  'intensity',
  'ended',
  'drain',
];

function measurements(cell: Cell): string {
  const { probes, recovery, intensity, grade, deaths } = cell;
  const texts = [
    cell.architecture,
    titleOf(cell.attack),
    cell.limits,
    mark(cell),
    cell.reasons.join('; '),
    `${probes.answered} of ${probes.sent}`,
    recovery === undefined ? 'no' : `${recovery} ms`,
    `${mib(cell.peakMemory)} (${mib(cell.calmMemory)})`,
    String(cell.peakDescriptors),
    String(cell.peakThreads),
    cell.cores.toFixed(2),
    String(cell.wrong),
    String(cell.lines),
    cell.isAlive ? (deaths > 0 ? `yes, ${deaths} workers died` : 'yes') : 'no',
    intensityText(intensity),
    endedText(cell.ended),
    `${drainMark(cell)}: ${drainText(cell)}`,
  ];
  return `<tr id="${idOf(cell)}" class="${kind(grade ?? '-')}">${texts.map((text) => `<td>${plain(text)}</td>`).join('')}</tr>`;
}

/** What is the same for all architectures once, and what differs by architecture. */
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

const plain = (text: string): string =>
  text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');

const style = `
:root { color-scheme: light dark; --line: light-dark(#d5d5d0, #44443f); --soft: light-dark(#6b6b63, #a8a89f);
  --back: light-dark(#fdfdfb, #191917); --text: light-dark(#20201c, #ecece4); }
* { box-sizing: border-box; }
body { margin: 0; background: var(--back); color: var(--text); font: 16px/1.5 system-ui, sans-serif; }
main { max-width: 76rem; margin: 0 auto; padding: 2rem 1rem 4rem; }
main > p, main > ul, main > dl { max-width: 46rem; }
h1 { font-size: 1.7rem; margin: 0 0 .5rem; } h2 { font-size: 1.15rem; margin: 2.5rem 0 .5rem; }
.wide { overflow-x: auto; margin: 1rem 0; }
table { border-collapse: collapse; font-size: .86rem; }
caption { text-align: left; color: var(--soft); padding-bottom: .4rem; }
.matrix td, .matrix th { padding: .14rem .22rem; text-align: center; border-bottom: 1px solid var(--line); white-space: nowrap; }
.matrix th[scope=row] { text-align: left; font-weight: 500; position: sticky; left: 0; background: var(--back); padding-right: .8rem; }
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
a.void { background: none; color: var(--text); border: 1px dashed var(--soft); }
.notes, .rule { list-style: none; padding: 0; font-size: .9rem; } .rule li { margin: .15rem 0; }
dt { font-weight: 600; margin-top: .6rem; } dd { margin: 0; } dd em { color: var(--soft); font-style: normal; }
.all td, .all th { text-align: left; vertical-align: top; padding: .2rem .6rem .2rem 0; border-bottom: 1px solid var(--line); }
.all th { font-weight: 600; white-space: nowrap; }
.all td:nth-child(2), .all td:nth-child(n+6):nth-child(-n+15) { white-space: nowrap; font-variant-numeric: tabular-nums; }
.all td:nth-child(5), .all td:nth-child(16), .all td:nth-child(17) { min-width: 14rem; }
.all td:nth-child(4) { font-weight: 650; }
.all tr:target td { background: light-dark(#fff3c4, #4a4220); }
pre { overflow-x: auto; font-size: .8rem; color: var(--soft); white-space: pre-wrap; }
@media (prefers-color-scheme: dark) { .matrix a { filter: brightness(.86); } a.void { filter: none !important; } }
`;
