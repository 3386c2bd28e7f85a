/** Names for the outcomes of a run, and a plan in words. */
import { constants } from 'node:os';
import { getSystemErrorMessage } from 'node:util';
import { count, several, time } from '../report/figures.ts';
import type { LoadPlan, Stage } from './plan.ts';
import type { LoadResult, Outcomes } from './result.ts';

/** Each outcome with its name in conditions and its meaning, in the order of `Outcomes`. */
export const outcomeWords: readonly (readonly [keyof Outcomes, string, string])[] = [
  ['answered', 'answered', 'the right answer, in time'],
  ['late', 'late', 'the right answer, after the deadline'],
  ['wrong', 'wrong', 'an answer that is not the expected one'],
  ['resetBefore', 'reset-before', 'connection reset before the answer'],
  ['resetInside', 'reset-inside', 'connection reset inside the answer'],
  ['closedBefore', 'closed-before', 'connection closed before the answer'],
  ['closedInside', 'closed-inside', 'connection closed inside the answer'],
  ['timedOut', 'timed-out', 'no answer within the timeout'],
  ['neverServed', 'never-served', 'unanswered, or not even sent, when the run was over'],
  ['refused', 'refused', 'connections refused'],
  ['connectTimeout', 'connect-timeout', 'attempts to connect that took too long'],
  ['connectFailed', 'connect-failed', 'attempts to connect that failed for another reason'],
  ['noPorts', 'no-ports', 'attempts to connect without a free port on this machine'],
  [
    'noDescriptors',
    'no-descriptors',
    'attempts to connect without a free descriptor in this process',
  ],
  ['extraBytes', 'extra-bytes', 'connections with bytes without a question'],
];

/** The meaning of an outcome in a run. For attempts to connect that failed, it names the errors. */
export function outcomeText(
  key: keyof Outcomes,
  meaning: string,
  { connectErrors }: Pick<LoadResult, 'connectErrors'>,
): string {
  const errors = Object.entries(connectErrors).sort(([, a], [, b]) => b - a);
  if (key !== 'connectFailed' || errors.length === 0) return meaning;
  const names = errors.map(([name, times]) => `${errorText(name)}: ${count(times)}`);
  return `attempts to connect that failed, by error: ${names.join(', ')}`;
}

function errorText(name: string): string {
  const number = (constants.errno as Readonly<Record<string, number>>)[name];
  return number === undefined ? name : `${name} (${getSystemErrorMessage(-number)})`;
}

/** Host and port as one word. */
export const targetOf = ({ host, port }: Pick<LoadPlan, 'host' | 'port'>): string =>
  host.startsWith('unix:')
    ? host
    : host.includes(':')
      ? `[${host.replace(/^\[(.*)\]$/, '$1')}]:${port}`
      : `${host}:${port}`;

/** What a plan does, in one line. */
export function planText(plan: LoadPlan): string {
  const { connections, pipeline, questionsPerConnection: each, think, shard } = plan;
  return [
    loopText(plan),
    several(connections, 'connection'),
    ...(pipeline > 1 ? [`${pipeline} questions in flight on each`] : []),
    ...(each > 0 ? [`${several(each, 'question')} per connection`] : []),
    ...(think > 0
      ? [`${time(think)} of think time${plan.thinkHow === 'exponential' ? ' on average' : ''}`]
      : []),
    ...(shard.of > 1 ? [`shard ${shard.index} of ${shard.of}`] : []),
  ].join(', ');
}

function loopText({ loop, stages, arrivals }: LoadPlan): string {
  if (loop === 'closed') return 'closed loop';
  const counted = stages.filter(({ kind }) => kind !== 'warm-up');
  const rates = counted.flatMap(({ from = 0, to = from }) => [from, to]);
  const [least, most] = [Math.min(...rates), Math.max(...rates)];
  const rate = least === most ? count(least) : `${count(least)} to ${count(most)}`;
  return `open loop at ${rate} per second${arrivals === 'poisson' ? ', Poisson' : ''}`;
}

/** A stage in the syntax of `--stage`. */
export function stageText({ kind, seconds: length, from, to }: Stage): string {
  const rate =
    from === undefined ? '' : `:${from}${to === undefined || to === from ? '' : `..${to}`}`;
  return `${kind}:${length}s${rate}`;
}
