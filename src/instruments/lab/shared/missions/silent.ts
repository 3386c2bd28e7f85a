/** Missions on silent and slow clients of a server with one thread. No Node and no DOM in here. */

import type { Mission, View } from '../mission.ts';
import { EVENT, PLACE } from '../records.ts';
import { nc, press, stayers, usual } from './common.ts';
import {
  added,
  answersGrown,
  countOf,
  isCast,
  isDoing,
  isNc,
  newEndings,
  passed,
  ratio,
  stageOf,
} from './goals.ts';

/** The limit `idle` of the stage in s; 0: it is off. */
const idleOf = ({ model }: View) =>
  model.stages[0]!.setup.limits.find(([name]) => name === 'idle')?.[1] ?? 0;

const robustness: Mission = {
  key: '1b',
  box: 'Practice single-threaded server: 2. Robustness test (nc)',
  section: '2-robustness',
  title: 'A silent client',
  plan: {
    ...usual,
    title: 'Mission 1b: a silent client',
    stages: [{ architecture: 'single' }],
  },
  hasProbe: false,
  question: {
    text: 'An nc is connected and says nothing. Another client calls connect. What happens?',
    choices: [
      'connect fails',
      'connect waits until nc has left',
      'connect succeeds, and the log of the server shows it',
      'connect succeeds, and the log of the server shows nothing',
    ],
    right: 3,
  },
  steps: [
    {
      text: 'Connect one silent nc (key N), and look at the queue of the kernel.',
      buttons: [nc(0)],
      goals: [
        {
          id: 'waits-connected',
          text: 'For 2 s a client is connected, and the server accepts no client.',
          held: 2000,
          holds: (view) => {
            const stage = stageOf(view, 0);
            const isHeld = countOf(stage, isNc, PLACE.served) > 0;
            const waits = countOf(stage, isCast, PLACE.kernel) > 0 && stage.queue.waiting > 0;
            return isHeld && waits ? stage.server.accepted : false;
          },
        },
      ],
    },
    {
      text: 'Let the server end clients that are silent for 3 s. Then connect one nc again.',
      buttons: [press('Limit: idle 3 s', { do: 'limit', s: 0, name: 'idle', value: 3 }), nc(0)],
      goals: [
        {
          id: 'limited',
          text: 'The limit ends an nc.',
          held: 0,
          holds: ({ marks }) => (marks.limited ?? 0) > 0,
        },
        {
          id: 'served-again',
          text: 'After that, an honest client gets an answer.',
          held: 0,
          holds: ({ marks }) => (marks.afterLimit ?? 0) > 0,
        },
      ],
    },
    {
      text: 'Now defeat the limit: connect an nc again and again.',
      buttons: [nc(0)],
      goals: [
        {
          id: 'defeated',
          text: 'For 5 s no honest client gets an answer, though each nc is ended after 3 s.',
          held: 5000,
          holds: (view) => {
            const stage = stageOf(view, 0);
            const isHeld = idleOf(view) > 0 && countOf(stage, isNc) > 0;
            return isHeld && countOf(stage, isCast) > 0 ? stage.users.answered : false;
          },
        },
      ],
    },
  ],
  note: (view) => {
    const idle = newEndings(view, 0, EVENT.limited).filter(({ reason }) => reason === 'idle');
    const answers = view.marks.limited === undefined ? 0 : answersGrown(view, 0);
    return added(added(view.marks, 'afterLimit', answers), 'limited', idle.length);
  },
  measured: (_, hasReached) => (hasReached('waits-connected') ? 3 : undefined),
  why: 'The kernel connects a client without the server, and puts it into the accept queue. The thread of the server sleeps in recv, for the nc. It does not call accept, so the server does not know that other clients are there. A time limit ends the nc. But an attacker who connects often enough defeats it: each nc takes the thread for 3 s more.',
  command: "ss -ltn 'sport = :1060'",
  after: {
    text: 'Which number of ss shows the clients that wait?',
    choices: [
      'Recv-Q of the line LISTEN',
      'Send-Q of the line LISTEN',
      'the number of lines ESTAB',
      'none: the kernel hides it',
    ],
    right: 0,
  },
  next: 'Mission 1c: where the time goes. Or mission 4: a server that needs no time limit here.',
};

const performance: Mission = {
  key: '1c',
  box: 'Practice single-threaded server: 3. Performance test (trace)',
  section: '3-performance',
  title: 'Where the time goes',
  plan: {
    ...usual,
    title: 'Mission 1c: where the time goes',
    mix: { ...stayers, slow: 2 },
    think: 0,
    stages: [{ architecture: 'single' }],
  },
  hasProbe: false,
  question: {
    text: 'A client types slowly, and the server answers it at once. For what share of the time does the thread of the server work?',
    unit: '%',
    most: 100,
    share: 0.25,
    least: 10,
  },
  steps: [
    {
      text: 'Watch the thread. What does the kernel say that it does?',
      buttons: [press('Trace the lines', { do: 'trace', s: 0, on: true })],
      goals: [
        {
          id: 'asleep',
          text: 'The thread sleeps for one client, for 1 s.',
          held: 1000,
          holds: (view) => isDoing(stageOf(view, 0), 'asleep for one client'),
        },
        {
          id: 'line',
          text: 'You see the line where it sleeps: it calls recv.',
          held: 0,
          isExtra: true,
          holds: ({ model }) => {
            const { lines, code } = model.stages[0]!;
            return [...lines.values()].some(({ file, line, since }) => {
              const text = code.get(file)?.text.split('\n')[line - 1] ?? '';
              return text.includes('recv') && model.t - since >= 500;
            });
          },
        },
      ],
    },
    {
      text: 'Watch it for ten seconds.',
      buttons: [],
      goals: [
        {
          id: 'share',
          text: 'In 10 s, the thread was asleep for more than three quarters of the time.',
          held: 0,
          holds: ({ marks }) => {
            const asleep = ratio(marks, 'asleep', 'seen') ?? 0;
            return (marks.seen ?? 0) >= 10_000 && asleep > 0.75;
          },
        },
      ],
    },
  ],
  note: (view) => {
    const stage = stageOf(view, 0);
    const isAsleep = isDoing(stage, 'asleep for one client') || isDoing(stage, 'asleep for anyone');
    const isWorking = isDoing(stage, 'working');
    if (!isAsleep && !isWorking) return view.marks;
    const seen = added(view.marks, 'seen', passed(view));
    return isAsleep ? added(seen, 'asleep', passed(view)) : seen;
  },
  measured: (marks) => {
    const asleep = ratio(marks, 'asleep', 'seen');
    return asleep === undefined ? undefined : Math.round(1000 * (1 - asleep)) / 10;
  },
  why: 'An answer takes some µs. A person who types needs seconds, and so does a slow network. The thread sleeps in recv for all of that time. So faster code changes nothing here. It helps to serve other clients during the wait: all later servers of the chapter do that, each in its own way.',
  command: 'npx mondo trace single --summary',
  after: {
    text: 'You make the code that answers ten times as fast. How many more slow clients does this server serve in an hour?',
    choices: ['ten times as many', 'twice as many', 'about as many as before', 'fewer'],
    right: 2,
  },
  next: 'Mission 2: more threads.',
};

export const silent: readonly Mission[] = [robustness, performance];
