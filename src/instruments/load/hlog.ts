/**
 * Runs as HdrHistogram logs: a line per second for service and one for response time, in the format (1.3) that other tools
 * read, too. What they do not read, as it stands in a comment, is the rest of the result: so that logs of the shards of
 * one plan add up to the whole of it.
 */
import hdr, { type Histogram } from 'hdr-histogram-js';
import { ServeError } from '../../host/errors.ts';
import { decode, encode, latencyOf, newHistogram } from './histograms.ts';
import type { Interval, Latency, LoadResult, Run } from './result.ts';

const MARK = '[Mondo: ';
const NS_PER_MS = 1e6;

/** What the histograms of the log do not say of a latency. */
type Known = Pick<Latency, 'count'>;
type Rest = Omit<LoadResult, 'service' | 'response'> & { service: Known; response: Known };

export function hlogOf({ result, intervals }: Run): string {
  const parts: string[] = [];
  const writer = new hdr.HistogramLogWriter((text) => parts.push(text));
  const rest: Rest = {
    ...result,
    service: { count: result.service.count },
    response: { count: result.response.count },
  };
  writer.outputComment(
    `[Logged with mondo load ${result.environment.mondo}; times in ns, the third column in ms]`,
  );
  writer.outputLogFormatVersion();
  writer.outputStartTime(result.startedAt);
  writer.outputComment(`${MARK}${JSON.stringify(rest)}]`);
  writer.outputLegend();
  for (const { at, seconds, ...both } of intervals) {
    for (const tag of ['service', 'response'] as const) {
      const one = decode(both[tag]);
      one.tag = tag;
      writer.outputIntervalHistogram(one, at, at + seconds, NS_PER_MS);
    }
  }
  // The writer pads its numbers to a width, which some readers do not skip, and leaves a line empty.
  return parts
    .join('')
    .replaceAll(/, +(?=\d)/g, ',')
    .replaceAll(/^ +(?=\d)/gm, '')
    .replaceAll('\n\n', '\n');
}

/**
 * @param name of the file, for complaints
 * @throws ServeError where it is not a whole log of `mondo load`
 */
export function parseHlog(text: string, name: string): Run {
  const rest = restOf(text, name);
  const intervals = new Map<
    number,
    { at: number; seconds: number; service?: string; response?: string }
  >();
  const sums = { service: newHistogram(), response: newHistogram() };
  for (const one of histogramsOf(text, name)) {
    if (one.tag !== 'service' && one.tag !== 'response') continue;
    sums[one.tag].add(one);
    const at = Math.round(one.startTimeStampMsec);
    const seconds = Math.round(one.endTimeStampMsec - one.startTimeStampMsec) / 1000;
    const interval: NonNullable<ReturnType<typeof intervals.get>> = intervals.get(at) ?? {
      at: at / 1000,
      seconds,
    };
    interval[one.tag] = encode(one);
    intervals.set(at, interval);
  }
  for (const tag of ['service', 'response'] as const) {
    const { totalCount } = sums[tag];
    if (totalCount === rest[tag].count) continue;
    throw new ServeError(
      'failed',
      `Cannot add "${name}": it has ${totalCount} of ${rest[tag].count} ${tag} times; it is damaged or cut off`,
    );
  }
  const empty = encode(newHistogram());
  return {
    result: {
      ...rest,
      service: latencyOf(sums.service),
      response: latencyOf(sums.response),
    },
    intervals: [...intervals.values()].map(
      ({ at, seconds, service = empty, response = empty }): Interval => ({
        at,
        seconds,
        service,
        response,
      }),
    ),
  };
}

function restOf(text: string, name: string): Rest {
  const line = text.split('\n').find((one) => one.startsWith(`#${MARK}`));
  if (line === undefined) {
    throw new ServeError(
      'failed',
      `Cannot add "${name}": it is no log of mondo load; give files that --hlog has written`,
    );
  }
  let rest: Rest;
  try {
    rest = JSON.parse(line.slice(1 + MARK.length, line.lastIndexOf(']')));
  } catch (error) {
    throw new ServeError(
      'failed',
      `Cannot add "${name}": its line "#${MARK.trim()} …" is damaged (${(error as Error).message})`,
      { cause: error },
    );
  }
  if (rest.schema === 'mondo-load-1') return rest;
  throw new ServeError(
    'failed',
    `Cannot add "${name}": it is of the form "${rest.schema}", and this mondo reads mondo-load-1; use the version that wrote it`,
  );
}

/** One after the other, with their beginning and end in ms since the measured time began: all at once would be a gigabyte for an hour. */
function* histogramsOf(text: string, name: string): Generator<Histogram> {
  // Without its start time, the reader leaves times as they stand there.
  const reader = new hdr.HistogramLogReader(
    text.replaceAll(/^#\[(?:StartTime|BaseTime): .*$/gm, '#'),
  );
  reader.startTimeSec = 0;
  for (let read = 0; ; read++) {
    let one: Histogram | null;
    try {
      one = reader.nextIntervalHistogram();
    } catch (error) {
      throw new ServeError(
        'failed',
        `Cannot add "${name}": the histogram after the first ${read} is damaged (${(error as Error).message})`,
        { cause: error },
      );
    }
    if (one === null) return;
    yield one;
  }
}
