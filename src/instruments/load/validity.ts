/**
 * Decides whether a run can be trusted, from the behaviour of the load generator itself. A pure
 * function from figures to sentences.
 */
import { count, several } from '../report/figures.ts';
import type { Ended } from './batch.ts';
import type { LoadPlan } from './plan.ts';
import type { LoadResult, Validity } from './result.ts';
import type { Conduct } from './tally.ts';

/** Share of a core from which the loop counts as saturated. */
const SATURATED = 0.95;
/** Below this share of the wanted rate, a note is added. */
const LEAST_REACHED = 0.98;
/**
 * Limit for the stalled share of the measured time. It equals the share of answers above the p99.
 */
const MOST_STALLED = 0.01;
/** Limit for a single stall, in ms, however long the run is. */
const LONGEST_STALL = 1000;
/** Limit for the delay of a start, in ms. Shards that start later do not measure the same time. */
const LATEST_START = 1000;

const percent = (share: number) => `${Math.round(share * 100)} %`;
const ms = (time: number) => `${time < 10 ? time.toFixed(1) : Math.round(time)} ms`;

/** Reached rate divided by wanted rate; null if no rate was wanted. */
export const rateRatioOf = ({ rate, wantedRate }: LoadResult['totals']): number | null =>
  wantedRate ? rate / wantedRate : null;

/** Why no question had a right answer, as far as the counts show. */
function whyNone(
  { bytesReceived, errors }: LoadResult['totals'],
  { wrong, refused, connectFailed }: LoadResult['outcomes'],
): string {
  if (wrong > 0) return 'the answers were others; check that --questions has those of this server';
  if (bytesReceived > 0) {
    return `${count(bytesReceived)} bytes came back, but no complete answer; say with --framing how this server ends its answers`;
  }
  if (errors > 0 && errors === refused + connectFailed) {
    return 'no connection came about; check that a server listens there';
  }
  return 'see the outcomes, and check that host, port and questions are those of this server';
}

export function judge(
  plan: LoadPlan,
  { totals, outcomes }: Pick<LoadResult, 'totals' | 'outcomes'>,
  { lag, cpu, stalls }: Conduct,
  ended: Ended,
): Validity {
  const reasons: string[] = [];
  const notes: string[] = [];
  const isOpen = plan.loop === 'open';
  const rateRatio = rateRatioOf(totals);
  const isLate = lag !== null && lag.p99 > plan.maxLag;

  if (ended.interrupted)
    reasons.push('It was interrupted: the rest of the plan was not carried out.');
  if (ended.unreached > 0) {
    reasons.push(
      `The rate is out of reach: ${count(ended.unreached)} of ${several(totals.questions, 'question')} came due while millions were waiting already, and were left out. Ask for less, or split the plan with --shard.`,
    );
  }
  if (totals.answers === 0 && !ended.interrupted) {
    reasons.push(`There was not one right answer: ${whyNone(totals, outcomes)}.`);
  }
  if (isLate) {
    reasons.push(
      `Questions left later than they were due through no fault of the server: the schedule lagged by ${ms(lag.p99)} (p99, allowed are ${ms(plan.maxLag)}). Ask for less, or split the plan with --shard.`,
    );
  }
  if (!isLate && (stalls.share > MOST_STALLED || stalls.longest > LONGEST_STALL)) {
    reasons.push(
      `The load was kept from asking for ${percent(stalls.share)} of the time, ${ms(stalls.longest)} at a stretch: it was stopped, or others or a quota kept it from a processor. Give it a processor of its own.`,
    );
  }
  if (isOpen && cpu >= SATURATED && !isLate) {
    reasons.push(
      `The load used ${percent(cpu)} of a core, so its times are its own as much as the server's. Ask for less, or split the plan with --shard.`,
    );
  }
  if (outcomes.noPorts > 0) {
    reasons.push(
      `This machine had no port left ${outcomes.noPorts} times: each closed connection keeps its port for a minute. Open fewer connections per second.`,
    );
  }
  if (outcomes.noDescriptors > 0) {
    reasons.push(
      `The load had no descriptor left ${outcomes.noDescriptors} times. Raise the limit with ulimit -n, or use fewer connections.`,
    );
  }
  if (ended.startedLate > LATEST_START) {
    reasons.push(
      `It began ${ms(ended.startedLate)} after the time it was to begin at, so it did not run beside the other shards. Choose a later --start-at.`,
    );
  }
  if (!isOpen && cpu >= SATURATED) {
    notes.push(
      `The load used ${percent(cpu)} of a core: the server may be faster than it could be asked here.`,
    );
  }
  if (rateRatio !== null && rateRatio < LEAST_REACHED && reasons.length === 0) {
    notes.push(
      `Only ${percent(rateRatio)} of the wanted rate was answered in time: the server did not keep up, and what waited is in the response times.`,
    );
  }
  return {
    trusted: reasons.length === 0,
    reasons,
    notes,
    interrupted: ended.interrupted,
    lag,
    cpu,
    stalls,
    rateRatio,
  };
}
