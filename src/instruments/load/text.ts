/** The result of a run as lines for a terminal. */

import { count, mebibytes, percent, seconds, several, time, timeOr } from '../report/figures.ts';
import { type Table, tableLines } from '../report/table.ts';
import type { Latency, LoadResult, ServerSide } from './result.ts';
import { outcomeText, outcomeWords, planText, targetOf } from './words.ts';

/** Column at which the text of a line begins. */
const INDENT = 16;

const line = (name: string, ...said: readonly string[]): string =>
  `${name.padEnd(INDENT)}${said.filter((one) => one !== '').join('; ')}`;

export function summaryLines(result: LoadResult): string[] {
  const { plan, totals, validity, server, environment } = result;
  const warmUp = plan.stages.filter(({ kind }) => kind === 'warm-up');
  const before = warmUp.reduce((sum, stage) => sum + stage.seconds, 0);
  return [
    `${targetOf(plan)} for ${seconds(result.seconds)}${before > 0 ? ` after ${seconds(before)} of warm-up` : ''}: ${planText(plan)} (${environment.engine})`,
    '',
    ...latencyLines(result),
    '',
    line('answers', answersText(result)),
    ...outcomeLines(result),
    ...servedLines(result),
    ...(server === null ? [] : serverLines(server)),
    line(
      'this side',
      `${percent(validity.cpu)} of one core`,
      validity.lag === null
        ? ''
        : `behind its schedule by ${time(validity.lag.p50)} (p50), ${time(validity.lag.p99)} (p99), ${time(validity.lag.max)} at most`,
      `${count(totals.bytesSent)} bytes sent, ${count(totals.bytesReceived)} received`,
    ),
    '',
    ...validityLines(result),
  ];
}

const columns: readonly (readonly [string, (latency: Latency) => number])[] = [
  ['min', ({ min }) => min],
  ['mean', ({ mean }) => mean],
  ['p50', ({ p50 }) => p50],
  ['p90', ({ p90 }) => p90],
  ['p99', ({ p99 }) => p99],
  ['p99.9', ({ p999 }) => p999],
  ['p99.99', ({ p9999 }) => p9999],
  ['max', ({ max }) => max],
];

/** A table of both latencies, one row each. */
export function latencyTable({
  response,
  service,
}: Pick<LoadResult, 'response' | 'service'>): Table {
  const row = (name: string, latency: Latency) => [
    name,
    ...columns.map(([, of]) => (latency.count === 0 ? '–' : time(of(latency)))),
  ];
  return {
    caption:
      'Response time: from the moment a question was due. Service time: from its real sending.',
    align: 'lr',
    head: ['', ...columns.map(([name]) => name)],
    rows: [row('response', response), row('service', service)],
  };
}

const latencyLines = (result: LoadResult): string[] =>
  tableLines(latencyTable(result), { first: INDENT - 2 }).flat();

function answersText({ totals, validity }: LoadResult): string {
  const { questions, answers, rate, wantedRate } = totals;
  const wanted =
    wantedRate === null
      ? ''
      : `, of ${count(wantedRate)} wanted${validity.rateRatio === null ? '' : ` (${percent(validity.rateRatio)})`}`;
  return `${count(rate)} per second${wanted}; ${several(answers, 'answer')} to ${several(questions, 'question')}`;
}

/** All outcomes except the good one, if they occurred. */
const troubles = ({ outcomes }: LoadResult) =>
  outcomeWords.filter(([key]) => key !== 'answered' && outcomes[key] > 0);

function outcomeLines(result: LoadResult): string[] {
  const all = troubles(result);
  if (all.length === 0) return [line('errors', 'none')];
  return all.map(([key, name, what]) =>
    line(name, `${count(result.outcomes[key])}  ${outcomeText(key, what, result)}`),
  );
}

/** How evenly connections were served, one sentence each. */
export function servedTexts({ connections, series }: LoadResult): string[] {
  const { count: all, neverAnswered, fairness, answers, firstAnswer, worst } = connections;
  const starved = Math.max(0, ...series.map((second) => second.starved));
  return [
    neverAnswered > 0
      ? `${count(neverAnswered)} of ${several(all, 'connection')} asked and were never answered`
      : all === 1
        ? 'its one connection was answered'
        : `all of ${several(all, 'connection')} that asked were answered`,
    ...(fairness === null
      ? []
      : [
          `fairness ${Number(fairness.toFixed(3))} (${count(answers.least)} to ${count(answers.most)} answers each, median ${count(answers.median)})`,
        ]),
    ...(firstAnswer === null
      ? []
      : [
          `first answer after ${time(firstAnswer.median)} (median), ${time(firstAnswer.p99)} (p99), ${time(firstAnswer.max)} at most`,
        ]),
    ...(worst === null
      ? []
      : [`worst connection: number ${worst.connection}, p99 ${timeOr(worst.p99)}`]),
    ...(starved > 0
      ? [`worst second: ${several(starved, 'connection')} waited for the whole second`]
      : []),
  ];
}

function servedLines(result: LoadResult): string[] {
  return servedTexts(result).map((text, i) => line(i === 0 ? 'connections' : '', text));
}

export function serverTexts({ pid, totals, samples }: ServerSide): string[] {
  const { cpuMicrosecondsPerAnswer: cpu, switchesPerAnswer: switches } = totals;
  const most = (of: (sample: ServerSide['samples'][number]) => number | null) =>
    Math.max(0, ...samples.map((sample) => of(sample) ?? 0));
  const queues = most(({ acceptQueue }) => acceptQueue);
  return [
    `process ${pid}: ${seconds(totals.cpuSeconds)} of CPU${cpu === null ? '' : `, ${Number(cpu.toPrecision(3))} µs per answer`}`,
    `${count(totals.switches)} context switches${switches === null ? '' : `, ${Number(switches.toPrecision(3))} per answer`}`,
    `at most ${mebibytes(totals.peakMemory)}, ${several(
      most(({ processes }) => processes),
      'process',
      'processes',
    )}, ${several(
      most(({ threads }) => threads),
      'thread',
    )}, ${several(
      most(({ descriptors }) => descriptors),
      'descriptor',
    )}${queues === 0 ? '' : `, ${count(queues)} waiting to be accepted`}`,
  ];
}

const serverLines = (server: ServerSide): string[] =>
  serverTexts(server).map((text, i) => line(i === 0 ? 'server' : '', text));

/** Whether to trust the run, in a few words. */
export function verdictText({ validity }: LoadResult): string {
  if (!validity.trusted) return 'This run is not to be trusted';
  return validity.interrupted
    ? 'Interrupted: this is not the whole plan'
    : 'This run can be trusted';
}

function validityLines(result: LoadResult): string[] {
  const { reasons, notes, interrupted, trusted } = result.validity;
  return [
    `${verdictText(result)}${reasons.length > 0 ? ':' : ''}`,
    ...reasons.map((reason) => `- ${reason}`),
    ...(interrupted && !trusted ? ['- Interrupted: this is not the whole plan'] : []),
    ...notes.map((note) => `Note: ${note}`),
  ];
}
