/** Missions on servers with a thread or a process for each client. No Node and no DOM in here. */

import type { Mission } from '../mission.ts';
import { PLACE } from '../records.ts';
import { nc, planned, usual, visitors } from './common.ts';
import {
  clientsOf,
  countOf,
  greatest,
  isGreen,
  isNc,
  isRed,
  lanesOf,
  ncServed,
  silentServed,
  stageOf,
} from './goals.ts';

const FORTY = 40;
/** The visitors and the probe need less. */
const FEW = 5;

const growing: Mission = {
  key: '3',
  box: 'Practice the legacy SocketServer framework',
  section: 'the-legacy-socketserver-framework',
  title: 'A thread for each client',
  plan: {
    ...usual,
    title: 'Mission 3: a thread for each client',
    stages: [{ architecture: 'socketserver' }],
  },
  hasProbe: true,
  question: {
    text: 'This server starts a thread for each client. How many MiB does one silent client cost it?',
    unit: 'MiB',
    most: 1000,
    share: 0.3,
    least: 1,
  },
  steps: [
    {
      text: 'Connect forty silent clients. Watch the threads and the memory.',
      buttons: [nc(0, 10)],
      goals: [
        {
          id: 'forty-threads',
          text: 'The server has 40 threads, and its memory has grown.',
          held: 2000,
          holds: ({ marks, model }) =>
            lanesOf(model.stages[0]!).length >= FORTY && (marks.full ?? 0) > (marks.empty ?? 0),
        },
      ],
    },
    {
      text: 'Now with at most five threads, and eight silent clients.',
      buttons: [
        planned('At most 5 threads', '3', {
          ...usual,
          title: 'Mission 3: at most five threads',
          mix: { ...visitors, clients: 10, silent: 8 },
          stages: [{ architecture: 'socketserver', 'max-threads': 5 }],
        }),
      ],
      goals: [
        {
          id: 'capped',
          text: 'Five clients have a thread, and the others wait in the kernel.',
          held: 2000,
          holds: (view) => {
            const stage = stageOf(view, 0);
            const served = clientsOf(stage).filter(({ place }) => place === PLACE.served).length;
            return silentServed(view, 0) === 5 && served === 5 && stage.queue.waiting >= 1;
          },
        },
      ],
    },
  ],
  note: (view) => {
    const stage = stageOf(view, 0);
    const { memory } = stage.cost;
    const lanes = lanesOf(stage).length;
    const isEmpty = countOf(stage, isNc) === 0 && view.model.setup?.mix.silent === 0;
    if (memory === 0) return view.marks;
    if (isEmpty && lanes < FEW) return { ...view.marks, empty: memory, emptyLanes: lanes };
    if (lanes < FORTY) return view.marks;
    return { ...greatest(view.marks, 'full', memory), fullLanes: lanes };
  },
  measured: ({ empty, emptyLanes, full, fullLanes }) => {
    if (empty === undefined || full === undefined || fullLanes! <= emptyLanes!) return;
    return Math.round((10 * (full - empty)) / (fullLanes! - emptyLanes!)) / 10;
  },
  why: 'Clients decide how many threads there are, and a client that says nothing costs as much as one that asks. An attacker pays one socket, and the server pays a thread with a JavaScript engine. A cap protects the memory. But then the framework is a pool of threads, and as many silent clients as threads stop it.',
  command: 'npx mondo serve socketserver --max-threads 5',
  after: {
    text: 'Which resource of the server does such a crowd use up?',
    choices: ['ports', 'memory and threads', 'processor time', 'the accept queue'],
    right: 1,
  },
  next: 'Mission 4: one thread that waits for all clients.',
};

const inetd: Mission = {
  key: '8',
  box: 'Summary: deployment of servers (inetd)',
  section: 'inetd',
  title: 'A program that knows no socket',
  plan: {
    ...usual,
    title: 'Mission 8: inetd, nowait and wait',
    mix: { ...visitors, clients: 1 },
    stages: [{ architecture: 'inetd' }, { architecture: 'inetd', wait: 1 }],
  },
  hasProbe: true,
  question: {
    text: 'inetd starts a process for each client (nowait), or one process for all (wait). Which of them does one silent nc stop?',
    choices: ['both', 'nowait', 'wait', 'neither'],
    right: 2,
  },
  steps: [
    {
      text: 'Connect one silent nc to both.',
      buttons: [nc(-1)],
      goals: [
        {
          id: 'one-nc',
          text: 'The probe of nowait is green, and that of wait is red, for 3 s.',
          held: 3000,
          holds: (view) =>
            ncServed(view, 0) >= 1 &&
            isGreen(stageOf(view, 0)) &&
            ncServed(view, 1) === 1 &&
            isRed(stageOf(view, 1)),
        },
      ],
    },
    {
      text: 'Connect three more to nowait, and count its processes.',
      buttons: [nc(0)],
      goals: [
        {
          id: 'process-each',
          text: 'Four silent clients have four processes.',
          held: 0,
          holds: (view) => {
            const stage = stageOf(view, 0);
            const held = lanesOf(stage).filter(({ client }) => {
              const found = stage.clients.get(client);
              return found !== undefined && isNc(found);
            });
            return new Set(held.map(({ pid }) => pid)).size >= 4;
          },
        },
      ],
    },
  ],
  note: ({ marks }) => marks,
  measured: (_, hasReached) => (hasReached('one-nc') ? 2 : undefined),
  why: 'With nowait, inetd accepts, and the client is the standard input of a process that inetd starts for it. One that is silent costs that process, and holds no other client up. With wait, one process accepts all clients, one after the other: a silent one stops the port until a limit ends it.',
  command: 'npx mondo serve inetd --inetd wait',
  after: {
    text: 'Which earlier server does inetd with wait behave like?',
    choices: ['single', 'threaded', 'poll', 'prefork'],
    right: 0,
  },
  next: 'Mission 9: build a server that stands.',
};

export const crowds: readonly Mission[] = [growing];
export const deployment: readonly Mission[] = [inetd];
