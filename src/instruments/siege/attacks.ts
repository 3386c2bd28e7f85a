/**
 * The attacks, each a few lines: what one kind of hostile client does, a hundred times a second.
 * Loopback only, and bounded in number and rate. `mondo siege` runs one at a time, beside an honest
 * client; ../../docs/robustness.md says who falls, and what stops it.
 */
import { kill } from 'node:process';
import { isRunning } from '../../os/processes.ts';
import type { Traits } from '../../worker/contract.ts';
import { crowd, type Running, storm, type Target } from './hostile.ts';
import { type Peer, payload } from './peer.ts';

/** What an attack takes from others even where there are limits. */
type Takes =
  /** A conversation, until a limit on time ends it: a thread, a process, or the only one there is. */
  | 'time'
  /** Whoever answers, inside an answer, where no limit ends it. */
  | 'answers'
  /** Nothing for long: what it costs is work. */
  | 'work';

export interface Attack {
  readonly name: string;
  readonly title: string;
  /** One sentence: what its clients do. */
  readonly what: string;
  readonly takes: Takes;
  /** The limits or measures that stop it. */
  readonly stoppedBy: string;
  /** True if even while it goes on a healthy server has next to nothing to do: one that is busy spins. */
  readonly isIdle?: boolean;
  /** Which architectures it is meant for; default: all. */
  readonly isFor?: (traits: Traits) => boolean;
  /** What the server is given for it. */
  readonly server?: { readonly service?: URL; readonly descriptors?: number };
  /** True if it acts on the server's processes and not on its port. */
  readonly isInside?: boolean;
  /** Begins it in this process; resolves once its first wave is there. */
  start(target: Target): Promise<Running>;
}

/** A question that is not known, as short as can be, and so an answer 24 times as long. */
const UNKNOWN = 'Error: unknown aphorism.';
const question = payload('Simple is better than?');
const ANSWER = 'Complex.';
const unfinished = payload('Simple is better than');
const manyUnknown = payload('?'.repeat(1024));
/** From wherever in a question on, there are so many of them. */
const AT_A_TIME = 300;
const manyQuestions = payload('Simple is better than?'.repeat(AT_A_TIME + 1));
const noDelimiter = payload('a'.repeat(16_384));
const PIECE = 65_536;
const oversize = payload(`${'a'.repeat(2 ** 20 - 1)}?`);
const burning = payload('Burn?');

/** The same for every run: what makes a server fall is to make it fall again. */
const garbage = payload(Uint8Array.from(pseudorandom(65_536)));

/** So little room that a server soon cannot send. */
const LITTLE_ROOM = 2048;
/**
 * Looks after which one that does not read leaves and comes again: the server may have ended it long
 * ago, and with no room for the news it would never know.
 */
const LEAVES_AT = 200;
/** A server with so few descriptors runs out of them. */
const FEW_DESCRIPTORS = 128;
const TOO_MANY = 200;
/**
 * Between two kills, in ms: a worker that had lived for a second is replaced at once. No multiple of the
 * time between two honest clients, or it would always be the same moment of theirs.
 */
const KILL_EVERY = 1130;
const FIRST_KILL = 50;

/** Comes, says nothing, and stays for as long as it may. */
const silent = {
  unit: 'connections at once',
  act(peer: Peer) {
    peer.receive();
    peer.did = Number(peer.wasConnected);
  },
};

const BEHIND = 'connections 16 KiB of answers behind at once';
/** Several times as much as there is room for on its side. */
const isBehind = ({ step, received }: Peer): number =>
  Number(step * UNKNOWN.length - received >= 16_384);

export const attacks: readonly Attack[] = [
  {
    name: 'idle-crowd',
    title: 'idle crowd',
    what: 'Connects many times and says nothing; whoever is sent away comes again.',
    takes: 'time',
    stoppedBy: 'idle, connections-per-address',
    isIdle: true,
    start: (target) => crowd(target, target.crowd, silent),
  },
  {
    name: 'slow-drip',
    title: 'slow drip',
    what: 'Sends a byte of a question every 100 ms, and never its end: it is never idle.',
    takes: 'time',
    stoppedBy: 'question-time, connections-per-address',
    start: (target) =>
      crowd(target, target.crowd / 2, {
        unit: 'unfinished questions at once',
        act(peer) {
          if (peer.age % 10 === 0) {
            peer.step += peer.send({ at: unfinished.at, length: 1 });
          }
          peer.did = Math.min(1, peer.step);
          peer.receive();
        },
      }),
  },
  {
    name: 'slow-reader',
    title: 'slow reader',
    what: 'Asks much, with little room for answers, and takes 16 bytes of them every 100 ms.',
    takes: 'time',
    stoppedBy: 'answer-time, unsent, connections-per-address',
    start: (target) =>
      crowd(target, target.crowd / 4, {
        unit: BEHIND,
        room: LITTLE_ROOM,
        expects: UNKNOWN,
        act(peer) {
          if (peer.age % 5 === 0) peer.step += peer.send(manyUnknown);
          if (peer.age % 10 === 0) peer.receive(16);
          peer.sense();
          peer.did = isBehind(peer);
          if (peer.age === LEAVES_AT) peer.leave();
        },
      }),
  },
  {
    name: 'stops-reading',
    title: 'stops reading',
    what: 'Takes three answers like anybody; then asks on and reads no more.',
    takes: 'time',
    stoppedBy: 'answer-time, unsent, connections-per-address',
    start: (target) =>
      crowd(target, target.crowd / 4, {
        unit: BEHIND,
        room: LITTLE_ROOM,
        expects: UNKNOWN,
        act(peer) {
          if (peer.received < 3 * UNKNOWN.length) {
            // One question at a time.
            if (peer.step * UNKNOWN.length === peer.received) {
              peer.step += peer.send({ at: manyUnknown.at, length: 1 });
            }
            peer.receive(UNKNOWN.length);
          } else if (peer.age % 5 === 0) {
            peer.step += peer.send(manyUnknown);
          }
          peer.sense();
          peer.did = isBehind(peer);
          if (peer.age === LEAVES_AT) peer.leave();
        },
      }),
  },
  {
    name: 'connect-flood',
    title: 'connect flood',
    what: 'Connects as often as it may, says nothing, and leaves after half a second.',
    takes: 'time',
    stoppedBy: 'accepts-per-second, connections-per-address',
    start: (target) =>
      storm(target, target.rate, {
        unit: 'connections',
        act(peer) {
          peer.did = Number(peer.wasConnected);
          if (peer.age === 50) peer.leave();
        },
      }),
  },
  {
    name: 'vanish',
    title: 'connect and vanish',
    what: 'Connects and resets at once, before it can have been accepted.',
    takes: 'work',
    stoppedBy: 'accepts-per-second; accept treats an aborted connection as none',
    start: (target) =>
      storm(target, target.rate, {
        unit: 'resets',
        act(peer) {
          peer.did = Number(peer.wasConnected);
          peer.reset();
        },
      }),
  },
  {
    name: 'ask-and-reset',
    title: 'ask and reset',
    what: 'Asks a question and resets before the answer can come.',
    takes: 'work',
    stoppedBy: 'accepts-per-second; a reset ends one conversation',
    start: (target) =>
      storm(target, target.rate, {
        unit: 'resets after a question',
        act(peer) {
          peer.did = Number(peer.send(question) === question.length);
          if (peer.did > 0 || peer.age === 50) peer.reset();
        },
      }),
  },
  {
    name: 'reset-inside',
    title: 'reset inside the answer',
    what: 'Asks for 24 KiB of answers, takes ten bytes, and resets.',
    takes: 'work',
    stoppedBy: 'accepts-per-second; a reset ends one conversation',
    start: (target) =>
      storm(target, target.rate / 2, {
        unit: 'resets inside an answer',
        room: LITTLE_ROOM,
        expects: UNKNOWN,
        act(peer) {
          if (peer.step === 0) peer.step = peer.send(manyUnknown);
          peer.did = Number(peer.receive(10) > 0);
          if (peer.did > 0 || peer.age === 50) peer.reset();
        },
      }),
  },
  {
    name: 'half-close',
    title: 'half-close',
    what: 'Asks, ends its own direction, and waits for the answer, which it is to get.',
    takes: 'work',
    stoppedBy: 'accepts-per-second; the end of a stream ends a conversation',
    start: (target) =>
      storm(target, target.rate / 4, {
        unit: 'half-closes after a question',
        expects: ANSWER,
        act(peer) {
          if (peer.step === 0) {
            peer.step = peer.send(question);
            if (peer.step === 0) return;
            peer.halfClose();
            peer.did = 1;
          } else {
            peer.receive();
          }
          if (peer.age === 50) peer.leave();
        },
      }),
  },
  {
    name: 'no-delimiter',
    title: 'no delimiter',
    what: 'Sends a question that never ends, as fast as 1.6 MB a second from each of 20.',
    takes: 'work',
    stoppedBy: 'question-size, question-time',
    start: (target) =>
      crowd(target, 20, {
        unit: 'bytes',
        perLook: noDelimiter.length,
        act(peer) {
          peer.did += peer.send(noDelimiter);
          peer.receive();
        },
      }),
  },
  {
    name: 'oversize',
    title: 'oversize',
    what: 'Asks questions of 1 MiB, whole and with their end.',
    takes: 'work',
    stoppedBy: 'question-size',
    start: (target) =>
      crowd(target, 4, {
        unit: 'bytes',
        perLook: PIECE,
        expects: UNKNOWN,
        act(peer) {
          const most = Math.min(oversize.length, peer.step + PIECE);
          const sent = peer.send({ at: oversize.at, length: most }, peer.step);
          peer.did += sent;
          peer.step += sent;
          if (peer.step === oversize.length) peer.step = 0;
          peer.receive();
        },
      }),
  },
  {
    name: 'pipelining',
    title: 'pipelining flood',
    what: 'Ten clients ask 30,000 questions a second each, without waiting, and take the answers.',
    takes: 'work',
    stoppedBy: 'questions, age, connections-per-address; a turn for each connection',
    start: (target) =>
      crowd(target, 10, {
        unit: 'questions',
        perLook: AT_A_TIME,
        expects: ANSWER,
        act(peer) {
          // What was sent in part goes on there: else the next question would not be one.
          const at = manyQuestions.at + (peer.step % question.length);
          const sent = peer.send({ at, length: AT_A_TIME * question.length });
          peer.step += sent;
          peer.did += sent / question.length;
          peer.receive();
        },
      }),
  },
  {
    name: 'garbage',
    title: 'binary garbage',
    what: 'Sends random bytes, with NULs, delimiters and broken UTF-8 among them, and leaves.',
    takes: 'work',
    stoppedBy: 'question-size; bytes are only bytes',
    start: (target) =>
      crowd(target, 20, {
        unit: 'bytes',
        perLook: 1024,
        expects: UNKNOWN,
        act(peer) {
          const from = (peer.age * 1024 + peer.did) % (garbage.length - 1024);
          peer.did += peer.send({ at: garbage.at + from, length: 1024 });
          peer.receive();
          if (peer.age === 30) peer.reset();
        },
      }),
  },
  {
    name: 'descriptors',
    title: 'descriptor exhaustion',
    what: `${TOO_MANY} silent clients at a server that may have ${FEW_DESCRIPTORS} descriptors in a process.`,
    takes: 'time',
    stoppedBy: 'connections, connections-per-address; a spare descriptor',
    isIdle: true,
    server: { descriptors: FEW_DESCRIPTORS },
    start: (target) => crowd(target, TOO_MANY, silent),
  },
  {
    name: 'thread-bomb',
    title: 'thread bomb',
    what: 'A hundred clients that each ask once and stay, and so have a thread or process started for each.',
    takes: 'time',
    stoppedBy: 'connections-per-address, accepts-per-second, --max-threads',
    isFor: costsAThread,
    start: (target) =>
      crowd(target, 100, {
        unit: 'answered connections at once',
        expects: ANSWER,
        act(peer) {
          if (peer.step === 0) peer.step = peer.send(question);
          peer.receive();
          peer.did = Number(peer.received >= ANSWER.length);
        },
      }),
  },
  {
    name: 'burn',
    title: 'a question that burns',
    what: 'Four clients ask what takes the service 300 ms of computing, again and again.',
    takes: 'answers',
    stoppedBy: 'connections-per-address, where others have a thread of their own',
    server: { service: new URL(`./burning${import.meta.filename.slice(-3)}`, import.meta.url) },
    start: (target) =>
      crowd(target, 4, {
        unit: 'unanswered questions at once',
        expects: 'Ash.',
        act(peer) {
          if (peer.step * 'Ash.'.length === peer.received)
            peer.step += Number(peer.send(burning) > 0);
          peer.receive();
          peer.did = Number(peer.step * 'Ash.'.length > peer.received);
        },
      }),
  },
  {
    name: 'churn',
    title: 'reconnect churn',
    what: 'Connects, asks one question, takes the answer, leaves, and comes again at once.',
    takes: 'work',
    stoppedBy: 'accepts-per-second',
    start: (target) =>
      storm(target, target.rate / 2, {
        unit: 'conversations',
        expects: ANSWER,
        act(peer) {
          if (peer.step === 0) peer.step = peer.send(question);
          else peer.receive();
          peer.did = Number(peer.received >= ANSWER.length);
          if (peer.did > 0 || peer.age === 50) peer.leave();
        },
      }),
  },
  {
    name: 'kill',
    title: 'kill -9 of a worker',
    what: 'Kills a worker process every 1.13 seconds.',
    takes: 'work',
    stoppedBy: 'another takes its place on the same listener',
    isInside: true,
    start: killWorkers,
  },
];

/** The attack of that name, if there is one. */
export const attackNamed = (name: string): Attack | undefined =>
  attacks.find((attack) => attack.name === name);

/** Whether each connection takes a thread or a process of its own, without a bound. */
export function costsAThread({ arrangement, capacity }: Traits): boolean {
  return arrangement === 'crew' && capacity === 'unbounded';
}

async function killWorkers(target: Target): Promise<Running> {
  const since = performance.now();
  let [killed, tried] = [0, 0];
  const killOne = () => {
    const pids = target.pids();
    const pid = pids[tried++ % Math.max(1, pids.length)];
    // One that is dead already would let itself be killed again.
    if (pid === undefined || !isRunning(pid)) return;
    try {
      kill(pid, 'SIGKILL');
      killed++;
    } catch {
      // Gone in this moment: the attack falls short by one.
    }
  };
  const first = setTimeout(killOne, FIRST_KILL);
  const others = setInterval(killOne, KILL_EVERY);
  return {
    intensity() {
      // By the clock, and late by what the first one is: a timer that has not come is missing.
      const passed = performance.now() - since - FIRST_KILL;
      const wanted = 1 + Math.floor(Math.max(0, passed) / KILL_EVERY);
      return { reached: killed, prevented: 0, wanted, unit: 'kills', wrong: 0 };
    },
    async stop() {
      clearTimeout(first);
      clearInterval(others);
    },
  };
}

/** xorshift32: bytes that look random and are the same every time. */
function* pseudorandom(count: number): Generator<number> {
  let x = 0x9e3779b9;
  for (let i = 0; i < count; i++) {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    yield x & 0xff;
  }
}
