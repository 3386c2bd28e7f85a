/** Says in one sentence what holds a stage up: the first rule that fits. */

import type { Client, Lane, Model, Stage } from './model.ts';
import { EVENT, LANE, PLACE } from './records.ts';
import { clientsText, counted, doingOf, durationText } from './words.ts';

export interface Reason {
  /** The name of the rule. */
  readonly rule: string;
  /** In plain English, without the name of the architecture. */
  readonly text: string;
  /** Clients that cause it. */
  readonly culprits: readonly number[];
  /** Clients that wait for it. */
  readonly victims: readonly number[];
  /** What to try; '': nothing is wrong. */
  readonly action: string;
}

/** What the rules look at. */
interface Scene {
  readonly stage: Stage;
  readonly t: number;
  readonly cpus: number;
  readonly silent: number;
  readonly lanes: readonly Lane[];
  readonly clients: readonly Client[];
  /** Connected and not yet with a lane: the oldest first. */
  readonly outside: readonly Client[];
  /** How many wait outside: the kernel may count more than the stream names. */
  readonly waiting: number;
  /** Wait for an answer, wherever they are: the oldest first. */
  readonly asking: readonly Client[];
}

type Rule = (scene: Scene) => Omit<Reason, 'rule'> | undefined;

/** Endings of this many ms count as now. */
const RECENT = 3000;
/** An answer of this many ms makes others wait long enough to see it. */
const LONG = 100;

const ids = (clients: readonly Client[]) => clients.map(({ id }) => id);

/** `5 clients wait outside, the longest for 6.2 s; client 3 has asked already`. */
function outsideText({ outside, waiting, t }: Scene): string {
  const [oldest] = outside;
  const asked = outside.filter((client) => client.asked !== undefined || client.bytes > 0);
  const since =
    oldest === undefined
      ? ''
      : `, ${outside.length > 1 ? 'the longest ' : ''}for ${durationText(t - oldest.since)}`;
  const have =
    asked.length === 0
      ? ''
      : `; ${clientsText(ids(asked))} ${asked.length === 1 ? 'has' : 'have'} asked already`;
  return `${counted(waiting, 'client')} ${waiting === 1 ? 'waits' : 'wait'} outside${since}${have}`;
}

const lanesText = (lanes: readonly Lane[], all: 'its' | 'all') =>
  lanes.length === 1 ? 'its one thread' : `${all} ${lanes.length} threads`;

const recent = ({ stage, t }: Scene, kind: number) =>
  stage.endings.filter((ending) => ending.kind === kind && t - ending.t <= RECENT);

/** The first that fits is the answer: from a server that is gone to one that is well. */
const rules: Readonly<Record<string, Rule>> = {
  stopped: (scene) => {
    const { lanes, asking, outside } = scene;
    if (lanes.length === 0 || lanes.some((lane) => doingOf(lane) !== 'stopped')) return;
    return {
      text: `A signal has stopped ${lanesText(lanes, 'all')}: the kernel goes on accepting, and the server serves no client.`,
      culprits: [],
      victims: ids([...new Set([...outside, ...asking])]),
      action: 'Send SIGCONT.',
    };
  },

  gone: (scene) => {
    if (scene.lanes.some(({ state }) => state !== LANE.ended && state !== LANE.starting)) return;
    if (scene.waiting === 0) return;
    return {
      text: `No worker is there. The listener is still open, so ${outsideText(scene)}.`,
      culprits: [],
      victims: ids(scene.outside),
      action: 'Wait for the new worker: the supervisor starts it.',
    };
  },

  stuck: ({ lanes, t, asking }) => {
    const stuck = lanes.find(({ state }) => state === LANE.stuck);
    if (stuck === undefined) return;
    return {
      text: `Thread ${stuck.tid} is stuck: it has work, and has made no turn for ${durationText(t - stuck.since)}.`,
      culprits: stuck.client < 0 ? [] : [stuck.client],
      victims: ids(asking).filter((id) => id !== stuck.client),
      action: 'Give answers a time limit, or more processes.',
    };
  },

  descriptors: (scene) => {
    const refused = recent(scene, EVENT.refused).filter(({ reason }) => reason === 'descriptor');
    if (refused.length === 0) return;
    return {
      text: `Its descriptors are used up: it has just refused ${counted(refused.length, 'client')}. select has room for 1,024.`,
      culprits: [],
      victims: refused.map(({ client }) => client),
      action: 'Use poll or epoll.',
    };
  },

  'kernel queue full': (scene) => {
    const { waiting, limit } = scene.stage.queue;
    if (limit === 0 || waiting < limit) return;
    return {
      text: `The kernel's queue is full, with ${counted(waiting, 'client')}: a client that connects now gets no reply, and tries again.`,
      culprits: [],
      victims: ids(scene.clients.filter(({ place }) => place === PLACE.connecting)),
      action: 'Accept faster, or take a longer backlog.',
    };
  },

  'own queue full': ({ stage, outside }) => {
    if (stage.setup.queue === 0 || stage.queue.own < stage.setup.queue) return;
    return {
      text: `Its own queue is full, with ${counted(stage.queue.own, 'client')}: all its threads that serve are busy with others.`,
      culprits: [],
      victims: ids(outside),
      action: 'More threads: a longer queue only moves the wait.',
    };
  },

  'asleep for one client': (scene) => {
    const { lanes, waiting, outside, t } = scene;
    const held = lanes.filter((lane) => doingOf(lane) === 'asleep for one client');
    // A thread that only accepts for the others is asleep for anyone.
    const free = lanes.some((lane) => lane.client < 0 && doingOf(lane) === 'asleep for anyone');
    const busy = lanes.some((lane) => doingOf(lane) === 'working');
    if (held.length === 0 || waiting === 0 || busy || (free && scene.stage.queue.own === 0)) return;
    const culprits = held.map(({ client }) => client).filter((client) => client >= 0);
    const names = culprits.length === 0 ? 'one client each' : clientsText(culprits);
    const time = durationText(t - Math.min(...held.map((lane) => lane.since)));
    return {
      text: `${held.length === 1 ? `Its one thread has slept for ${time}: it waits for ${names}` : `Its ${held.length} threads sleep: they wait for ${names}, the longest for ${time}`}. Behind ${held.length === 1 ? 'it' : 'them'}, ${outsideText(scene)}.`,
      culprits,
      victims: ids(outside),
      action: 'Set an idle limit, more threads, or a server that waits for all clients at once.',
    };
  },

  'inside one answer': ({ lanes, asking, waiting, t }) => {
    const answering = lanes.filter(({ state }) => state === LANE.answering);
    const others = asking.filter(({ id }) => answering.every(({ client }) => client !== id));
    if (answering.length === 0 || answering.length < lanes.length) return;
    const since = Math.max(...answering.map((lane) => lane.since));
    if (t - since < LONG || others.length + waiting === 0) return;
    const count = Math.max(others.length, waiting);
    return {
      text: `${answering.length === 1 ? 'One thread makes all answers: it has' : `All ${answering.length} threads have`} been inside an answer for ${durationText(t - since)}; ${counted(count, 'client')} ${count === 1 ? 'waits' : 'wait'} behind it.`,
      culprits: answering.map(({ client }) => client).filter((client) => client >= 0),
      victims: ids(others),
      action: 'Answer with a promise (defer), or with more threads.',
    };
  },

  refused: (scene) => {
    const refused = recent(scene, EVENT.refused);
    if (refused.length === 0) return;
    const reason = refused.at(-1)!.reason;
    return {
      text: `It has just refused ${counted(refused.length, 'client')}${reason === '' ? '' : `, by its limit ${reason}`}.`,
      culprits: [],
      victims: refused.map(({ client }) => client),
      action: 'Raise the limit if they were honest clients.',
    };
  },

  limited: (scene) => {
    const limited = recent(scene, EVENT.limited);
    if (limited.length === 0) return;
    const clients = limited.map(({ client }) => client);
    return {
      text: `Its limit ${limited.at(-1)!.reason} has just ended ${clientsText([...new Set(clients)])}: the thread is free for others.`,
      culprits: clients,
      victims: [],
      action: '',
    };
  },

  processors: ({ lanes, cpus, asking }) => {
    const wanting = lanes.filter((lane) => doingOf(lane) === 'wants a processor');
    if (lanes.length < 4 * cpus || wanting.length * 5 < lanes.length) return;
    return {
      text: `${wanting.length} of ${lanes.length} threads want a processor, not a client: there are ${cpus}.`,
      culprits: [],
      victims: ids(asking),
      action: 'Fewer threads do the same work.',
    };
  },

  uneven: ({ lanes }) => {
    const open = lanes.map((lane) => lane.open);
    const sum = open.reduce((total, count) => total + count, 0);
    // Jain's index of fairness: 1 if all have the same, 1/n if one has all.
    const squares = open.reduce((total, count) => total + count * count, 0);
    if (lanes.length < 2 || sum < 2 * lanes.length || sum ** 2 / (lanes.length * squares) >= 0.8) {
      return;
    }
    return {
      text: `The clients are uneven: one thread has ${Math.max(...open)} of ${sum}, and another has ${Math.min(...open)}.`,
      culprits: [],
      victims: [],
      action: 'Try --reuseport, or one acceptor.',
    };
  },

  waiting: (scene) => {
    const { asking, t } = scene;
    const late = asking.filter(({ asked }) => t - asked! > 1000);
    const [oldest] = late;
    if (oldest === undefined) return;
    return {
      text: `${upper(clientsText(ids(late)))} ${late.length === 1 ? 'has' : 'have'} waited for an answer, ${late.length === 1 ? '' : 'the longest '}for ${durationText(t - oldest.asked!)}.`,
      culprits: [],
      victims: ids(late),
      action: 'Look at what an answer costs.',
    };
  },

  well: ({ stage, silent, waiting, asking }) => {
    const stands = silent > 0 && stage.users.answered > 0 && waiting === 0;
    const wait =
      asking.length === 0
        ? 'No client waits'
        : `${counted(asking.length, 'client')} ${asking.length === 1 ? 'waits' : 'wait'} for no longer than a second`;
    return {
      text: stands
        ? `${wait}: ${counted(silent, 'silent client')} ${silent === 1 ? 'holds' : 'hold'} no other client up.`
        : `${wait}.`,
      culprits: [],
      victims: [],
      action: '',
    };
  },
};

export const ruleNames: readonly string[] = Object.keys(rules);

const upper = (text: string) => text.charAt(0).toUpperCase() + text.slice(1);

/** Why the clients of a stage wait, at the moment of the model. */
export function why(model: Model, index: number): Reason {
  const stage = model.stages[index]!;
  const { t } = model;
  const clients = [...stage.clients.values()];
  const outside = clients
    .filter(({ place }) => place === PLACE.kernel || place === PLACE.queue)
    .sort((a, b) => a.since - b.since);
  const scene: Scene = {
    stage,
    t,
    cpus: model.header?.machine.cpus ?? 1,
    silent: model.setup?.mix.silent ?? 0,
    lanes: [...stage.lanes.values()],
    clients,
    outside,
    waiting: Math.max(outside.length, stage.queue.waiting + stage.queue.own),
    asking: clients
      .filter(({ asked }) => asked !== undefined)
      .sort((a, b) => (a.asked ?? 0) - (b.asked ?? 0)),
  };
  for (const [rule, says] of Object.entries(rules)) {
    const reason = says(scene);
    if (reason !== undefined) return { rule, ...reason };
  }
  throw new Error('The last rule of the lab fits always, and did not');
}
