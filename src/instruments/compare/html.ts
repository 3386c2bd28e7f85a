/**
 * The report as one self-contained page. It has a chart over connections for each important figure,
 * the effect of silent clients, all figures in tables with intervals and verdicts, and the
 * recommendation.
 */
import { barChart, type Line, lineChart, lookOf, type Panel, short } from '../report/charts.ts';
import { minutes, several } from '../report/figures.ts';
import { html, joined, type Markup } from '../report/markup.ts';
import { details, figure, listOf, pageOf, tableOf, verdict } from '../report/page.ts';
import type { Table } from '../report/table.ts';
import type { Against } from './against.ts';
import { regressionsOf } from './against.ts';
import type { Comparison } from './compare.ts';
import type { FigureName, Row } from './findings.ts';
import { type Condition, conditionKey } from './plan.ts';
import type { Level } from './statistics.ts';
import {
  againstNotes,
  againstTable,
  notesOf,
  recommendationTables,
  roundsOf,
  silenceTables,
  tablesOf,
} from './tables.ts';
import { conditionText, figureWords, levelText, listed, thinkText } from './words.ts';

export async function htmlPage(found: Comparison, against?: Against): Promise<string> {
  const { plan, recommendation, findings } = found;
  const { architectures } = plan;
  const sections = await Promise.all(
    groupsOf(found).map((group, i) => groupSection(found, group, i)),
  );
  const title = `${several(architectures.length, 'architecture')} compared`;
  return pageOf({
    title: `${title}: ${listed(architectures)}`,
    by: 'compare',
    what: introduction(found),
    when: found.startedAt,
    where: whereOf(found),
    style,
    body: html`${verdict(...standing(found, against))}
<p class="keys">${architectures.map((name, i) => html`<span style="color:var(${lookOf(i).variable})">${lookOf(i).glyph} ${name}</span> `)}</p>
${joined(sections, '\n')}
${await silenceSection(found)}
<h2>All differences</h2>
<p>Ratios to ${plan.reference} in the same rounds, with their 95 % interval and the verdict.</p>
<div class="close">${tablesOf(found).map((table) => tableOf(table))}</div>
<div class="soft">${listOf(notesOf(found))}</div>
${against === undefined ? undefined : againstSection(against)}
<h2>How it was measured</h2>
${measured(found)}
${findings.doubts.length > 0 ? html`<h2>Not to be trusted</h2>${listOf(findings.doubts)}` : undefined}
<section id="recommendation"><h2>Recommendation</h2>
${recommendationSection(recommendation)}</section>`,
  });
}

const whereOf = ({ environment }: Comparison): string | undefined =>
  environment === null
    ? undefined
    : `${environment.cpu}, ${several(environment.cores, 'core')}, ${environment.platform}, kernel ${environment.kernel}; Mondo ${environment.mondo}, Node ${environment.node}`;

const style = `
.keys span { margin-right: 1.2rem; white-space: nowrap; font-weight: 600; }
.close table { font-size: .8rem; } .close :is(th, td) { padding-right: .75rem; } .with td:nth-child(2) { white-space: nowrap; }
`;

function introduction({ plan, cells, seconds }: Comparison): string {
  const service =
    plan.service === null ? 'the Zen questions' : `the service ${plan.service.split('/').at(-1)}`;
  return `The same clients asked ${service} of each of them under ${several(plan.conditions.length, 'condition')}, in ${several(roundsOf(cells), 'round')}: ${several(cells.length, 'measurement')} in ${minutes(seconds)}, every answer checked. In each round all of them had their turn, close together in time, so what disturbed one disturbed the others. Whiskers show the rounds, from least to most; points and bars their middle. Lines only join the points: between two points nothing was measured.`;
}

/** The first paragraph: the state of the run. */
function standing(
  { plan, end, findings, recommendation, cells, planned }: Comparison,
  against: Against | undefined,
): Parameters<typeof verdict> {
  if (end === 'interrupted') {
    return [
      'open',
      `Stopped after ${cells.length} of ${planned} measurements`,
      [recommendation.headline],
    ];
  }
  if (findings.doubts.length > 0) return ['bad', 'Not to be trusted', findings.doubts.slice(0, 3)];
  const late =
    end === 'out of time'
      ? [
          `There was time for ${several(roundsOf(cells), 'round')}; up to ${plan.rounds} were wanted.`,
        ]
      : [];
  if (against !== undefined && regressionsOf(against) > 0) {
    return ['bad', `${several(regressionsOf(against), 'regression')} against the stored run`, late];
  }
  const kind = recommendation.choice === null ? 'open' : 'good';
  return [
    kind,
    recommendation.headline,
    [html`<a href="#recommendation">Why, and when not</a>`, ...late],
  ];
}

/**
 * Groups of conditions that differ only in their number of connections, without silent clients.
 * Each has its own charts.
 */
function groupsOf({ plan }: Comparison): Condition[][] {
  const calm = plan.conditions.filter(({ silent }) => silent === 0);
  const shown = calm.length > 0 ? calm : plan.conditions;
  return [...Map.groupBy(shown, (one) => `${thinkText(one)} ${one.silent}`).values()];
}

interface Chart {
  readonly figure: FigureName;
  readonly title: string;
  readonly axis: string;
  readonly log?: boolean;
  readonly scale?: number;
  readonly words: string;
}

const charts: readonly Chart[] = [
  {
    figure: 'rate',
    title: 'Throughput over connections',
    axis: 'answers per second',
    words:
      'A high rate alone is not enough. The lower plot shows which architectures left connections without any answer, in per cent; all others answered every connection.',
  },
  {
    figure: 'p99',
    title: 'Latency over connections',
    axis: 'p99 of response time, ms',
    log: true,
    words:
      'Of questions that were answered. With more connections a question waits longer for its turn. Middle above, slowest hundredth below it.',
  },
  {
    figure: 'cpu',
    title: 'Processor time per question over connections',
    axis: 'µs on a processor per answer',
    words:
      'What all processes of the server together took from their processors, for each answer. Where the load is at its limit this tells more than the rate. Below it: how often a thread of the server went to sleep or was put off, for each answer.',
  },
  {
    figure: 'memory',
    title: 'Memory over connections',
    axis: 'memory (PSS), MiB',
    scale: 2 ** 20,
    words:
      'Supervisor and workers together, at the most. A page that several processes share counts once (PSS).',
  },
];

async function groupSection(
  found: Comparison,
  conditions: readonly Condition[],
  group: number,
): Promise<Markup | undefined> {
  const { plan, findings } = found;
  const about = [
    ...(conditions[0]!.think > 0 || plan.conditions.some(({ think }) => think > 0)
      ? [thinkText(conditions[0]!)]
      : []),
    ...(conditions[0]!.silent > 0 ? [several(conditions[0]!.silent, 'silent client')] : []),
  ];
  const suffix = about.length > 0 ? `, with ${about.join(' and ')}` : '';
  const keys = new Set(conditions.map(conditionKey));
  const rows = findings.rows.filter(({ variant }) => keys.has(conditionKey(variant)));
  if (rows.length === 0) return undefined;
  const isOver = new Set(rows.map(({ variant }) => variant.connections)).size > 1;
  const figures = await Promise.all(
    charts.map(async (chart) => {
      const title = `${isOver ? chart.title : chart.title.replace(' over connections', '')}${suffix}`;
      const id = `${chart.figure}-${group}`;
      const svg = isOver
        ? await overConnections(found, rows, chart, id, title)
        : await atOnePlace(found, rows, chart, id, title);
      return html`<h2>${title}</h2>${figure(svg, isOver ? chart.words : chart.words.replace(/ (?:Below it|Middle above).*$/, ''), levelsTable(found, rows, chart, title))}`;
    }),
  );
  return joined(figures, '\n');
}

async function overConnections(
  { plan }: Comparison,
  rows: readonly Row[],
  chart: Chart,
  id: string,
  title: string,
): Promise<Markup> {
  const { scale = 1 } = chart;
  const linesOf = (levelOf: (row: Row) => Level | null, by = 1): Line[] =>
    plan.architectures.flatMap((name, look) => {
      const points = rows
        .filter(({ variant }) => variant.architecture === name)
        .map((row) => {
          const level = levelOf(row);
          const x = row.variant.connections;
          if (level === null) return { x, y: null };
          return { x, y: level.median / by, low: level.least / by, high: level.most / by };
        });
      return points.some(({ y }) => y !== null) ? [{ name, points, look }] : [];
    });
  const panel = (
    axis: string,
    lines: readonly Line[],
    more: Partial<Panel['y']> = {},
    height?: number,
  ): Panel => ({ y: { name: axis, ...more }, lines, ...(height !== undefined && { height }) });
  const main = panel(
    chart.axis,
    linesOf(({ levels }) => levels[chart.figure], scale),
    { log: chart.log === true, ...(chart.log === true && { text: msText }) },
    300,
  );
  const panels: Record<string, readonly Panel[]> = {
    rate: [
      main,
      panel(
        'connections never answered, %',
        // Lines of zeros are omitted, because their labels would overlap.
        linesOf(unansweredShare).filter(({ points }) => points.some(({ y }) => (y ?? 0) > 0)),
        { max: 100, min: 0 },
        110,
      ),
    ],
    p99: [
      panel(
        'p50 of response time, ms',
        linesOf(({ levels }) => levels.p50),
        { log: true, text: msText },
        220,
      ),
      { ...main, height: 220 },
    ],
    cpu: [
      main,
      panel(
        'context switches per answer',
        linesOf(({ levels }) => levels.switches),
        {},
        160,
      ),
    ],
  };
  const x = { name: 'connections', log: true, whole: true };
  return lineChart({
    id,
    title,
    description: sentence(rows, chart),
    x,
    panels: panels[chart.figure] ?? [main],
  });
}

const msText = (value: number) => short(value);

function unansweredShare({ neverAnswered, variant: { connections } }: Row): Level | null {
  if (neverAnswered === null) return null;
  const share = (count: number) => (100 * count) / connections;
  return {
    median: share(neverAnswered.median),
    least: share(neverAnswered.least),
    most: share(neverAnswered.most),
  };
}

/** A bar chart, for a single number of connections: a line would need two. */
function atOnePlace(
  _: Comparison,
  rows: readonly Row[],
  { figure: name, axis, scale = 1, ...chart }: Chart,
  id: string,
  title: string,
): Promise<Markup> {
  return barChart({
    id,
    title,
    description: sentence(rows, { figure: name, axis, ...chart }),
    value: { name: axis },
    categories: rows.map(({ variant }) => variant.architecture),
    groups: [{ name: axis, values: rows.map(({ levels }) => barOf(levels[name], scale)) }],
  });
}

const barOf = (level: Level | null, scale = 1) =>
  level === null
    ? null
    : { value: level.median / scale, low: level.least / scale, high: level.most / scale };

/** The ends of each line as text, for readers who cannot see the chart. */
function sentence(
  rows: readonly Row[],
  { figure: name, axis }: Pick<Chart, 'figure' | 'axis'>,
): string {
  const byName = Map.groupBy(rows, ({ variant }) => variant.architecture);
  const parts = [...byName].map(([architecture, own]) => {
    const known = own.filter(({ levels }) => levels[name] !== null);
    const text = (row: Row) =>
      `${figureWords[name].text(row.levels[name]!.median)} at ${row.variant.connections}`;
    const ends = known.length > 1 ? [known[0]!, known.at(-1)!] : known;
    return `${architecture} ${ends.length > 0 ? listed(ends.map(text)) : 'none'}`;
  });
  return `${axis}, by number of connections: ${parts.join('; ')}.`;
}

/**
 * The figures of one chart, with a row for each architecture and a column for each number of
 * connections.
 */
function levelsTable(
  { plan }: Comparison,
  rows: readonly Row[],
  { figure: name, axis }: Chart,
  title: string,
): Table {
  const counts = [...new Set(rows.map(({ variant }) => variant.connections))];
  return {
    caption: `${title}: ${axis}; the middle of the rounds, and what they lie between`,
    align: 'lr',
    head: ['architecture', ...counts.map((count) => several(count, 'connection'))],
    rows: plan.architectures.map((architecture) => [
      architecture,
      ...counts.map((count) => {
        const row = rows.find(
          ({ variant }) => variant.architecture === architecture && variant.connections === count,
        );
        return levelText(name, row?.levels[name] ?? null);
      }),
    ]),
  };
}

/**
 * Bars without and with silent clients, at the largest number of connections at which most
 * architectures were measured.
 */
async function silenceSection(found: Comparison): Promise<Markup | undefined> {
  const { plan, findings } = found;
  const tables = silenceTables(found);
  const noisy = plan.conditions.filter(({ silent }) => silent > 0);
  if (tables.length === 0 || noisy.length === 0) return undefined;
  const rowsAt = (condition: Condition) =>
    findings.rows.filter(({ variant }) => conditionKey(variant) === conditionKey(condition)).length;
  const most = noisy
    .toSorted((a, b) => rowsAt(a) - rowsAt(b) || a.connections - b.connections)
    .at(-1)!;
  const set = plan.conditions
    .filter(
      ({ connections, think, thinkHow }) =>
        connections === most.connections && think === most.think && thinkHow === most.thinkHow,
    )
    .toSorted((a, b) => a.silent - b.silent);
  const rowAt = (condition: Condition, architecture: string) =>
    findings.rows.find(
      ({ variant }) =>
        variant.architecture === architecture && conditionKey(variant) === conditionKey(condition),
    );
  const measured = plan.architectures.filter((name) =>
    set.some((condition) => rowAt(condition, name) !== undefined),
  );
  const where = conditionText({ ...most, silent: 0 });
  const title = `What silent clients do to each, beside ${where}`;
  const silenced = measured.filter((name) => rowAt(most, name)?.levels.rate?.median === 0);
  const caption = `A silent client has connected and says nothing. ${
    silenced.length > 0
      ? `With ${several(most.silent, 'of them', 'of them')}, ${listed(silenced)} answered no client.`
      : 'None of these was silenced.'
  }`;
  const svg = await barChart({
    id: 'silence',
    title,
    description: caption,
    value: { name: 'answers per second' },
    categories: measured,
    groups: set.map((condition, look) => ({
      name: condition.silent === 0 ? 'without' : several(condition.silent, 'silent client'),
      values: measured.map((name) => barOf(rowAt(condition, name)?.levels.rate ?? null)),
      look,
    })),
  });
  const isShown = ({ caption: text }: Table) => text.startsWith(`${conditionText(most)}:`);
  const [shown, others] = [true, false].map((isIt) =>
    tables.filter((table) => isShown(table) === isIt).map((table) => tableOf(table)),
  );
  const folded = others!.length === 0 ? undefined : details('Beside other connections', others!);
  return html`<h2>${title}</h2>${figure(svg, caption)}${shown}${folded}`;
}

function againstSection(against: Against): Markup {
  const count = regressionsOf(against);
  return html`<h2>Against the stored run</h2>
${verdict(count > 0 ? 'bad' : 'good', count > 0 ? several(count, 'regression') : 'No regression', againstNotes(against))}
<div class="close with">${tableOf(againstTable(against))}</div>`;
}

function measured({ plan, environment, cores, load, planned, cells }: Comparison): Markup {
  const { connections } = plan.conditions.at(-1)!;
  const rows: [string, string][] = [
    ...(environment === null
      ? []
      : ([
          [
            'load',
            `closed loop from one thread, over ${environment.engine === 'uring' ? 'io_uring' : 'epoll'}`,
          ],
        ] as [string, string][])),
    [
      'cores',
      cores === null
        ? 'chosen by the kernel'
        : `server on ${cores.server.join(', ')}, load on ${cores.load.join(', ')}`,
    ],
    [
      'others on the machine',
      `${load[0].toFixed(1)} processes wanted a core in the minute before, ${load[1].toFixed(1)} in the last minute, these included`,
    ],
    [
      'each measurement',
      `${plan.seconds} s after ${plan.warmUp} s of warm-up, with a server started for it`,
    ],
    ['measurements', `${cells.length} of ${planned}, seed ${plan.seed}`],
    [
      'threads, processes',
      plan.threads === null && plan.processes === null
        ? 'what each has by default'
        : `${plan.threads ?? 'default'}, ${plan.processes ?? 'default'}, where they are adjustable`,
    ],
  ];
  const order = cells
    .filter(({ round }) => round <= 2)
    .map(({ round, variant, state }) => [
      String(round),
      variant.architecture,
      conditionText(variant),
      state,
    ]);
  return html`${tableOf({ caption: 'Where and how', head: ['', ''], rows })}
<p>On two cores a fast server and its load limit each other, and other machines order the same architectures differently
where their kernels, cores and networks differ. Loopback has no distance: what is compared is what a server does, not what
a network does to it. ${connections >= 1000 ? '' : 'More connections than were measured may turn the order around.'}</p>
${details('The order of the first two rounds', tableOf({ caption: 'The second goes back the way that the first came', head: ['round', 'architecture', 'condition', 'state'], rows: order }))}`;
}

const recommendationSection = (recommendation: Comparison['recommendation']): Markup =>
  html`${verdict(recommendation.choice === null ? 'open' : 'good', recommendation.headline, [])}
${recommendationTables(recommendation).map((table) => tableOf(table))}`;
