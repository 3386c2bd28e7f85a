/**
 * Ratios between measurements, with confidence intervals. All calculations use the logarithms of
 * the ratios. A ratio and its inverse then weigh the same, and swapping the two sides only inverts
 * the interval.
 *
 * The interval is Student's, over the logarithms of the ratios, one for each round. It is not a
 * bootstrap: resampling three to six rounds cannot show values that did not occur. A bootstrap's
 * "95 %" interval of five rounds holds the true ratio in about 83 % of cases (statistics.test.ts
 * counts it). Student's interval is made for few samples and holds it in 95 % if noise is
 * symmetric. An outlier widens it, so noise costs a verdict and does not make one.
 */

/** A ratio, and the interval that contains the true ratio in 95 % of such runs. */
export interface Interval {
  /** The geometric mean. */
  readonly ratio: number;
  readonly low: number;
  readonly high: number;
  /** Number of rounds. */
  readonly rounds: number;
}

/**
 * The ratio of the first to the second value of each pair. Each pair is from one round, so a
 * disturbance of the round affects both values and cancels.
 *
 * @returns undefined for fewer than two pairs, or if a value is not above 0
 */
export function pairedRatio(pairs: readonly (readonly [number, number])[]): Interval | undefined {
  if (pairs.length < 2 || pairs.some(([a, b]) => !(a > 0 && b > 0))) return undefined;
  const logs = pairs.map(([a, b]) => Math.log(a / b));
  const rounds = logs.length;
  const error = Math.sqrt(variance(logs) / rounds);
  return intervalOf(mean(logs), studentT(rounds - 1) * error, rounds);
}

/** The same for two runs whose rounds are independent: Welch's interval. */
export function unpairedRatio(a: readonly number[], b: readonly number[]): Interval | undefined {
  const fewest = Math.min(a.length, b.length);
  if (fewest < 2 || [...a, ...b].some((value) => !(value > 0))) return undefined;
  const [first, second] = [a.map(Math.log), b.map(Math.log)];
  const [va, vb] = [variance(first) / a.length, variance(second) / b.length];
  const freedom =
    va + vb === 0 ? 1 : (va + vb) ** 2 / (va ** 2 / (a.length - 1) + vb ** 2 / (b.length - 1));
  return intervalOf(mean(first) - mean(second), studentT(freedom) * Math.sqrt(va + vb), fewest);
}

const intervalOf = (centre: number, half: number, rounds: number): Interval => ({
  ratio: Math.exp(centre),
  low: Math.exp(centre - half),
  high: Math.exp(centre + half),
  rounds,
});

/** Standard deviation of the logarithms of the rounds' ratios, as the interval shows it. */
export const spreadOf = ({ low, high, rounds }: Interval): number =>
  ((Math.log(high / low) / 2) * Math.sqrt(rounds)) / studentT(rounds - 1);

/** Median, minimum and maximum over the rounds. */
export interface Level {
  readonly median: number;
  readonly least: number;
  readonly most: number;
}

export function levelOf(values: readonly number[]): Level | undefined {
  if (values.length === 0) return undefined;
  const sorted = values.toSorted((a, b) => a - b);
  const half = sorted.length >> 1;
  const median = sorted.length % 2 === 1 ? sorted[half]! : (sorted[half - 1]! + sorted[half]!) / 2;
  return { median, least: sorted[0]!, most: sorted.at(-1)! };
}

export const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length;

function variance(values: readonly number[]): number {
  const centre = mean(values);
  return values.reduce((sum, value) => sum + (value - centre) ** 2, 0) / (values.length - 1);
}

/**
 * 97.5 % points of Student's distribution, by degrees of freedom (NIST/SEMATECH e-Handbook of
 * Statistical Methods, 1.3.6.7.2).
 */
const T: readonly (readonly [freedom: number, t: number])[] = [
  ...[
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.16,
    2.145, 2.131, 2.12, 2.11, 2.101, 2.093, 2.086, 2.08, 2.074, 2.069, 2.064, 2.06, 2.056, 2.052,
    2.048, 2.045, 2.042,
  ].map((t, i) => [i + 1, t] as const),
  [40, 2.021],
  [60, 2.0],
  [120, 1.98],
  [Number.POSITIVE_INFINITY, 1.96],
];

/** Interpolates between two entries in 1/freedom, where the distribution is nearly linear. */
function studentT(freedom: number): number {
  const above = T.findIndex(([known]) => known >= freedom);
  const [high, low] = [T[above]!, T[Math.max(0, above - 1)]!];
  if (high[0] === freedom || above === 0) return high[1];
  const share = (1 / low[0] - 1 / freedom) / (1 / low[0] - 1 / high[0]);
  return low[1] + share * (high[1] - low[1]);
}
