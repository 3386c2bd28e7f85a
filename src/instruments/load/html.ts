/**
 * A run of load as one self-contained page: its result first, then plots, then the plan and the
 * machine.
 */
import {
  type Heat,
  type Line,
  lineChart,
  type Panel,
  type Point,
  short,
} from '../report/charts.ts';
import { count, mebibytes, percent, seconds, several, time, timeOr } from '../report/figures.ts';
import { html, type Markup } from '../report/markup.ts';
import { details, figure, listOf, pageOf, tableOf, tiles, verdict } from '../report/page.ts';
import type { Table } from '../report/table.ts';
import type { Condition } from './conditions.ts';
import { type Knee, kneeSentence } from './knee.ts';
import type { Latency, LoadResult, Second, ServerSample } from './result.ts';
import { latencyTable, servedTexts, serverTexts, verdictText } from './text.ts';
import { outcomeText, outcomeWords, planText, stageText, targetOf } from './words.ts';

/** The same quantity has the same look on all charts. */
const LOOK = {
  response: 0,
  service: 1,
  p50: 4,
  p99: 1,
  reached: 0,
  wanted: 5,
  errors: 6,
  server: 2,
};
/** Limit for the columns of a heat map and the rows of a table. */
const COLUMNS = 240;
const ROWS = 600;

const axisTime = (value: number): string => time(Number(value.toPrecision(3)));

export async function loadPage(result: LoadResult): Promise<string> {
  const { plan, startedAt } = result;
  return pageOf({
    title: `Load on ${targetOf(plan)}`,
    by: 'load',
    what: `${capital(planText(plan))}; measured for ${seconds(result.seconds)}.`,
    when: startedAt,
    where: placeOf(result),
    body: await bodyOf(result),
  });
}

const placeOf = ({ environment: { cpu, cores, kernel, node, mondo } }: LoadResult): string =>
  `${cpu}, ${several(cores, 'core')}, Linux ${kernel}, Mondo ${mondo}, Node ${node}`;

async function bodyOf(result: LoadResult): Promise<Markup> {
  const { server } = result;
  return html`${verdictOf(result)}
${headline(result)}
<h2>How long answers took</h2>
${await percentiles(result)}
${tableOf(latencyTable(result))}
<h2>Over time</h2>
${await overTime(result)}
<h2>What became of the questions</h2>
${outcomeTable(result)}
<h2>Who was served</h2>
${listOf(servedTexts(result).map(capital))}
${await overConnections(result)}
${
  server === null
    ? undefined
    : html`<h2>What it cost the server</h2>
${listOf(serverTexts(server).map(capital))}`
}
<h2>Plan and place</h2>
${planTable(result)}
${environmentTable(result)}`;
}

const capital = (text: string) => text.slice(0, 1).toUpperCase() + text.slice(1);

function verdictOf(result: LoadResult): Markup {
  const { trusted, reasons, notes, interrupted } = result.validity;
  const kind = trusted ? (interrupted ? 'open' : 'good') : 'bad';
  const starved = result.connections.neverAnswered > 0 ? [`${servedTexts(result)[0]}.`] : [];
  return verdict(kind, verdictText(result), [
    ...reasons,
    ...starved,
    ...notes.map((note) => `Note: ${note}`),
  ]);
}

function headline({ totals, response, service, connections, validity }: LoadResult): Markup {
  const { questions, errors, rate, wantedRate } = totals;
  const has = response.count > 0;
  return tiles([
    [
      'answers per second',
      count(Math.round(rate)),
      wantedRate === null
        ? 'as fast as they came'
        : `of ${count(Math.round(wantedRate))} wanted${validity.rateRatio === null ? '' : `: ${percent(validity.rateRatio)}`}`,
    ],
    [
      'response time, median',
      has ? time(response.p50) : '–',
      has ? `service ${time(service.p50)}` : '',
    ],
    [
      'response time, p99',
      has ? time(response.p99) : '–',
      has ? `service ${time(service.p99)}` : '',
    ],
    [
      'response time, largest',
      has ? time(response.max) : '–',
      has ? `service ${time(service.max)}` : '',
    ],
    [
      'errors',
      count(errors),
      `${percent(errors / Math.max(1, questions, errors))} of ${several(questions, 'question')}`,
    ],
    [
      'never answered',
      count(connections.neverAnswered),
      `of ${several(connections.count, 'connection')}; fairness ${connections.fairness === null ? '–' : Number(connections.fairness.toFixed(3))}`,
    ],
  ]);
}

/** Position on the axis: 90 %, 99 % and 99.9 % are equally far apart. */
const place = (percentile: number) => 1 / (1 - percentile / 100);

async function percentiles({ response, service }: LoadResult): Promise<Markup> {
  if (response.count === 0) return html`<p>There were no answers.</p>`;
  // The largest time stands where one answer of `most` lies above.
  const most = Math.max(10, response.count);
  const curve = (name: string, latency: Latency, look: number): Line => ({
    name,
    look,
    points: latency.percentiles.map(({ percentile, ms }) => ({
      x: percentile >= 100 ? most : Math.min(most, place(percentile)),
      y: ms,
    })),
  });
  // In a closed loop a question is due when it is sent.
  const isSame = response.percentiles.every(
    ({ percentile, ms }, i) =>
      service.percentiles[i]?.percentile === percentile && service.percentiles[i].ms === ms,
  );
  const chart = await lineChart({
    id: 'percentiles',
    title: 'Latency by percentile',
    description: `Response time: median ${time(response.p50)}, p99 ${time(response.p99)}, largest ${time(response.max)}. Service time: median ${time(service.p50)}, p99 ${time(service.p99)}, largest ${time(service.max)}.`,
    x: {
      name: 'share of the answers that took at most this time',
      log: true,
      text: percentileText,
    },
    panels: [
      {
        y: { name: 'time of an answer', log: true, text: axisTime },
        height: 300,
        lines: isSame
          ? [curve('response and service', response, LOOK.response)]
          : [curve('response', response, LOOK.response), curve('service', service, LOOK.service)],
      },
    ],
  });
  const told = [50, 75, 90, 95, 99, 99.9, 99.99, 99.999];
  const at = ({ percentiles: all }: Latency, percentile: number) =>
    timeOr(all.find((one) => one.percentile >= percentile)?.ms ?? null);
  return figure(
    chart,
    `How long the slowest one in ten, in a hundred, in a thousand took. ${
      isSame
        ? 'Response and service time are the same: every question left when it was due.'
        : 'Where the curves part, questions waited to be sent: their connection was still busy with the one before.'
    }`,
    {
      caption: 'Time by percentile, read from the curve',
      align: 'lr',
      head: ['percentile', 'response', 'service'],
      rows: [
        ...told
          .filter((percentile) => place(percentile) <= response.count)
          .map((percentile) => [
            `${percentile} %`,
            at(response, percentile),
            at(service, percentile),
          ]),
        ['largest', time(response.max), time(service.max)],
      ],
    },
  );
}

/** The axis values 1, 10, 100 of `place` as percentiles. */
function percentileText(value: number): string {
  const nines = Math.log10(value);
  if (Math.abs(nines - Math.round(nines)) > 1e-6) return '';
  if (nines < 0.5) return '0 %';
  return `${nines < 2 ? 100 - 100 / value : (100 - 100 / value).toFixed(Math.round(nines) - 2)} %`;
}

async function overTime(result: LoadResult): Promise<Markup> {
  const { series, server, totals } = result;
  if (series.length === 0) return html`<p>Nothing was measured.</p>`;
  const lineOf = (name: string, look: number, of: (second: Second) => number | null): Line => ({
    name,
    look,
    points: series.map((second) => ({ x: second.at + second.seconds / 2, y: of(second) })),
  });
  const heat = heatOf(result);
  const panels: Panel[] = [
    {
      y: { name: 'response time', log: true, text: axisTime },
      height: 250,
      ...(heat !== undefined && { heat }),
      lines: [lineOf('p50', LOOK.p50, ({ p50 }) => p50), lineOf('p99', LOOK.p99, ({ p99 }) => p99)],
    },
    {
      y: { name: 'answers per second' },
      height: 130,
      lines: [
        ...(totals.wantedRate === null
          ? []
          : [lineOf('wanted', LOOK.wanted, ({ wantedRate }) => wantedRate)]),
        lineOf('reached', LOOK.reached, ({ rate }) => rate),
      ],
    },
    {
      y: { name: 'errors in each second', whole: true },
      height: 70,
      lines: [lineOf('errors', LOOK.errors, ({ errors }) => errors)],
    },
    {
      y: {
        name: 'questions unanswered, connections without an answer in a whole second',
        whole: true,
      },
      height: 90,
      lines: [
        lineOf('in flight', 0, ({ inFlight }) => inFlight),
        lineOf('not yet sent', 1, ({ waiting }) => waiting),
        lineOf('starved', 6, ({ starved }) => starved),
      ],
    },
    ...(server === null ? [] : serverPanels(server.samples)),
  ];
  const rates = series.map(({ rate }) => rate);
  const chart = await lineChart({
    id: 'time',
    title: 'Each second of the run',
    description: `Response times as a heat map, and the rate, from ${count(Math.round(Math.min(...rates)))} to ${count(Math.round(Math.max(...rates)))} answers per second; ${several(totals.errors, 'error')}.${server === null ? '' : ' Below, what the server used.'}`,
    x: { name: 'seconds since the measured time began', min: 0, max: Math.max(result.seconds, 1) },
    panels,
  });
  return figure(
    chart,
    `Darker places (brighter on a dark page) have more answers with that time in that second. A single slow answer among thousands is visible too.${server === null ? '' : ' The lower plots are of the server, on the same time line.'}`,
    secondsTable(result),
  );
}

/** Merges neighbouring seconds if there are more than the page has room for. */
function heatOf({ heat, series }: LoadResult): Heat | undefined {
  const { columns, rows, counts } = heat;
  if (rows.length === 0) return undefined;
  const step = Math.ceil(columns.length / COLUMNS);
  const groups = Array.from({ length: Math.ceil(columns.length / step) }, (_, i) => ({
    first: i * step,
    last: Math.min(columns.length, (i + 1) * step) - 1,
  }));
  const ratio = 2 ** (1 / 4);
  return {
    columns: groups.map(({ first, last }) => ({
      from: columns[first]!,
      to: columns[last]! + (series[last]?.seconds ?? 1),
    })),
    rows: rows.map((from) => ({ from, to: from * ratio })),
    counts: groups.map(({ first, last }) =>
      rows.map((_, row) => {
        let sum = 0;
        for (let i = first; i <= last; i++) sum += counts[i]![row]!;
        return sum;
      }),
    ),
  };
}

function serverPanels(samples: readonly ServerSample[]): Panel[] {
  const points = (of: (sample: ServerSample) => number | null): Point[] =>
    samples.map((sample) => ({ x: sample.at, y: of(sample) }));
  /** Values for the time since the previous sample. */
  const between = (of: (sample: ServerSample) => number): Point[] =>
    samples.map((sample, i) => ({ x: (sample.at + (samples[i - 1]?.at ?? 0)) / 2, y: of(sample) }));
  const line = (name: string, look: number, all: Point[]): Line => ({ name, look, points: all });
  return [
    {
      y: { name: 'server: processors in use' },
      height: 90,
      lines: [
        line(
          'CPU',
          LOOK.server,
          between(({ cpu }) => cpu),
        ),
      ],
    },
    {
      y: { name: 'server: context switches per second' },
      height: 90,
      lines: [
        line(
          'switches',
          3,
          between(({ switches }) => switches),
        ),
      ],
    },
    {
      y: { name: 'server: memory (PSS), MiB' },
      height: 90,
      lines: [
        line(
          'memory',
          7,
          points(({ memory }) => memory / 2 ** 20),
        ),
      ],
    },
    {
      y: {
        name: 'server: threads, descriptors, connections that wait to be accepted',
        whole: true,
      },
      height: 100,
      lines: [
        line(
          'threads',
          0,
          points(({ threads }) => threads),
        ),
        line(
          'descriptors',
          1,
          points(({ descriptors }) => descriptors),
        ),
        line(
          'accept queue',
          6,
          points(({ acceptQueue }) => acceptQueue),
        ),
      ],
    },
  ];
}

function secondsTable({ series, server }: LoadResult): Table {
  const step = Math.ceil(series.length / ROWS);
  const head = [
    'second',
    'answers/s',
    'wanted/s',
    'p50',
    'p99',
    'largest',
    'service p99',
    'errors',
    'in flight',
    'not sent',
    'starved',
  ];
  const sampleAt = ({ at, seconds: length }: Second) =>
    server?.samples.findLast((sample) => sample.at > at && sample.at <= at + length + 0.5);
  const rows = series
    .filter((_, i) => i % step === 0)
    .map((second) => {
      const sample = sampleAt(second);
      return [
        String(second.at),
        count(Math.round(second.rate)),
        second.wantedRate === null ? '–' : count(Math.round(second.wantedRate)),
        timeOr(second.p50),
        timeOr(second.p99),
        timeOr(second.max),
        timeOr(second.serviceP99),
        count(second.errors),
        count(second.inFlight),
        count(second.waiting),
        count(second.starved),
        ...(server === null
          ? []
          : sample === undefined
            ? ['–', '–', '–', '–', '–', '–']
            : [
                sample.cpu.toFixed(2),
                count(Math.round(sample.switches)),
                mebibytes(sample.memory),
                count(sample.threads),
                count(sample.descriptors),
                sample.acceptQueue === null ? '–' : count(sample.acceptQueue),
              ]),
      ];
    });
  return {
    caption: `${step === 1 ? 'Each second' : `Every ${step}th second`}; times are response times where nothing else is said${server === null ? '' : ', the last six columns are the server’s'}`,
    head:
      server === null
        ? head
        : [...head, 'CPU', 'switches/s', 'memory', 'threads', 'descriptors', 'accept queue'],
    rows,
    align: 'r',
  };
}

function outcomeTable(result: LoadResult): Markup {
  const { outcomes, totals } = result;
  const rows = outcomeWords.map(([key, name, what], i) => [
    name,
    outcomeText(key, what, result),
    count(outcomes[key]),
    // The first nine outcomes describe questions.
    i < 9 ? percent(outcomes[key] / Math.max(1, totals.questions)) : '',
  ]);
  const isSome = ([, , n]: readonly string[]) => n !== '0';
  const head = ['outcome', 'what it means', 'how many', 'of all questions'];
  const none = rows.filter((row) => !isSome(row)).map(([name]) => name);
  return html`${tableOf({ caption: 'Every question that was due ends as one of these; connections are counted beside them.', head, rows: rows.filter(isSome), align: 'llr' })}
<p class="soft">${none.length > 0 ? `None: ${none.join(', ')}.` : ''}</p>`;
}

async function overConnections({ connections }: LoadResult): Promise<Markup | undefined> {
  const { each } = connections;
  if (each.length < 3) return undefined;
  const sorted = (of: (one: (typeof each)[number]) => number | null, none: number | null) =>
    each
      .map((one) => of(one) ?? none)
      .sort((a, b) => (a ?? Number.POSITIVE_INFINITY) - (b ?? Number.POSITIVE_INFINITY))
      .map((y, i) => ({ x: (100 * (i + 1)) / each.length, y }));
  const answers = sorted((one) => one.answers, 0);
  const firsts = sorted((one) => one.firstAnswer, null);
  const p99s = sorted((one) => one.p99, null);
  const none = each.filter((one) => one.answers === 0).length;
  const chart = await lineChart({
    id: 'connections',
    title: 'Connections, from the fewest answers to the most',
    description: `Answers of each connection, from ${count(answers[0]!.y!)} to ${count(answers.at(-1)!.y!)}, and its times; ${several(none, 'connection')} of ${each.length} had none.`,
    x: { name: 'connections with at most this value, in per cent of all', min: 0, max: 100 },
    panels: [
      {
        y: { name: 'answers' },
        height: 130,
        lines: [{ name: 'answers', look: 0, points: answers }],
      },
      {
        y: { name: 'time', log: true, text: axisTime },
        height: 130,
        lines: [
          { name: 'to the first answer', look: 2, points: firsts },
          { name: 'p99 of response', look: 1, points: p99s },
        ],
      },
    ],
  });
  return figure(
    chart,
    `Where all are served alike, the lines are level. Those that had no answer at all are missing in the lower plot, at its right.`,
    {
      caption:
        each.length < connections.count
          ? `${each.length} of ${connections.count} connections`
          : 'All connections',
      head: ['connection', 'answers', 'first answer', 'p99 of response'],
      rows: each
        .filter((_, i) => i % Math.ceil(each.length / ROWS) === 0)
        .map((one) => [
          String(one.connection),
          count(one.answers),
          timeOr(one.firstAnswer),
          timeOr(one.p99),
        ]),
      align: 'r',
    },
  );
}

function planTable({ plan, validity, totals }: LoadResult): Markup {
  const framing =
    plan.framing.kind === 'delimiter'
      ? `questions as they are, answers end with ${JSON.stringify(plan.framing.answerEnd)}`
      : plan.framing.kind === 'line'
        ? 'lines'
        : `a length of ${several(plan.framing.bytes, 'byte')} before each`;
  const rows = [
    ['schedule', plan.stages.map(stageText).join(', ')],
    [
      'loop',
      plan.loop === 'open'
        ? `open, ${plan.arrivals === 'even' ? 'evenly spaced' : 'Poisson arrivals'}`
        : 'closed',
    ],
    [
      'given up after',
      `${time(plan.timeout)} (connecting: ${time(plan.connectTimeout)}); late after ${time(plan.deadline)}`,
    ],
    ['framing', framing],
    ['questions', `${several(plan.exchanges.length, 'exchange')}, seed ${plan.seed}`],
    ['bytes', `${count(totals.bytesSent)} sent, ${count(totals.bytesReceived)} received`],
    [
      'this side',
      `${percent(validity.cpu)} of one core${validity.lag === null ? '' : `; behind its schedule by ${time(validity.lag.p50)} (p50), ${time(validity.lag.p99)} (p99), ${time(validity.lag.max)} at most`}`,
    ],
  ];
  return html`${tableOf({ caption: 'The plan, and how far it could be kept', head: ['what', 'how'], rows })}
${details('The whole plan, for --plan', html`<pre>${JSON.stringify(plan, null, 2)}</pre>`)}`;
}

function environmentTable({ environment }: LoadResult): Markup {
  const { platform, kernel, cpu, cores, node, mondo, engine, descriptorLimit, somaxconn } =
    environment;
  return tableOf({
    caption: 'Where the load was made. Figures of two runs compare only where these are alike.',
    head: ['what', 'which'],
    rows: [
      ['machine', `${cpu}, ${several(cores, 'core')}, ${platform}`],
      [
        'kernel',
        `${kernel}; net.core.somaxconn ${somaxconn ?? 'unknown'}, ${descriptorLimit ?? 'unknown'} descriptors`,
      ],
      ['program', `mondo ${mondo} on Node ${node}, ${engine === 'uring' ? 'io_uring' : 'epoll'}`],
    ],
  });
}

/** The search for the knee, and the run at the rate that it found. */
export async function kneePage(knee: Knee, target: readonly Condition[]): Promise<string> {
  const { steps } = knee;
  const best = steps.findLast(({ rate, verdict: said }) => said === 'kept' && rate === knee.rate);
  const first = steps[0]?.result;
  const title = first === undefined ? 'The knee' : `The knee of ${targetOf(first.plan)}`;
  const wanted = target.map(({ text }) => text).join(' and ');
  const kind = knee.rate === null ? 'bad' : knee.limit === 'server' ? 'good' : 'open';
  return pageOf({
    title,
    by: 'load',
    what: `The highest rate that keeps ${wanted}: doubled until it does not, and then closed in on. Each step is a run of its own; one that fails is tried twice.`,
    when: steps[0]?.result.startedAt,
    where: steps[0] === undefined ? undefined : placeOf(steps[0].result),
    body: html`${verdict(kind, kneeSentence(knee, target), [])}
${steps.length < 2 ? undefined : await kneeChart(knee)}
${best === undefined ? undefined : html`<h2>The run at ${count(best.rate)} per second</h2>\n${await bodyOf(best.result)}`}`,
  });
}

async function kneeChart({ steps }: Knee): Promise<Markup> {
  const sorted = [...steps].sort((a, b) => a.rate - b.rate);
  const marks = (said: string, of: (latency: Latency) => number) =>
    sorted
      .filter((step) => step.verdict === said && step.result.response.count > 0)
      .map(({ rate, result }) => ({ x: rate, y: of(result.response) }));
  const lines = [
    { name: 'p99, kept', look: 2, points: marks('kept', ({ p99 }) => p99) },
    { name: 'p99, not kept', look: 6, points: marks('missed', ({ p99 }) => p99) },
    { name: 'p99, not trusted', look: 7, points: marks('void', ({ p99 }) => p99) },
    { name: 'p50, kept', look: 0, points: marks('kept', ({ p50 }) => p50) },
  ].filter(({ points }) => points.length > 0);
  const chart = await lineChart({
    id: 'knee',
    title: 'Response time over the rate',
    description:
      'The p99 of response time at each rate that was tried, kept or not; the figures are in the table.',
    x: { name: 'questions per second', log: true, text: short },
    panels: [{ y: { name: 'response time', log: true, text: axisTime }, height: 280, lines }],
  });
  return figure(
    chart,
    'Response time over the rate. Beyond the knee, questions wait for those before them.',
    {
      caption: 'The steps, in the order in which they were run',
      head: ['rate', 'verdict', 'why', 'p50', 'p99', 'reached'],
      rows: steps.map(({ rate, verdict: said, reasons, result }) => [
        count(rate),
        { kept: 'kept', missed: 'not kept', void: 'not to be trusted' }[said],
        reasons.join('; '),
        timeOr(result.response.count > 0 ? result.response.p50 : null),
        timeOr(result.response.count > 0 ? result.response.p99 : null),
        result.validity.rateRatio === null ? '–' : percent(result.validity.rateRatio),
      ]),
      align: 'lllr',
    },
  );
}
