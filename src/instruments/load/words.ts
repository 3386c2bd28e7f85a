/** Figures as people read them, and names for what a run of load counts. */
import type { LoadPlan, Stage } from './plan.ts';
import type { Outcomes } from './result.ts';

/** A duration given in ms, with three significant digits and the unit that fits: 64 µs, 5.23 ms, 12.3 s. */
export function time(ms: number): string {
  if (ms === 0) return '0 ms';
  if (ms < 0.9995) return `${digits(ms * 1000)} µs`;
  return ms < 999.5 ? `${digits(ms)} ms` : `${digits(ms / 1000)} s`;
}

/** The same, or a dash where there is none. */
export const timeOr = (ms: number | null): string => (ms === null ? '–' : time(ms));

const digits = (value: number) => String(Number(value.toPrecision(3)));

/** 1234567 as 1,234,567; with decimals below 100, where they say something. */
export const count = (value: number): string =>
  value.toLocaleString('en-US', { maximumFractionDigits: value < 100 ? 2 : 0 });

/** A share from 0 to 1. Never 100 % for what is not all, nor 0 % for what is not nothing. */
export function percent(share: number): string {
  const value = share * 100;
  if (value > 99.9 && value < 100) return `${Math.floor(value * 1000) / 1000} %`;
  if (value > 0 && value < 0.01) return 'less than 0.01 %';
  return `${Number(value.toFixed(value < 10 ? 2 : 1))} %`;
}

export const mebibytes = (bytes: number): string => `${count(bytes / 2 ** 20)} MiB`;

export const seconds = (s: number): string => `${Number(s.toFixed(1))} s`;

/** `1 connection`, `2 connections`. */
export const several = (n: number, one: string, many = `${one}s`): string =>
  `${count(n)} ${n === 1 ? one : many}`;

/** Every outcome with its name as a condition writes it, in the order of `Outcomes`, and what it means. */
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
  ['extraBytes', 'extra-bytes', 'connections with bytes that nobody had asked for'],
];

/** Name and port, as one word. */
export const targetOf = ({ host, port }: Pick<LoadPlan, 'host' | 'port'>): string =>
  host.startsWith('unix:') ? host : host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;

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

/** A stage as `--stage` takes it. */
export function stageText({ kind, seconds: length, from, to }: Stage): string {
  const rate =
    from === undefined ? '' : `:${from}${to === undefined || to === from ? '' : `..${to}`}`;
  return `${kind}:${length}s${rate}`;
}
