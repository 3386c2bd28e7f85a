/** From what is on the screen to a plan that can be changed, and to the commands that do the same. Pure. */

import type { Setup, StageSetup } from '../shared/model.ts';
import { LIMITS, type LimitName, type Plan, type StagePlan } from '../shared/scenes.ts';

/** Architectures that take each size. */
const takes = {
  threads: new Set([
    'threaded',
    'queued',
    'select',
    'poll',
    'epoll',
    'uring',
    'callback',
    'coroutine',
    'generator',
  ]),
  processes: new Set([
    'prefork',
    'select',
    'poll',
    'epoll',
    'uring',
    'callback',
    'coroutine',
    'generator',
  ]),
  queue: new Set(['queued']),
} as const;

export const isTaking = (architecture: string, size: keyof typeof takes): boolean =>
  takes[size].has(architecture);

/** A backlog of 8 holds 9. This is what a server takes that is not asked. */
const USUAL_LIMIT = 1025;

/** A set-up has no field for some options: its command has them. */
const maxThreads = /--max-threads[ =](\d+)/;
const waits = /--inetd[ =]wait\b/;

export function stagePlanOf(setup: StageSetup): StagePlan {
  const { architecture, threads, processes, queue, limit, command } = setup;
  const most = maxThreads.exec(command)?.[1];
  return {
    architecture,
    ...(isTaking(architecture, 'threads') && threads > 1 ? { threads } : {}),
    ...(isTaking(architecture, 'processes') && processes > 1 ? { processes } : {}),
    ...(queue > 0 ? { queue } : {}),
    ...(limit > 1 && limit !== USUAL_LIMIT ? { backlog: limit - 1 } : {}),
    ...(most === undefined ? {} : { 'max-threads': Number(most) }),
    ...(waits.test(command) ? { wait: 1 } : {}),
  };
}

/** The plan of what runs now. Limits are those of the first stage. */
export function planOfSetup({ title, seed, mix, stages }: Setup): Plan {
  const [first] = stages;
  return {
    title,
    seed,
    mix,
    stages: stages.map(stagePlanOf),
    think: first?.think ?? 0,
    thinking: first?.thinking ?? 'block',
    limits: first === undefined ? {} : limitsOf(first),
    dryRun: first?.command.includes('--dry-run') ?? false,
  };
}

export function limitsOf({ limits }: StageSetup): Plan['limits'] {
  const set = limits.flatMap(([name, value]) => {
    const known = LIMITS.find((limit) => limit === name);
    return known === undefined || value === 0 ? [] : [[known, value] as const];
  });
  return Object.fromEntries(set);
}

/** How a value of a limit is written, and what it counts. */
export const units: Readonly<
  Record<LimitName, { readonly unit: string; readonly usual: number; readonly text: string }>
> = {
  idle: { unit: 's', usual: 3, text: 'silent between two questions' },
  'question-time': { unit: 's', usual: 3, text: 'for one question to arrive' },
  'answer-time': { unit: 's', usual: 3, text: 'for one answer to be read' },
  'connections-per-address': { unit: '', usual: 4, text: 'connections of one address' },
  'accepts-per-second': {
    unit: '',
    usual: 20,
    text: 'new connections in a second, of one address',
  },
  'question-size': { unit: '', usual: 4096, text: 'bytes of one question' },
};

export const limitText = (name: LimitName, value: number): string =>
  `--limit ${name}=${value}${units[name].unit}`;

export const siegeCommand = (architecture: string, attack: string, seconds: number): string =>
  `mondo siege ${architecture} --attack ${attack} --seconds ${seconds} --limits off`;
