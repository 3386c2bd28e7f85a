/**
 * The attacks, each a few lines: what one kind of hostile client does, a hundred times a second.
 * Loopback only, and bounded in number and rate. `mondo siege` runs one at a time, beside an honest
 * client; ../../docs/robustness.md says who falls, and what stops it.
 */
import { kill } from 'node:process';
import type { Traits } from '../architectures/architecture.ts';
import { crowd, payload, type Running, storm, type Target } from './hostile.ts';

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
const manyQuestions = payload('Simple is better than?'.repeat(300));
const noDelimiter = payload('a'.repeat(16_384));
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

export const attacks: readonly Attack[] = [
  {
    name: 'idle-crowd',
    title: 'idle crowd',
    what: 'Connects many times and says nothing; whoever is sent away comes again.',
    takes: 'time',
    stoppedBy: 'idle, connections-per-address',
    isIdle: true,
    start: (target) => crowd(target, target.crowd, { act: (peer) => void peer.receive() }),
  },
  {
    name: 'slow-drip',
    title: 'slow drip',
    what: 'Sends a byte of a question every 100 ms, and never its end: it is never idle.',
    takes: 'time',
    stoppedBy: 'question-time, connections-per-address',
    start: (target) =>
      crowd(target, target.crowd / 2, {
        act(peer) {
          if (peer.age % 10 === 0) {
            peer.step += peer.send({ at: unfinished.at, length: 1 });
          }
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
        room: LITTLE_ROOM,
        expects: UNKNOWN,
        act(peer) {
          if (peer.age % 5 === 0) peer.send(manyUnknown);
          if (peer.age % 10 === 0) peer.receive(16);
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
            peer.send(manyUnknown);
          }
          if (peer.age % 10 === 0) peer.sense();
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
        act(peer) {
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
    start: (target) => storm(target, target.rate, { act: (peer) => peer.reset() }),
  },
  {
    name: 'ask-and-reset',
    title: 'ask and reset',
    what: 'Asks a question and resets before the answer can come.',
    takes: 'work',
    stoppedBy: 'accepts-per-second; a reset ends one conversation',
    start: (target) =>
      storm(target, target.rate, {
        act(peer) {
          if (peer.send(question) > 0 || peer.age === 50) peer.reset();
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
        room: LITTLE_ROOM,
        expects: UNKNOWN,
        act(peer) {
          if (peer.step === 0) peer.step = peer.send(manyUnknown);
          if (peer.receive(10) > 0 || peer.age === 50) peer.reset();
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
        expects: ANSWER,
        act(peer) {
          if (peer.step === 0) {
            peer.step = peer.send(question);
            if (peer.step > 0) peer.halfClose();
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
        act(peer) {
          peer.send(noDelimiter);
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
        expects: UNKNOWN,
        act(peer) {
          const most = Math.min(oversize.length, peer.step + 65_536);
          peer.step += peer.send({ at: oversize.at, length: most }, peer.step);
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
        expects: ANSWER,
        act(peer) {
          // What was sent in part goes on there: else the next question would not be one.
          peer.step += peer.send(manyQuestions, peer.step);
          if (peer.step === manyQuestions.length) peer.step = 0;
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
        expects: UNKNOWN,
        act(peer) {
          const from = (peer.age * 1024 + peer.step) % (garbage.length - 1024);
          peer.step += peer.send({ at: garbage.at + from, length: 1024 });
          peer.receive();
          if (peer.age === 20) peer.reset();
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
    start: (target) => crowd(target, TOO_MANY, { act: (peer) => void peer.receive() }),
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
        expects: ANSWER,
        act(peer) {
          if (peer.step === 0) peer.step = peer.send(question);
          peer.receive();
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
        expects: 'Ash.',
        act(peer) {
          if (peer.step * 'Ash.'.length === peer.received)
            peer.step += Number(peer.send(burning) > 0);
          peer.receive();
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
        expects: ANSWER,
        act(peer) {
          if (peer.step === 0) peer.step = peer.send(question);
          else peer.receive();
          if (peer.received >= ANSWER.length || peer.age === 50) peer.leave();
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
  let killed = 0;
  let tried = 0;
  const killOne = () => {
    const pids = target.pids();
    const pid = pids[tried++ % Math.max(1, pids.length)];
    if (pid === undefined) return;
    try {
      kill(pid, 'SIGKILL');
      killed++;
    } catch {
      // Gone already: the attack falls short by one.
    }
  };
  const first = setTimeout(killOne, FIRST_KILL);
  const others = setInterval(killOne, KILL_EVERY);
  return {
    intensity: () => ({ reached: killed, wanted: tried, unit: 'kills', wrong: 0 }),
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
