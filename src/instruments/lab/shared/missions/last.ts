/** The last mission. No Node and no DOM in here. */

import type { Goal, Mission, View } from '../mission.ts';
import { press, usual } from './common.ts';
import { isGreen } from './goals.ts';

const ATTACKS = ['idle-crowd', 'slow-drip', 'pipelining'] as const;
const MOST_LANES = 8;
const MOST_MEMORY = 200;

/** Whether a stage stands an attack that is strong enough. */
const standing = (view: View, attack: string) =>
  view.model.stages.find(
    (stage) =>
      stage.attack.name === attack &&
      (stage.attack.reached < 0 || stage.attack.reached >= 80) &&
      isGreen(stage) &&
      stage.lanes.size <= MOST_LANES &&
      stage.cost.memory <= MOST_MEMORY,
  );

const stands = (attack: string): Goal => ({
  id: attack,
  text: `A probe is green for 10 s during ${attack}, with at most ${MOST_LANES} threads and processes and ${MOST_MEMORY} MiB.`,
  held: 10_000,
  holds: (view) => standing(view, attack) !== undefined,
});

const capstone: Mission = {
  key: '9',
  box: 'Who waits: all architectures',
  section: 'who-waits-all-architectures',
  title: 'Build a server that stands',
  plan: {
    ...usual,
    title: 'Mission 9: build a server that stands',
    // Pipelined questions that cost time would stop every server with one thread.
    think: 0,
    stages: [{ architecture: 'threaded', threads: 4 }],
  },
  hasProbe: true,
  isFree: true,
  question: {
    text: 'Three attacks come, one after the other. Choose any architecture and any limits. With how many threads and processes will your server stand all three?',
    unit: 'threads and processes',
    most: 64,
    share: 0,
    least: 0,
  },
  steps: [
    {
      text: 'Start each attack. If the probe is red, change the architecture or the limits.',
      buttons: ATTACKS.map((attack) =>
        press(`Attack: ${attack}`, { do: 'attack', s: 0, attack, seconds: 20 }),
      ),
      goals: ATTACKS.map(stands),
    },
  ],
  note: (view) => {
    const lanes = ATTACKS.flatMap((attack) => standing(view, attack)?.lanes.size ?? []);
    return lanes.length === 0 ? view.marks : { ...view.marks, lanes: lanes[0]! };
  },
  measured: ({ lanes }, hasReached) => (ATTACKS.every(hasReached) ? lanes : undefined),
  why: 'Two ways lead there. A server that waits for all clients in one place needs no more threads for a crowd of silent ones. A server with a thread for each client needs limits that end silent and slow clients, and then an attacker only has to come more often. The table in docs/practice.md says where a client waits with each architecture.',
  command: 'npx mondo siege epoll threaded --attack idle-crowd',
  after: {
    text: 'One answer computes for 1 s, and no limit ends it. What helps then?',
    choices: ['a shorter idle limit', 'epoll', 'more processes', 'a longer queue'],
    right: 2,
  },
  next: 'Attack your server with the other fifteen attacks of mondo siege.',
};

export const last: readonly Mission[] = [capstone];
