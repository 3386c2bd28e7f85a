/** Histograms of times: how they are added, stored and read. Values are in ns, with three significant digits. */
import * as hdr from 'hdr-histogram-js';
import type { Latency } from './result.ts';

export type Histogram = hdr.Histogram;

const NS_PER_MS = 1e6;

/** A day: what is longer makes a histogram grow. */
const LONGEST = 86_400_000 * NS_PER_MS;

/** An empty one, whose counts do not overflow however much is added. */
export const histogram = (): Histogram =>
  hdr.build({
    bitBucketSize: 64,
    autoResize: true,
    highestTrackableValue: LONGEST,
    numberOfSignificantValueDigits: 3,
  });

/** @throws Error where it is no compressed histogram in base64 */
export const decoded = (base64: string): Histogram => hdr.decodeFromCompressedBase64(base64, 64);

/** The same counts always give the same text, however large the histogram was made. */
export function encoded(one: Histogram): string {
  if (one.highestTrackableValue === LONGEST) return hdr.encodeIntoCompressedBase64(one);
  const copy = histogram();
  copy.add(one);
  return hdr.encodeIntoCompressedBase64(copy);
}

/** How many points the curve has on each halving of what is left to 100 %. */
const POINTS = 5;

/** Percentiles of a curve over `count` samples, closer together towards 100. */
function* ticks(count: number): Generator<number> {
  for (let i = 0; 2 ** (i / POINTS) <= count; i++) yield 100 * (1 - 2 ** (-i / POINTS));
  yield 100;
}

/**
 * What is read from a histogram.
 *
 * @param known what is known more exactly than the histogram has it, in ms
 */
export function latencyOf(
  one: Histogram,
  known: Partial<Pick<Latency, 'min' | 'mean' | 'max'>> = {},
): Latency {
  const count = one.totalCount;
  const at = (percentile: number) =>
    count === 0 ? 0 : one.getValueAtPercentile(percentile) / NS_PER_MS;
  return {
    count,
    min: known.min ?? at(0),
    mean: known.mean ?? one.mean / NS_PER_MS,
    p50: at(50),
    p90: at(90),
    p99: at(99),
    p999: at(99.9),
    p9999: at(99.99),
    max: known.max ?? at(100),
    percentiles:
      count === 0
        ? []
        : [...ticks(count)].map((percentile) => ({ percentile, ms: at(percentile) })),
    hdr: encoded(one),
  };
}

/** Any percentile of a stored histogram, in ms; null where it has no samples. */
export function percentileOf(
  { count, hdr: base64 }: Pick<Latency, 'count' | 'hdr'>,
  percentile: number,
): number | null {
  return count === 0 ? null : decoded(base64).getValueAtPercentile(percentile) / NS_PER_MS;
}
