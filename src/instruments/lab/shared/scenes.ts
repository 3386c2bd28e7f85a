/** The scenes of a lecture, in its order; and links to what is on the screen. */

import { LIMITS, type Mix, type Plan, type StagePlan, sizes } from './plan.ts';
import { MOST } from './records.ts';

export interface Scene extends Plan {
  /** The key that plays it. */
  readonly key: string;
  readonly name: string;
  /** What a viewer must look for. */
  readonly sentence: string;
}

const six: Mix = {
  clients: 6,
  silent: 1,
  slow: 0,
  leaving: 0,
  pipelining: 0,
  pause: 1000,
  questions: 0,
};
const usual = {
  seed: 7,
  mix: six,
  // One thread can answer all of them: who waits, waits for a client and not for answers.
  think: 80,
  thinking: 'block',
  limits: {},
  dryRun: false,
} as const;

export const scenes: readonly Scene[] = [
  {
    ...usual,
    key: '1',
    name: 'silent',
    title: 'One silent client',
    sentence: 'One client says nothing. Who waits for it?',
    stages: [{ architecture: 'single' }, { architecture: 'poll' }],
  },
  {
    ...usual,
    key: '2',
    name: 'turns',
    title: 'One after the other',
    sentence: 'Two clients ask a server of one thread. When is the second answered?',
    mix: { ...six, clients: 2, silent: 0, questions: 4 },
    think: 500,
    stages: [{ architecture: 'single' }],
  },
  {
    ...usual,
    key: '3',
    name: 'timeout',
    title: 'A time limit for silence',
    sentence: 'The server ends clients that are silent for 3 s. Does it help, and for how long?',
    limits: { idle: 3 },
    stages: [{ architecture: 'single' }, { architecture: 'threaded', threads: 4 }],
  },
  {
    ...usual,
    key: '4',
    name: 'capacity',
    title: 'Capacity is threads',
    sentence: 'How many silent clients stop four threads, and how many four processes?',
    // Each honest client asks one question and comes again, so the last free thread serves all of them in turn.
    mix: { ...six, silent: 3, pause: 400, questions: 1 },
    stages: [
      { architecture: 'threaded', threads: 4 },
      { architecture: 'prefork', processes: 4 },
    ],
  },
  {
    ...usual,
    key: '5',
    name: 'queues',
    title: 'Two places to wait',
    sentence: 'Where does the fifth client wait: in the kernel, or in the server?',
    mix: { ...six, clients: 8, silent: 4 },
    stages: [
      { architecture: 'threaded', threads: 4 },
      { architecture: 'queued', threads: 4, queue: 4 },
    ],
  },
  {
    ...usual,
    key: '6',
    name: 'growing',
    title: 'A thread for each client',
    sentence: 'Clients decide how many threads there are. What does a silent one cost?',
    mix: { ...six, clients: 24, silent: 16 },
    stages: [{ architecture: 'socketserver' }, { architecture: 'inetd' }],
  },
  {
    ...usual,
    key: '7',
    name: 'one-place',
    title: 'One place to sleep',
    sentence: 'Fifty clients are silent, and one thread waits for all. Who waits now?',
    mix: { ...six, clients: 54, silent: 50 },
    stages: [{ architecture: 'select' }, { architecture: 'poll' }, { architecture: 'epoll' }],
  },
  {
    ...usual,
    key: '8',
    name: 'long-answers',
    title: 'One thread makes all answers',
    sentence:
      'All clients speak, but answers take a second. What does waiting for all clients help?',
    mix: { ...six, clients: 4, silent: 0 },
    think: 1000,
    stages: [{ architecture: 'poll' }, { architecture: 'threaded', threads: 4 }],
  },
  {
    ...usual,
    key: '9',
    name: 'loops',
    title: 'Callbacks, coroutines, generators, a framework',
    sentence: 'Four ways to write one loop. Can you tell them apart from outside?',
    mix: { ...six, clients: 12, silent: 6 },
    stages: [
      { architecture: 'callback' },
      { architecture: 'coroutine' },
      { architecture: 'generator' },
      { architecture: 'asyncore' },
    ],
  },
];

export const sceneNamed = (name: string): Scene | undefined =>
  scenes.find((scene) => scene.name === name);

const numbers = [
  'clients',
  'silent',
  'slow',
  'leaving',
  'pipelining',
  'pause',
  'questions',
] as const;
/** Greatest value of each number in a link, and in a command. */
export const greatest: Readonly<Record<string, number>> = {
  clients: MOST.clients,
  silent: MOST.clients,
  slow: MOST.clients,
  leaving: MOST.clients,
  pipelining: MOST.clients,
  pause: 60_000,
  questions: 1_000_000,
  threads: 64,
  processes: 16,
  queue: 4096,
  backlog: 65_535,
  'max-threads': 64,
  wait: 1,
  seed: 2 ** 32 - 1,
  think: 5000,
  idle: 3600,
  'question-time': 3600,
  'answer-time': 3600,
  'connections-per-address': 10_000,
  'accepts-per-second': 10_000,
  'question-size': 1_000_000,
};
const TITLE = 120;

/**
 * What is on the screen as the fragment of a URL, as a person can read and change it:
 * `#/s?a=single,threaded:threads=4&clients=6&silent=1&…`.
 */
export function linkOf(plan: Plan): string {
  const stages = plan.stages.map((stage) =>
    [
      stage.architecture,
      ...sizes.flatMap((size) => (stage[size] === undefined ? [] : [`${size}=${stage[size]}`])),
    ].join(':'),
  );
  const parts = [
    `a=${stages.join(',')}`,
    ...numbers.flatMap((name) => (plan.mix[name] === 0 ? [] : [`${name}=${plan.mix[name]}`])),
    `think=${plan.think}`,
    ...(plan.thinking === 'defer' ? ['defer=1'] : []),
    ...LIMITS.flatMap((name) => (plan.limits[name] ? [`${name}=${plan.limits[name]}`] : [])),
    ...(plan.dryRun ? ['dry-run=1'] : []),
    `seed=${plan.seed}`,
    `title=${encodeURIComponent(plan.title)}`,
  ];
  return `#/s?${parts.join('&')}`;
}

/**
 * The plan of a link; undefined: it is none, or has a wrong value. Whether an architecture exists is not checked
 * here. A link never starts an attack.
 */
export function planOf(link: string): Plan | undefined {
  if (!link.startsWith('#/s?')) return;
  const given = new Map<string, string>();
  for (const part of link.slice(4).split('&')) {
    const equals = part.indexOf('=');
    if (equals < 1) return;
    given.set(part.slice(0, equals), part.slice(equals + 1));
  }
  const number = (name: string) => wholeOf(name, given.get(name) ?? '0');
  const mix = Object.fromEntries(numbers.map((name) => [name, number(name)]));
  const stages = (given.get('a') ?? '').split(',').map(stageOf);
  const [seed, think] = [number('seed'), number('think')];
  const limits = LIMITS.map((name) => [name, number(name)] as const);
  const title = titleOf(given.get('title') ?? '');
  const values = [...stages, ...Object.values(mix), ...limits.map(([, value]) => value)];
  const isWrong = [...values, seed, think, title].includes(undefined);
  if (isWrong || stages.length > MOST.stages) return;
  return {
    title: title!,
    seed: seed!,
    mix: mix as unknown as Mix,
    stages: stages as readonly StagePlan[],
    think: think!,
    thinking: given.get('defer') === '1' ? 'defer' : 'block',
    limits: Object.fromEntries(limits.filter(([, value]) => value !== 0)),
    dryRun: given.get('dry-run') === '1',
  };
}

function wholeOf(name: string, text: string): number | undefined {
  const value = /^\d{1,10}$/.test(text) ? Number(text) : Number.NaN;
  return value <= greatest[name]! ? value : undefined;
}

function stageOf(text: string): StagePlan | undefined {
  const [architecture, ...rest] = text.split(':');
  if (!/^[a-z]{1,20}$/.test(architecture!)) return;
  const plan: Record<string, string | number> = { architecture: architecture! };
  for (const part of rest) {
    const [name, value] = part.split('=');
    const size = sizes.find((known) => known === name);
    const whole = size === undefined ? undefined : wholeOf(size, value ?? '');
    if (size === undefined || whole === undefined) return;
    plan[size] = whole;
  }
  return plan as unknown as StagePlan;
}

function titleOf(text: string): string | undefined {
  try {
    return decodeURIComponent(text).slice(0, TITLE);
  } catch {
    return undefined;
  }
}
