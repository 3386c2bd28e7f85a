/** Missions on pools of threads and processes. No Node and no DOM in here. */

import type { Button, Marks, Mission, View } from '../mission.ts';
import { FIRST_NC } from '../wire.ts';
import { nc, release, stayers, usual, visitors } from './common.ts';
import {
  added,
  countOf,
  greatest,
  hasLostProcess,
  isGreen,
  isNc,
  isRed,
  lanesOf,
  ncServed,
  silentServed,
  stageOf,
} from './goals.ts';

/** Clients and threads of a process go within this time, in ms. */
const SAME_CRASH = 3000;

/** Counts processes that are lost while they have an nc. */
function noteCrash(view: View, s: number): Marks {
  const { t } = view.model;
  const seen = ncServed(view, s) > 0 ? { ...view.marks, [`nc${s}`]: t } : view.marks;
  // The clients of a process may be gone some frames before its threads are.
  const hadNc = t - (seen[`nc${s}`] ?? Number.NEGATIVE_INFINITY) <= SAME_CRASH;
  return hadNc && hasLostProcess(view, s) ? added(seen, `lost${s}`, 1) : seen;
}

const both = (holds: (s: number) => boolean): boolean => holds(0) && holds(1);

/** Kills the process that serves an nc; any process of the stage if none does. */
const kill = (label: string, s: number): Button => ({
  label,
  commands: ({ stages }) => {
    const stage = stages[s];
    const lanes = stage === undefined ? [] : lanesOf(stage).filter(({ pid }) => pid > 0);
    const holder = lanes.find(({ client }) => client >= FIRST_NC) ?? lanes[0];
    return holder === undefined ? [] : [{ do: 'signal', s, pid: holder.pid, signal: 'SIGKILL' }];
  },
});

const capacity: Mission = {
  key: '2',
  box: 'Practice threaded and multiprocess servers',
  section: 'threaded-and-multiprocess-servers',
  title: 'How many silent clients stop it?',
  plan: {
    ...usual,
    title: 'Mission 2: capacity is threads',
    mix: { ...visitors, clients: 1 },
    stages: [
      { architecture: 'threaded', threads: 4 },
      { architecture: 'prefork', processes: 4 },
    ],
  },
  hasProbe: true,
  question: {
    text: 'One server has four threads, and the other has four processes. How many silent clients stop each of them?',
    unit: 'clients',
    most: 1000,
    share: 0,
    least: 0,
  },
  steps: [
    {
      text: 'Connect three silent nc to both servers.',
      buttons: [nc(-1)],
      goals: [
        {
          id: 'three',
          text: 'Three are silent, and both probes are green for 3 s.',
          held: 3000,
          holds: (view) => both((s) => ncServed(view, s) === 3 && isGreen(stageOf(view, s))),
        },
      ],
    },
    {
      text: 'Connect one more to both.',
      buttons: [nc(-1)],
      goals: [
        {
          id: 'four',
          text: 'Four are silent, and both probes are red for 3 s.',
          held: 3000,
          holds: (view) => both((s) => ncServed(view, s) >= 4 && isRed(stageOf(view, s))),
        },
      ],
    },
    {
      text: 'End them, and read the stopwatch.',
      buttons: [release(-1)],
      goals: [
        {
          id: 'recovered',
          text: 'No nc is there, and both probes are green again.',
          held: 1000,
          holds: (view) =>
            both((s) => countOf(stageOf(view, s), isNc) === 0 && isGreen(stageOf(view, s))),
        },
      ],
    },
    {
      text: 'Connect three silent nc again, and kill one process of prefork with SIGKILL.',
      buttons: [nc(-1), kill('Kill a process of prefork', 1)],
      goals: [
        {
          id: 'crash-one',
          text: 'A process of prefork is gone, and the other processes keep their clients.',
          held: 1000,
          holds: (view) => (view.marks.lost1 ?? 0) > 0 && ncServed(view, 1) >= 2,
        },
      ],
    },
    {
      text: 'Kill the process of threaded: all its threads are in it.',
      buttons: [kill('Kill the process of threaded', 0)],
      goals: [
        {
          id: 'crash-all',
          text: 'The process of threaded is gone, with all its silent clients.',
          held: 0,
          holds: (view) => (view.marks.lost0 ?? 0) > 0 && ncServed(view, 0) === 0,
        },
      ],
    },
  ],
  note: (view) => {
    const lost = [0, 1].reduce((marks, s) => noteCrash({ ...view, marks }, s), view.marks);
    const isStopped = both((s) => isRed(stageOf(view, s)) && ncServed(view, s) > 0);
    return isStopped ? greatest(lost, 'stopping', ncServed(view, 0)) : lost;
  },
  measured: ({ stopping }, hasReached) => (hasReached('four') ? stopping : undefined),
  why: 'Each thread and each process has one conversation at a time, so four silent clients hold all four. The capacity of such a server is its number of threads, however few questions there are. A crash shows the difference: it takes one process with its one client, or the process with all its threads and all their clients.',
  command: 'npx mondo serve threaded --threads 4',
  after: {
    text: 'What does a server with 1,000 threads need to be stopped in the same way?',
    choices: [
      '1,000 questions',
      '1,000 silent connections',
      'one very long question',
      'nothing can stop it',
    ],
    right: 1,
  },
  next: 'Mission 2b: where does the fifth client wait?',
};

const queues: Mission = {
  key: '2b',
  box: 'Threaded servers: a waiting queue of workers',
  section: 'threaded-and-multiprocess-servers',
  title: 'Two places to wait',
  plan: {
    ...usual,
    title: 'Mission 2b: two places to wait',
    mix: { ...stayers, clients: 6, silent: 4 },
    stages: [
      { architecture: 'queued', threads: 4, queue: 4 },
      { architecture: 'threaded', threads: 4 },
    ],
  },
  hasProbe: false,
  question: {
    text: 'Four silent clients hold all four threads of both servers. Where do the others wait?',
    choices: [
      'in the kernel, with both',
      'with queued in the queue of the server, with threaded in the kernel',
      'with queued in the kernel, with threaded in the queue of the server',
      'they do not wait: both servers refuse them',
    ],
    right: 1,
  },
  steps: [
    {
      text: 'Watch where the clients 5 and 6 stand.',
      buttons: [],
      goals: [
        {
          id: 'own-queue',
          text: 'queued has a client in its own queue, and none waits in the kernel.',
          held: 2000,
          holds: (view) => {
            const { queue } = stageOf(view, 0);
            return silentServed(view, 0) >= 4 && queue.own >= 1 && queue.waiting === 0;
          },
        },
        {
          id: 'kernel-queue',
          text: 'threaded has a client in the queue of the kernel.',
          held: 2000,
          holds: (view) => {
            const { queue } = stageOf(view, 1);
            return silentServed(view, 1) >= 4 && queue.waiting >= 1 && queue.own === 0;
          },
        },
      ],
    },
    {
      text: 'End the wait of one client more: connect five nc, until the own queue is full.',
      buttons: [nc(0, 5)],
      goals: [
        {
          id: 'overflow',
          text: 'The own queue of queued is full, and the next client waits in the kernel.',
          held: 0,
          holds: (view) => {
            const { queue, setup } = stageOf(view, 0);
            return queue.own >= setup.queue && queue.waiting >= 1;
          },
        },
      ],
    },
  ],
  note: ({ marks }) => marks,
  measured: (_, hasReached) =>
    hasReached('own-queue') && hasReached('kernel-queue') ? 1 : undefined,
  why: 'The acceptor of queued takes each client out of the kernel and puts it into a queue of its own. So the server knows how many wait, logs them, and limits them. The wait is as long as before: only a free thread ends it. A queue moves a wait to another place, and makes no thread.',
  command: 'npx mondo serve queued --queue 4',
  after: {
    text: 'You make the own queue ten times as long. What changes for a client that waits?',
    choices: ['it waits less long', 'it waits in another place', 'it is refused', 'it is answered'],
    right: 1,
  },
  next: 'Mission 3: a thread for each client.',
};

export const threads: readonly Mission[] = [capacity, queues];
