/** Missions on ways to write a loop. No Node and no DOM in here. */

import type { Marks, Mission, View } from '../mission.ts';
import type { Client, Stage } from '../model.ts';
import type { Plan } from '../plan.ts';
import { PLACE } from '../records.ts';
import { planned, stayers, usual } from './common.ts';
import {
  added,
  answersGrown,
  clientsOf,
  greatest,
  isCast,
  isGreen,
  lanesOf,
  passed,
  ratio,
  silentServed,
  stageOf,
} from './goals.ts';

const six = (processes: number): Plan => ({
  ...usual,
  title: `Mission 5: answers of half a second, ${processes === 1 ? '1 process' : `${processes} processes`}`,
  mix: { ...stayers, clients: 6, pause: 100 },
  think: 500,
  stages: [{ architecture: 'callback', processes }],
});

const callbacks: Mission = {
  key: '5',
  box: 'Practice callback-style asyncio (srv_asyncio1)',
  section: 'callback-style',
  title: 'Methods that a loop calls',
  plan: {
    ...usual,
    title: 'Mission 5: methods that a loop calls',
    mix: { ...stayers, clients: 12, silent: 10 },
    stages: [{ architecture: 'callback' }],
  },
  hasProbe: true,
  question: {
    text: 'Six clients ask again and again, and each answer keeps the only thread for 0.5 s. How many seconds does a client wait for an answer, on average?',
    unit: 's',
    most: 60,
    share: 0.25,
    least: 0,
  },
  steps: [
    {
      text: 'Ten clients are silent. Watch the loop.',
      buttons: [],
      goals: [
        {
          id: 'stands',
          text: 'The loop holds ten silent clients, and the probe is green for 3 s.',
          held: 3000,
          holds: (view) => silentServed(view, 0) >= 10 && isGreen(stageOf(view, 0)),
        },
      ],
    },
    {
      text: 'Now six clients ask, and an answer keeps the thread for 0.5 s.',
      buttons: [planned('Answers of 0.5 s', '5', six(1))],
      goals: [
        {
          id: 'one-thread',
          text: 'In twelve answers, a client has waited for three answers or more, on average.',
          held: 0,
          holds: ({ marks }) =>
            (marks['answers 1'] ?? 0) >= 12 && (ratio(marks, 'asking 1', 'answers 1') ?? 0) >= 1500,
        },
      ],
    },
    {
      text: 'The same with two processes.',
      buttons: [planned('Two processes', '5', six(2))],
      goals: [
        {
          id: 'two-processes',
          text: 'Two processes make clearly more answers a second than one.',
          held: 0,
          holds: ({ marks }) => {
            const [one, two] = [
              ratio(marks, 'answers 1', 'time 1'),
              ratio(marks, 'answers 2', 'time 2'),
            ];
            const isEnough = (marks['answers 2'] ?? 0) >= 12;
            return isEnough && one !== undefined && two !== undefined && two >= 1.3 * one;
          },
        },
      ],
    },
  ],
  note: (view) => {
    const stage = stageOf(view, 0);
    const { processes, think } = stage.setup;
    if (think < 500) return view.marks;
    const name = processes > 1 ? '2' : '1';
    // At first not all clients are there.
    if (stage.users.answered < 6) return view.marks;
    const asking = clientsOf(stage).filter(({ asked }) => asked !== undefined).length;
    const timed = added(view.marks, `time ${name}`, passed(view));
    const waited = added(timed, `asking ${name}`, asking * passed(view));
    return added(waited, `answers ${name}`, answersGrown(view, 0));
  },
  // Little's law: the sum of all waits, by the number of answers.
  measured: (marks, hasReached) => {
    const wait = ratio(marks, 'asking 1', 'answers 1');
    return hasReached('one-thread') && wait !== undefined ? wait / 1000 : undefined;
  },
  why: 'A loop waits for all sockets and calls a method of the object that belongs to one of them. The method must return soon: while it runs, the loop calls no other method. So six clients with answers of 0.5 s wait in turn, for nearly 3 s each. A second process has a loop of its own, and takes a part of the clients.',
  command: 'npx mondo trace callback',
  after: {
    text: 'In which phase of its loop does Node call the method for bytes that came?',
    choices: ['timers', 'poll', 'check', 'closing callbacks'],
    right: 1,
  },
  next: 'Mission 6: the same loop, written as if it waited.',
};

/** The accepted client of the scene that has asked first and has no answer yet. */
const firstToAsk = (clients: readonly Client[]): Client | undefined =>
  clients
    .filter((client) => isCast(client) && client.place === PLACE.served)
    .filter(({ asked }) => asked !== undefined)
    .sort((a, b) => a.asked! - b.asked!)[0];

/** Counts answers, and those that went to the client that had asked first. */
function noteOrder(view: View): Marks {
  return [0, 1].reduce((marks, s) => {
    const before = view.before.stages[s];
    if (before === undefined) return marks;
    const was = firstToAsk(clientsOf(before));
    const answered = clientsOf(stageOf(view, s)).filter(
      ({ id, answers }) => answers > (before.clients.get(id)?.answers ?? answers),
    );
    // Two answers in one frame have no order.
    if (was === undefined || answered.length !== 1) return marks;
    const inOrder = answered[0]!.id === was.id ? 1 : 0;
    return added(added(marks, 'answers', 1), 'in order', inOrder);
  }, view.marks);
}

/** The greatest number of clients whose functions wait on one line. */
const mostOnOneLine = ({ asides }: Stage): number => {
  const lines = Map.groupBy(asides.values(), ({ file, line }) => `${file}:${line}`);
  const counts = [...lines.values()].map((all) => new Set(all.map(({ client }) => client)).size);
  return Math.max(0, ...counts);
};

const coroutines: Mission = {
  key: '6',
  box: 'Practice coroutine-style asyncio (srv_asyncio2)',
  section: 'coroutine-style',
  title: 'Where is a coroutine that waits?',
  plan: {
    ...usual,
    title: 'Mission 6: where is a coroutine that waits?',
    mix: { ...stayers, clients: 16, silent: 10 },
    think: 200,
    stages: [{ architecture: 'coroutine' }, { architecture: 'generator' }],
  },
  hasProbe: false,
  question: {
    text: 'Each client has a coroutine, and ten clients are silent. Where are their ten coroutines?',
    choices: [
      'each sleeps in recv, on a thread of its own',
      'set aside in memory: the one thread serves others',
      'in the queue of the kernel',
      'ended: each starts again when its client speaks',
    ],
    right: 1,
  },
  steps: [
    {
      text: 'Count the threads, and the clients that are accepted.',
      buttons: [],
      goals: [
        {
          id: 'parked',
          text: 'Both servers hold ten silent clients and have one thread, for 2 s.',
          held: 2000,
          holds: (view) =>
            [0, 1].every(
              (s) => silentServed(view, s) >= 10 && lanesOf(stageOf(view, s)).length === 1,
            ),
        },
        {
          id: 'same-line',
          text: 'Trace one of the servers (key C): at least ten functions are set aside on the same line.',
          held: 0,
          isExtra: true,
          holds: (view) => [0, 1].some((s) => mostOnOneLine(stageOf(view, s)) >= 10),
        },
      ],
    },
    {
      text: 'Watch the six others. Whose coroutine goes on next?',
      buttons: [],
      goals: [
        {
          id: 'in-turn',
          text: 'Of 16 or more answers, over half went to the client that had asked first.',
          held: 0,
          // By chance it would be about a sixth. A busy machine gave 0.71 of 1,210 answers.
          holds: ({ marks }) =>
            (marks.answers ?? 0) >= 16 && (marks['in order'] ?? 0) > 0.5 * marks.answers!,
        },
      ],
    },
  ],
  note: noteOrder,
  measured: (_, hasReached) => (hasReached('parked') ? 1 : undefined),
  why: 'A coroutine that waits gives its thread back: await, or yield, puts its frame aside, with the line where it goes on. The loop keeps the frame beside the socket. When bytes come, the loop lets it go on from that line. So the code reads as that of single does, and serves as poll does.',
  command: 'npx mondo trace generator',
  after: {
    text: 'A coroutine computes for 1 s without await. What do the others do?',
    choices: [
      'they run on other threads',
      'they wait: the coroutine has not given the thread back',
      'the loop interrupts it after a while',
      'they end with a fault',
    ],
    right: 1,
  },
  next: 'Mission 7: a framework that hides the loop.',
};

const framework: Mission = {
  key: '7',
  box: 'Practice the legacy module asyncore',
  section: 'the-legacy-module-asyncore',
  title: 'What a framework hides',
  plan: {
    ...usual,
    title: 'Mission 7: what a framework hides',
    mix: { ...stayers, clients: 54, silent: 50 },
    think: 0,
    stages: [{ architecture: 'asyncore' }, { architecture: 'poll' }],
  },
  hasProbe: true,
  question: {
    text: 'Fifty clients are silent, and four ask. About how many sockets does asyncore ask the kernel each time it waits?',
    unit: 'sockets',
    most: 10_000,
    share: 0.15,
    least: 0,
  },
  steps: [
    {
      text: 'Compare both servers from outside.',
      buttons: [],
      goals: [
        {
          id: 'both-stand',
          text: 'Both hold 50 silent clients, and both probes are green for 3 s.',
          held: 3000,
          holds: (view) =>
            [0, 1].every((s) => silentServed(view, s) >= 50 && isGreen(stageOf(view, s))),
        },
        {
          id: 'all-asked',
          text: 'The four others are connected too: asyncore waits for more than 50 sockets.',
          held: 0,
          holds: ({ marks }) => (marks.sockets ?? 0) >= 55,
        },
      ],
    },
  ],
  // One more than the clients: the listener is a socket too.
  note: (view) => {
    const stage = stageOf(view, 0);
    const served = clientsOf(stage).filter(({ id, place }) => place === PLACE.served && id <= 54);
    return greatest(view.marks, 'sockets', served.length + 1);
  },
  measured: ({ sockets }, hasReached) => (hasReached('all-asked') ? sockets : undefined),
  why: 'asyncore has one map of all sockets. Before each wait, it asks the object of each socket whether it wants to read, and hands the whole list to poll. Its user writes only what happens when bytes come. From outside it cannot be told apart from poll: the framework hides the loop, and not its cost.',
  command: 'npx mondo trace asyncore --calls',
  after: {
    text: 'What must the object of a client in asyncore never do?',
    choices: ['send', 'receive', 'wait for one client', 'close'],
    right: 2,
  },
  next: 'Mission 8: the server that inetd starts.',
};

export const styles: readonly Mission[] = [callbacks, coroutines, framework];
