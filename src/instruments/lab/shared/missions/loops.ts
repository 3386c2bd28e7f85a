/** Missions on loops that wait for all clients. No Node and no DOM in here. */

import type { Marks, Mission, View } from '../mission.ts';
import type { Plan } from '../plan.ts';
import { EVENT } from '../records.ts';
import { planned, stayers, usual } from './common.ts';
import {
  added,
  answersGrown,
  isGreen,
  isRed,
  longestWait,
  passed,
  ratio,
  silentServed,
  stageOf,
} from './goals.ts';

const longAnswers: Plan = {
  ...usual,
  title: 'Mission 4: long answers',
  mix: { ...stayers, clients: 4 },
  think: 1000,
  stages: [{ architecture: 'single' }, { architecture: 'poll' }],
};

const onePlace: Mission = {
  key: '4',
  box: 'Practice async servers',
  section: 'async-servers',
  title: 'One place to sleep',
  plan: {
    ...longAnswers,
    title: 'Mission 4: one place to sleep',
    mix: { ...stayers, clients: 54, silent: 50 },
    think: 0,
  },
  hasProbe: true,
  question: {
    text: 'Fifty clients are silent, and both servers have one thread. Where do the other clients wait for an answer?',
    choices: ['with both', 'only with single', 'only with poll', 'with neither'],
    right: 1,
  },
  steps: [
    {
      text: 'Watch both probes while fifty clients are silent.',
      buttons: [],
      goals: [
        {
          id: 'fifty-silent',
          text: 'poll holds 50 silent clients. Its probe is green for 3 s, and that of single is red.',
          held: 3000,
          holds: (view) =>
            silentServed(view, 1) >= 50 && isGreen(stageOf(view, 1)) && isRed(stageOf(view, 0)),
        },
      ],
    },
    {
      text: 'Now no client is silent, and an answer keeps the thread for 1 s.',
      buttons: [planned('Answers of 1 s', '4', longAnswers)],
      goals: [
        {
          id: 'behind',
          text: 'A client of poll waits three times as long as an answer takes.',
          held: 0,
          holds: ({ model }) => {
            const { setup } = model.stages[1]!;
            const isBlocking = setup.think > 0 && setup.thinking === 'block';
            return isBlocking && longestWait(model.stages[1]!, model.t) >= 3 * setup.think;
          },
        },
      ],
    },
    {
      text: 'Let the server promise its answers, and make them later: defer.',
      buttons: [planned('Defer', '4', { ...longAnswers, thinking: 'defer' })],
      goals: [
        {
          id: 'together',
          text: 'For 4 s, no client of poll waits for twice as long as an answer takes.',
          held: 4000,
          holds: ({ model }) => {
            const stage = model.stages[1]!;
            const { think, thinking } = stage.setup;
            const hasAnswered = thinking === 'defer' && stage.users.answered >= 4;
            return hasAnswered && longestWait(stage, model.t) < 2 * think;
          },
        },
      ],
    },
  ],
  note: ({ marks }) => marks,
  measured: (_, hasReached) => (hasReached('fifty-silent') ? 1 : undefined),
  why: 'The thread of poll sleeps in one place, for all its clients, and wakes for each that has sent something. So a silent client costs it a place in a list, and no thread. But one thread makes all answers: an answer of 1 s makes the others wait. A server can promise an answer, as with a timer or another machine. Then the thread is free until the answer is there.',
  command: 'npx mondo serve poll --think 1000 --think-how defer',
  after: {
    text: 'An answer needs 1 s of computing. What does defer help then?',
    choices: [
      'as much as before',
      'nothing: the thread must compute, and others wait',
      'it makes computing faster',
      'it uses more threads',
    ],
    right: 1,
  },
  next: 'Mission 4b: three ways to wait for all clients.',
};

/** Answers that a measurement of the cost needs. */
const ENOUGH = 200;
/** The larger one, with the listener and the descriptors of Node, still fits into select. */
const SIZES = [100, 900] as const;
const crowd = (silent: number): Plan => ({
  ...usual,
  title: `Mission 4b: ${silent.toLocaleString('en')} silent clients`,
  mix: { ...stayers, clients: silent + 8, silent, pause: 40 },
  think: 0,
  stages: [{ architecture: 'select' }, { architecture: 'poll' }, { architecture: 'epoll' }],
});

/** Adds up processor time and answers, by stage and number of silent clients, once all of them are there. */
function noteCost(view: View): Marks {
  const silent = view.model.setup?.mix.silent ?? 0;
  return [0, 1, 2].reduce((marks, s) => {
    const stage = stageOf(view, s);
    if (stage.server.open < silent || !SIZES.some((size) => size === silent)) return marks;
    const worked = (stage.cost.processor * passed(view)) / 100;
    const name = `${s}:${silent}`;
    return added(added(marks, `cpu ${name}`, worked), `answers ${name}`, answersGrown(view, s));
  }, view.marks);
}
const costOf = (marks: Marks, s: number, size: number) =>
  ratio(marks, `cpu ${s}:${size}`, `answers ${s}:${size}`) ?? 0;
const hasEnough = (marks: Marks, size: number) =>
  [0, 1, 2].every((s) => (marks[`answers ${s}:${size}`] ?? 0) >= ENOUGH);
const growth = (marks: Marks, s: number) => costOf(marks, s, SIZES[1]) / costOf(marks, s, SIZES[0]);

const lists: Mission = {
  key: '4b',
  box: 'Async servers: select, poll and epoll',
  section: 'async-servers',
  title: 'Who asks about all clients?',
  plan: crowd(SIZES[0]),
  hasProbe: false,
  question: {
    text: 'First 100 clients are silent, then 900. Eight others ask. With which servers does an answer then cost more processor time?',
    choices: ['with all three', 'with select and poll', 'with epoll', 'with none'],
    right: 1,
  },
  steps: [
    {
      text: 'Let each server answer 200 times beside 100 silent clients.',
      buttons: [],
      goals: [
        {
          id: 'hundred',
          text: '200 answers of each server.',
          held: 0,
          holds: ({ marks }) => hasEnough(marks, SIZES[0]),
        },
      ],
    },
    {
      text: 'And now beside 900.',
      buttons: [planned('900 silent clients', '4b', crowd(SIZES[1]))],
      goals: [
        {
          id: 'nine-hundred',
          text: '200 answers of each server again.',
          held: 0,
          holds: ({ marks }) => hasEnough(marks, SIZES[1]),
        },
        {
          id: 'poll-bends',
          text: 'The cost of an answer has grown more with poll than with epoll.',
          held: 0,
          holds: ({ marks }) =>
            hasEnough(marks, SIZES[1]) && growth(marks, 1) >= 1.3 * growth(marks, 2),
        },
      ],
    },
    {
      text: 'Two hundred more.',
      buttons: [planned('1,100 silent clients', '4b', crowd(1100))],
      goals: [
        {
          id: 'select-refuses',
          text: 'select refuses clients: it has room for 1,024 descriptors.',
          held: 0,
          holds: ({ model }) => {
            const { server, endings } = model.stages[0]!;
            const refused = endings.some(
              ({ kind, reason }) => kind === EVENT.refused && reason === 'descriptor',
            );
            return refused || server.refused > 0;
          },
        },
      ],
    },
  ],
  note: noteCost,
  measured: (_, hasReached) => (hasReached('poll-bends') ? 1 : undefined),
  why: 'select and poll hand the whole list of clients to the kernel for each wait, and the kernel looks at each of them. So a wait costs as much as there are clients, though only one of them speaks. epoll keeps the list in the kernel, and a wait returns those that are ready. select has one limit more: its list has 1,024 places.',
  command: 'npx mondo compare select poll epoll',
  after: {
    text: 'All clients speak all the time. Is epoll still far ahead of poll?',
    choices: [
      'yes, as far as before',
      'no: then a list of all clients is the list of those that are ready',
      'yes, twice as far',
      'no, poll is then faster by far',
    ],
    right: 1,
  },
  next: 'Mission 5: the same loop, written with callbacks.',
};

export const loops: readonly Mission[] = [onePlace, lists];
