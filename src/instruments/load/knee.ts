/**
 * Finds the knee: the highest rate at which a server meets a target. The search doubles the rate
 * until the server misses the target. Then it tries the geometric mean of the two rates until the
 * gap is small. Each step is a separate short open-loop run.
 */

import { count, percent, time } from '../report/figures.ts';
import { broken, type Checked, type Condition, valueText } from './conditions.ts';
import type { LoadResult } from './result.ts';

export interface KneeOptions {
  /** The conditions that must hold for a run, such as `p99<10ms`. */
  readonly target: readonly Condition[];
  /** The first rate, per second. */
  readonly start: number;
  /**
   * The search ends when the ratio of the lowest missed rate to the highest kept one is at most 1
   * plus this. Default 0.05 (5 %).
   */
  readonly precision?: number;
  /** Limit for the number of steps; default 40. */
  readonly steps?: number;
  /** The highest rate to try; default 10 million. */
  readonly most?: number;
  readonly signal?: AbortSignal;
  readonly onStep?: (step: KneeStep) => void;
}

export interface KneeStep {
  readonly rate: number;
  /**
   * `kept`: the server met the target; `missed`: it did not; `void`: the run cannot be trusted, so
   * it shows nothing.
   */
  readonly verdict: 'kept' | 'missed' | 'void';
  /** Why the target was not met, or why the run is void; one text each. */
  readonly reasons: readonly string[];
  readonly result: LoadResult;
}

export interface Knee {
  /** The highest rate that the server kept; null if it kept none. */
  readonly rate: number | null;
  /** The lowest higher rate that failed; null if none failed. */
  readonly beyond: number | null;
  /**
   * What stopped the search at the upper end: the server, or our own side; `none` if the server
   * kept the highest rate tried.
   */
  readonly limit: 'server' | 'ourselves' | 'none';
  readonly interrupted: boolean;
  /** In the order in which they ran. */
  readonly steps: readonly KneeStep[];
}

/**
 * Every step needs at least this share of the wanted rate, and at most this share of errors,
 * whatever the target says.
 */
const LEAST_REACHED = 0.98;
const MOST_ERRORS = 0.01;
/** A missed rate is tried once more: one bad second of the machine is not a limit of the server. */
const TRIES = 2;

export async function findKnee(
  run: (rate: number) => Promise<LoadResult>,
  {
    target,
    start,
    precision = 0.05,
    steps: mostSteps = 40,
    most = 1e7,
    signal,
    onStep,
  }: KneeOptions,
): Promise<Knee> {
  const steps: KneeStep[] = [];
  let kept: number | null = null;
  let beyond: KneeStep | null = null;
  let interrupted = false;
  const canGoOn = () => !interrupted && steps.length < mostSteps;

  const tryRate = async (rate: number): Promise<boolean> => {
    for (let i = 0; i < TRIES && canGoOn(); i++) {
      const result = await run(rate);
      interrupted = result.validity.interrupted || signal?.aborted === true;
      if (interrupted) return false;
      const step = judge(rate, result, target);
      steps.push(step);
      onStep?.(step);
      if (step.verdict === 'kept') {
        kept = rate;
        return true;
      }
      // A trusted run tells more than a void one.
      if (beyond?.rate !== rate || step.verdict === 'missed') beyond = step;
    }
    return false;
  };

  let rate = Math.min(start, most);
  if (await tryRate(rate)) {
    while (canGoOn() && rate < most) {
      rate = Math.min(rate * 2, most);
      beyond = null;
      if (!(await tryRate(rate))) break;
    }
  } else {
    while (canGoOn() && rate >= 2 && kept === null) {
      rate /= 2;
      const before: KneeStep | null = beyond;
      if (await tryRate(rate)) beyond = before;
    }
  }
  while (canGoOn() && kept !== null && beyond !== null) {
    const above: KneeStep = beyond;
    if (above.rate / kept <= 1 + precision) break;
    if (await tryRate(rounded(Math.sqrt(kept * above.rate)))) beyond = above;
  }
  const last: KneeStep | null = beyond;
  return {
    rate: kept,
    beyond: last === null ? null : (last as KneeStep).rate,
    limit: last === null ? 'none' : (last as KneeStep).verdict === 'void' ? 'ourselves' : 'server',
    interrupted,
    steps,
  };
}

/** Three digits are as precise as the measurement, and easy to read. */
const rounded = (rate: number) => Number(rate.toPrecision(3));

function judge(rate: number, result: LoadResult, target: readonly Condition[]): KneeStep {
  const missed = broken(target, result).map(missedText);
  const { questions, errors } = result.totals;
  const ratio = result.validity.rateRatio ?? 1;
  if (ratio < LEAST_REACHED) missed.push(`only ${percent(ratio)} of the rate was reached`);
  if (errors > MOST_ERRORS * questions) {
    missed.push(`${percent(errors / Math.max(1, questions))} of the questions had no right answer`);
  }
  if (!result.validity.trusted) {
    return { rate, verdict: 'void', reasons: result.validity.reasons, result };
  }
  return { rate, verdict: missed.length > 0 ? 'missed' : 'kept', reasons: missed, result };
}

const missedText = ({ condition, actual }: Checked) =>
  `${condition.metric} was ${valueText(actual, condition.kind)}`;

/** Keeps the first clause of a reason, which says what was wrong; the rest says what to do. */
const firstWords = (reason: string) => reason.split(/[.;:] /)[0]!;

/** One step as a line. */
export function stepText({ rate, verdict, reasons, result }: KneeStep): string {
  const said = { kept: 'kept', missed: 'not kept', void: 'not to be trusted' }[verdict];
  const { response } = result;
  return `${count(rate).padStart(9)} per second: ${said.padEnd(8)}  p50 ${time(response.p50)}, p99 ${time(response.p99)}${reasons.length > 0 ? `  (${reasons.map(firstWords).join('; ')})` : ''}`;
}

/** The result of the search as a sentence. */
export function kneeSentence(
  { rate, beyond, limit, interrupted }: Knee,
  target: readonly Condition[],
): string {
  const wanted = target.map(({ text }) => text).join(' and ');
  if (interrupted) return `Interrupted before the knee for ${wanted} was found`;
  if (rate === null) {
    return limit === 'ourselves'
      ? `Nothing is known of ${wanted}: no step can be trusted`
      : `${wanted} was kept at no rate`;
  }
  if (limit === 'none')
    return `${wanted} was kept at all rates up to ${count(rate)} per second, the most that was tried`;
  return limit === 'ourselves'
    ? `${wanted} was kept up to ${count(rate)} per second; beyond, at ${count(beyond!)}, this side was the limit and not the server`
    : `${wanted} was kept up to ${count(rate)} per second, and not at ${count(beyond!)}`;
}

export const kneeLines = (knee: Knee, target: readonly Condition[]): string[] => [
  ...knee.steps.map(stepText),
  '',
  kneeSentence(knee, target),
];
