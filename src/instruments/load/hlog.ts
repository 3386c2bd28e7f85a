/**
 * Runs as HdrHistogram logs, in format 1.3, which other tools read too. Each second has one line
 * for service time and one for response time.
 *
 * A comment line holds the rest of the run's state as JSON; other tools skip it. So the logs of all
 * shards of a plan can be added to the result of the whole plan.
 */
import { deflateSync, inflateSync } from 'node:zlib';
import hdr, { type Histogram } from 'hdr-histogram-js';
import { ServeError } from '../../host/errors.ts';
import { OUTCOMES } from './batch.ts';
import {
  anyText,
  type Check,
  fields,
  flag,
  listOf,
  numberFrom,
  orNull,
  refuse,
  text as someText,
} from './check.ts';
import { decode, encode } from './histograms.ts';
import type { LoadPlan } from './plan.ts';
import { planFields } from './plan-file.ts';
import type { LoadResult } from './result.ts';
import { planOf } from './schema.ts';
import {
  type ConnectionStates,
  type Run,
  resultOf,
  type SecondState,
  type State,
} from './state.ts';

const MARK = '[Mondo: ';
const FORM = 'mondo-hlog-3';
const NS_PER_MS = 1e6;

/** A second without its histograms: each of those has its own line. */
type Rest = Omit<SecondState, 'service' | 'response'>;
/** Each column as base64 of its compressed bytes, in little-endian order. */
type Packed = { readonly [K in keyof ConnectionStates]: string };

/** The JSON of the comment line. */
interface Head
  extends Omit<State, 'series' | 'connections'>,
    Pick<LoadResult, 'validity' | 'server' | 'environment'> {
  readonly schema: typeof FORM;
  readonly series: readonly Rest[];
  readonly connections: Packed;
}

export function hlogOf({ result, state }: Run): string {
  const parts: string[] = [];
  const writer = new hdr.HistogramLogWriter((text) => parts.push(text));
  const { validity, server, environment } = result;
  const head: Head = {
    schema: FORM,
    ...state,
    series: state.series.map(({ service: _service, response: _response, ...rest }) => rest),
    connections: eachColumn((name) => packed(state.connections[name])),
    validity,
    server,
    environment,
  };
  writer.outputComment(`${FIRST_LINE}${environment.mondo}; times in ns, the third column in ms]`);
  writer.outputLogFormatVersion();
  writer.outputStartTime(result.startedAt);
  writer.outputComment(`${MARK}${JSON.stringify(head)}]`);
  writer.outputLegend();
  for (const { at, seconds, ...both } of state.series) {
    for (const tag of ['service', 'response'] as const) {
      if (both[tag] === undefined) continue;
      const one = decode(both[tag]);
      one.tag = tag;
      writer.outputIntervalHistogram(one, at, at + seconds, NS_PER_MS);
    }
  }
  // The writer pads numbers with spaces, which some readers reject, and leaves a line empty.
  return parts
    .join('')
    .replaceAll(/, +(?=\d)/g, ',')
    .replaceAll(/^ +(?=\d)/gm, '')
    .replaceAll('\n\n', '\n');
}

const FIRST_LINE = '[Logged with mondo load ';
const FIRST_LINES = /^#\[Logged with mondo load /gm;

/** Lines of other outputs may be between those of a log: `kubectl logs` prints standard error, too. */
const LINE_OF_LOG = /^(#|"|Tag=)/;

/** The logs that came one after the other on standard input, each with a name for errors. */
export function logsIn(text: string): { readonly name: string; readonly text: string }[] {
  const starts = [...text.matchAll(FIRST_LINES)].map(({ index }) => index);
  if (starts.length === 0) return [{ name: 'standard input', text }];
  return starts.map((start, i) => ({
    name: `standard input, log ${i + 1}`,
    text: text
      .slice(start, starts[i + 1])
      .split('\n')
      .filter((line) => LINE_OF_LOG.test(line))
      .join('\n'),
  }));
}

/**
 * @param name name of the file, for errors
 * @throws ServeError if it is not a complete log of `mondo load`
 */
export function parseHlog(text: string, name: string): Run {
  const { schema: _, validity, server, environment, ...head } = headOf(text, name);
  const found = { service: 0, response: 0 };
  const lines = new Map<number, Partial<Pick<SecondState, 'service' | 'response'>>>();
  for (const one of histogramsOf(text, name)) {
    const { tag } = one;
    if (tag !== 'service' && tag !== 'response') continue;
    found[tag] += one.totalCount;
    const at = Math.round(one.startTimeStampMsec);
    lines.set(at, { ...lines.get(at), [tag]: encode(one) });
  }
  const answers = head.outcomes[0]! + head.outcomes[1]!;
  for (const tag of ['service', 'response'] as const) {
    if (found[tag] === answers) continue;
    throw damaged(
      name,
      `it has ${found[tag]} of ${answers} ${tag} times; it is damaged or cut off`,
    );
  }
  const state: State = {
    ...head,
    series: head.series.map((rest) => ({ ...rest, ...lines.get(Math.round(rest.at * 1000)) })),
    connections: connectionsOf(head.connections, name),
  };
  return { result: resultOf(state, () => ({ validity, server, environment })), state };
}

const damaged = (name: string, why: string, cause?: unknown): ServeError =>
  new ServeError('failed', `Cannot add "${name}": ${why}`, { cause });

const COLUMNS = {
  number: Int32Array,
  answers: Int32Array,
  firstAnswer: Float64Array,
  asked: Uint8Array,
  p99: Int16Array,
} as const;

const eachColumn = <T>(of: (name: keyof ConnectionStates) => T) =>
  Object.fromEntries(
    (Object.keys(COLUMNS) as (keyof ConnectionStates)[]).map((name) => [name, of(name)]),
  ) as { readonly [K in keyof ConnectionStates]: T };

const packed = ({ buffer, byteOffset, byteLength }: ConnectionStates[keyof ConnectionStates]) =>
  deflateSync(new Uint8Array(buffer, byteOffset, byteLength)).toString('base64');

function connectionsOf(columns: Packed, name: string): ConnectionStates {
  let found: ConnectionStates;
  try {
    found = eachColumn((column) => {
      const bytes = inflateSync(Buffer.from(columns[column], 'base64'));
      return new COLUMNS[column](Uint8Array.from(bytes).buffer);
    }) as unknown as ConnectionStates;
  } catch (error) {
    throw damaged(name, `its connections are damaged (${(error as Error).message})`, error);
  }
  const lengths = new Set(Object.values(found).map(({ length }) => length));
  if (lengths.size > 1)
    throw damaged(name, 'its connections are damaged (columns of unlike length)');
  return found;
}

const MOST = Number.MAX_SAFE_INTEGER;
const count = numberFrom(0, MOST);
const amount = numberFrom(0, MOST, false);
/** For fields that are only shown: no figure depends on them. */
const anything =
  <T>(): Check<T> =>
  (value) =>
    value as T;

/** A list that may be empty. */
const listFrom =
  <T>(check: Check<T>): Check<readonly T[]> =>
  (value, where) =>
    Array.isArray(value) && value.length === 0 ? [] : listOf(check, 'values')(value, where);

const pair: Check<readonly [number, number]> = (value, where) => {
  const [row, answers, ...more] = listOf(count, 'counts')(value, where);
  if (answers === undefined || more.length > 0) refuse(where, value, 'a row and its count');
  return [row!, answers];
};

const second = fields<Rest>(
  {
    at: amount,
    seconds: amount,
    isMeasured: flag,
    heat: listFrom(pair),
    errors: count,
    inFlight: count,
    waiting: count,
    open: count,
    starved: count,
    lag: amount,
    cpu: amount,
  },
  ['at', 'seconds', 'isMeasured', 'heat', 'errors', 'inFlight', 'waiting', 'open'],
);

const spread = fields<NonNullable<LoadResult['validity']['lag']>>(
  { p50: amount, p99: amount, max: amount },
  ['p50', 'p99', 'max'],
);

const validityCheck = fields<LoadResult['validity']>(
  {
    trusted: flag,
    reasons: listFrom(anyText),
    notes: listFrom(anyText),
    interrupted: flag,
    lag: orNull(spread) as Check<NonNullable<LoadResult['validity']['lag']>>,
    cpu: amount,
    stalls: fields<LoadResult['validity']['stalls']>({ share: amount, longest: amount }, [
      'share',
      'longest',
    ]),
    rateRatio: orNull(amount) as Check<number>,
  },
  ['trusted', 'reasons', 'notes', 'interrupted', 'lag', 'cpu', 'stalls', 'rateRatio'],
);

const errorCounts: Check<State['connectErrors']> = (value, where) =>
  Object.fromEntries(
    Object.entries(value as object).map(([name, times]) => [name, count(times, where)]),
  );

const wholePlan: Check<LoadPlan> = (value, where) => planOf(planFields(value, where));

const headCheck = fields<Head>(
  {
    schema: someText as Check<typeof FORM>,
    startedAt: amount,
    plan: wholePlan,
    seconds: amount,
    outcomes: listOf(count, 'counts'),
    connectErrors: errorCounts,
    inTime: count,
    bytesSent: count,
    bytesReceived: count,
    opened: count,
    series: listFrom(second),
    connections: fields<Packed>(
      eachColumn(() => anyText),
      Object.keys(COLUMNS) as (keyof ConnectionStates)[],
    ),
    validity: validityCheck,
    server: anything(),
    environment: anything(),
  },
  [
    'startedAt',
    'plan',
    'seconds',
    'outcomes',
    'connectErrors',
    'inTime',
    'opened',
    'series',
    'connections',
  ],
);

/** @throws ServeError if it is not what `hlogOf` writes */
function headOf(text: string, name: string): Head {
  const line = text.split('\n').find((one) => one.startsWith(`#${MARK}`));
  if (line === undefined) {
    throw damaged(name, 'it is no log of mondo load; give files that --hlog has written');
  }
  let head: Head;
  try {
    head = JSON.parse(line.slice(1 + MARK.length, line.lastIndexOf(']')));
  } catch (error) {
    throw damaged(
      name,
      `its line "#${MARK.trim()} …" is damaged (${(error as Error).message})`,
      error,
    );
  }
  const { schema } = head;
  if (schema !== FORM) {
    throw damaged(
      name,
      `it is of the form "${schema}", and this mondo reads ${FORM}; use the version that wrote it`,
    );
  }
  try {
    const checked = headCheck(head, 'its head');
    if (checked.outcomes.length === OUTCOMES.length) return checked;
  } catch (error) {
    throw damaged(name, `${(error as Error).message.replace(/; .*/, '')}; it is damaged`, error);
  }
  throw damaged(name, `it has ${head.outcomes.length} outcomes; use the version that wrote it`);
}

/**
 * Yields the histograms one by one, because those of an hour take a gigabyte. Their start and end
 * are in ms since the measured time began.
 */
function* histogramsOf(text: string, name: string): Generator<Histogram> {
  // Without the start time, the reader keeps the relative times.
  const reader = new hdr.HistogramLogReader(
    text.replaceAll(/^#\[(?:StartTime|BaseTime): .*$/gm, '#'),
  );
  reader.startTimeSec = 0;
  for (let read = 0; ; read++) {
    let one: Histogram | null;
    try {
      one = reader.nextIntervalHistogram();
    } catch (error) {
      throw damaged(
        name,
        `the histogram after the first ${read} is damaged (${(error as Error).message})`,
        error,
      );
    }
    if (one === null) return;
    yield one;
  }
}
