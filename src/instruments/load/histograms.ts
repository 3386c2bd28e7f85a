/** HdrHistograms of times: from 1 ns to one hour, with 3 significant digits. */
import hdr, { type Histogram } from 'hdr-histogram-js';
import type { Latency } from './result.ts';

const NS = 1e6;
const LONGEST = 3600 * 1000 * NS;
/** Points of the percentile curve for each halving of the share of answers above it. */
const POINTS = 5;

export const newHistogram = (): Histogram =>
  hdr.build({
    bitBucketSize: 32,
    lowestDiscernibleValue: 1,
    highestTrackableValue: LONGEST,
    numberOfSignificantValueDigits: 3,
  });

export function record(histogram: Histogram, ms: number, times?: number): void {
  const value = Math.min(LONGEST, Math.max(0, Math.round(ms * NS)));
  if (times === undefined) histogram.recordValue(value);
  else histogram.recordValueWithCount(value, times);
}

/** Returns the compressed form V2 in base64, which other HdrHistogram tools read too. */
export const encode = (histogram: Histogram): string => hdr.encodeIntoCompressedBase64(histogram);

/** @throws Error if the text is not a histogram */
export const decode = (text: string): Histogram => hdr.decodeFromCompressedBase64(text, 32);

/** Returns the figures of a histogram, in ms. */
export function latencyOf(histogram: Histogram): Latency {
  const count = histogram.totalCount;
  const at = (percentile: number) =>
    count === 0 ? 0 : histogram.getValueAtPercentile(percentile) / NS;
  const percentiles: { percentile: number; ms: number }[] = [];
  if (count > 0) {
    // Ends where only one answer is above the point.
    for (let k = 0; 2 ** (k / POINTS) <= 2 * count; k++) {
      const percentile = 100 * (1 - 2 ** (-k / POINTS));
      percentiles.push({ percentile, ms: at(percentile) });
    }
    percentiles.push({ percentile: 100, ms: at(100) });
  }
  return {
    count,
    min: at(0),
    mean: count === 0 ? 0 : histogram.mean / NS,
    p50: at(50),
    p90: at(90),
    p99: at(99),
    p999: at(99.9),
    p9999: at(99.99),
    max: at(100),
    percentiles,
    hdr: encode(histogram),
  };
}
