/** Missions on the protocol, and on a server with one thread. No Node and no DOM in here. */

import type { Mission, View } from '../mission.ts';
import { EVENT } from '../records.ts';
import { press, stayers, usual } from './common.ts';
import { added, clientsOf, first, newEndings, stageOf } from './goals.ts';

const protocol: Mission = {
  key: '0',
  box: 'Demo: zen_utils.py and client.py, with -e',
  section: 'the-protocol',
  title: 'Questions, answers, and a client that leaves too early',
  plan: {
    ...usual,
    title: 'Mission 0: the protocol',
    mix: { ...stayers, clients: 2, leaving: 1 },
    stages: [{ architecture: 'single' }],
  },
  hasProbe: false,
  question: {
    text: 'Client 1 closes its connection in the middle of a question. What does the server report?',
    choices: [
      'that client 1 closed normally',
      'that client 1 sent a part of a question but then closed',
      'a fault, and it stops',
      'nothing',
    ],
    right: 1,
  },
  steps: [
    {
      text: 'Watch client 1 leave, and client 2 get its answers.',
      buttons: [],
      goals: [
        {
          id: 'left-inside',
          text: 'A client leaves inside a question.',
          held: 0,
          holds: ({ marks }) => (marks.hungUp ?? 0) > 0,
        },
        {
          id: 'three-answers',
          text: 'Another client has three answers on one connection.',
          held: 0,
          holds: (view) => clientsOf(stageOf(view, 0)).some(({ answers }) => answers >= 3),
        },
      ],
    },
  ],
  note: (view) => added(view.marks, 'hungUp', newEndings(view, 0, EVENT.hungUp).length),
  measured: (_, hasReached) => (hasReached('left-inside') ? 1 : undefined),
  why: 'TCP carries bytes, and the protocol makes questions of them: each ends with a question mark. A client that closes between two questions has ended the conversation normally. A client that closes inside one has made a mistake, and the server says which bytes it got. The chapter names four routines for this, and all architectures use them.',
  command: 'npx mondo client -e 127.0.0.1',
  after: {
    text: 'How does a server know that a question is complete?',
    choices: [
      'a packet has ended',
      'a newline came',
      'its delimiter, the question mark, came',
      'the client is silent',
    ],
    right: 2,
  },
  next: 'Mission 1a: what if two clients ask at the same time?',
};

/** When client 2 came, and when its first answer did. */
const firstAnswer = ({ model, marks }: View) => {
  const two = model.stages[0]!.clients.get(2);
  if (two === undefined) return marks;
  const noted = first(marks, 'came', two.since);
  return two.answers > 0 ? first(noted, 'answered', model.t) : noted;
};

const functionality: Mission = {
  key: '1a',
  box: 'Practice single-threaded server: 1. Functionality test',
  section: '1-functionality',
  title: 'One after the other',
  plan: {
    ...usual,
    title: 'Mission 1a: one after the other',
    mix: { ...stayers, questions: 3 },
    think: 1000,
    stages: [{ architecture: 'single' }],
  },
  hasProbe: false,
  question: {
    text: 'Two clients come at the same time and ask three questions each. An answer takes 1 s, and a client types for about 0.4 s. After how many seconds does client 2 get its first answer?',
    unit: 's',
    most: 60,
    share: 0.25,
    least: 0,
  },
  steps: [
    {
      text: 'Watch both clients. Where is client 2 while client 1 asks?',
      buttons: [press('Start again', { do: 'again' })],
      goals: [
        {
          id: 'first-done',
          text: 'Client 1 has its three answers, and client 2 has none.',
          held: 0,
          holds: ({ model, marks }) =>
            marks.answered === undefined && model.stages[0]!.users.answered >= 3,
        },
      ],
    },
    {
      text: 'Now it is the turn of client 2.',
      buttons: [],
      goals: [
        {
          id: 'second-answered',
          text: 'Client 2 gets its first answer.',
          held: 0,
          holds: ({ marks }) => marks.answered !== undefined,
        },
      ],
    },
  ],
  note: firstAnswer,
  measured: ({ came, answered }) =>
    came === undefined || answered === undefined ? undefined : (answered - came) / 1000,
  why: 'The server has one thread, and that thread has one conversation at a time. The kernel connects client 2 at once and keeps its first question. But the thread accepts client 2 only after client 1 has left. So client 2 waits for three answers, and for the time in which client 1 types.',
  command: 'npx mondo serve single --think 1000',
  after: {
    text: 'The answers take no time, but client 1 types for 10 s before each question. What does client 2 get?',
    choices: [
      'its answers at once: the thread is free while client 1 types',
      'its first answer after more than 20 s',
      'an error',
      'the answers to the questions of client 1',
    ],
    right: 1,
  },
  next: 'Mission 1b: a client that never asks.',
};

export const single: readonly Mission[] = [protocol, functionality];
