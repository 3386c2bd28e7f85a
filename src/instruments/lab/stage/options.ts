/** What a stage starts, as options of `serve` and as the command of `mondo serve` that starts the same server. */

import type { RestartOptions, ServeOptions } from '../../../host/plan.ts';
import { defaultLimits, type Limits, noLimits } from '../../../limits/limits.ts';
import type { Limits as SetLimits, StageOrder } from '../parts.ts';
import { LIMITS, type LimitName } from '../shared/plan.ts';
import type { StageSetup } from '../shared/records.ts';

/**
 * Time that a replaced worker has for its clients, in ms. A viewer changes limits several times a minute, and the fifth
 * restart waits for the oldest workers.
 */
const DRAIN_MS = 60_000;

/** Beyond the thinking time, the time without a turn that makes a worker stuck, in ms. */
const STUCK_MS = 5000;

const optionOf: Readonly<Record<LimitName, keyof Limits>> = {
  idle: 'idle',
  'question-time': 'questionTime',
  'answer-time': 'answerTime',
  'connections-per-address': 'connectionsPerAddress',
  'accepts-per-second': 'acceptsPerSecond',
  'question-size': 'questionSize',
};
const isTime = (name: LimitName) => ['idle', 'question-time', 'answer-time'].includes(name);

/** What a restart of a stage changes. */
export type Restart = Pick<StageOrder, 'limits' | 'dryRun'>;

/** All limits that a viewer can set. Those that are not given are off. */
export const changesOf = ({
  limits,
  dryRun,
}: Restart): Required<Pick<RestartOptions, 'limits' | 'dryRun'>> => ({
  limits: Object.fromEntries(
    LIMITS.map((name) => {
      const value = limits[name] ?? 0;
      return [optionOf[name], isTime(name) ? Math.round(value * 1000) : value];
    }),
  ),
  dryRun,
});

export const serveOptionsOf = (order: StageOrder): ServeOptions => {
  const { limits, dryRun } = changesOf(order);
  const { 'max-threads': maxThreads, wait, ...plan } = order.plan;
  return {
    ...plan,
    ...(maxThreads === undefined ? {} : { maxThreads }),
    ...(wait === 1 ? { inetd: 'wait' } : {}),
    host: '127.0.0.1',
    port: 0,
    think: order.think,
    thinkHow: order.thinking,
    limits: { ...noLimits, ...limits },
    dryRun,
    drain: DRAIN_MS,
    stuck: order.think + STUCK_MS,
    ...(order.burning === true ? { service: burning } : {}),
  };
};

const burning = new URL(`../../siege/burning${import.meta.filename.slice(-3)}`, import.meta.url);

/** The limits that are set, for `StageSetup`. */
export const limitsOf = ({ limits }: { readonly limits: SetLimits }): StageSetup['limits'] =>
  LIMITS.flatMap((name) => {
    const value = limits[name] ?? 0;
    return value === 0 ? [] : [[name, value] as const];
  });

/** The command that starts the same server at the usual port. */
export function commandOf(order: Omit<StageOrder, 's' | 'epoch'>): string {
  const { plan, think, thinking, limits, dryRun } = order;
  const words = ['mondo', order.trace === true ? 'trace' : 'serve', plan.architecture];
  for (const size of ['threads', 'processes', 'queue', 'backlog', 'max-threads'] as const) {
    if (plan[size] !== undefined) words.push(`--${size} ${plan[size]}`);
  }
  if (plan.wait === 1) words.push('--inetd wait');
  if (think > 0) words.push(`--think ${think}`);
  if (thinking === 'defer') words.push('--think-how defer');
  for (const name of LIMITS) {
    const value = limits[name] ?? 0;
    if (value > 0) words.push(`--limit ${name}=${isTime(name) ? timeText(value) : value}`);
    else if (defaultLimits[optionOf[name]] !== 0) words.push(`--limit ${name}=off`);
  }
  for (const name of ['connections', 'unsent', 'unsent-total']) words.push(`--limit ${name}=off`);
  if (dryRun) words.push('--dry-run');
  return words.join(' ');
}
const timeText = (seconds: number): string =>
  Number.isInteger(seconds) ? `${seconds}s` : `${Math.round(seconds * 1000)}ms`;
