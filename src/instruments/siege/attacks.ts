/**
 * The attacks. Each describes in a few lines what one kind of hostile client does, a hundred times
 * a second. They use loopback only, with a bounded number and rate. `mondo siege` runs one at a
 * time, beside an honest client. ../../docs/robustness.md says which architectures fail, and what
 * stops each attack.
 */
import { kill } from 'node:process';
import { isRunning } from '../../os/processes.ts';
import type { Traits } from '../../worker/contract.ts';
import { crowd, type Running, storm, type Target } from './hostile.ts';
import { type Peer, payload } from './peer.ts';

/** The resource that an attack takes from other clients even with limits. */
type Takes =
  /**
   * A conversation, until a time limit ends it. That is a thread, a process, or the only
   * conversation at a time.
   */
  | 'time'
  /** The answering thread or process, while it computes an answer. No limit ends that. */
  | 'answers'
  /** Nothing for long: the attack only costs work. */
  | 'work';

export interface Attack {
  readonly name: string;
  readonly title: string;
  /** What its clients do, in one sentence. */
  readonly what: string;
  readonly takes: Takes;
  /** The limits or measures that stop the attack. */
  readonly stoppedBy: string;
  /**
   * True if a healthy server has almost nothing to do during the attack. A busy server then spins.
   */
  readonly isIdle?: boolean;
  /** Architectures that it is meant for; default: all. */
  readonly isFor?: (traits: Traits) => boolean;
  /** Options that the server gets for this attack. */
  readonly server?: { readonly service?: URL; readonly descriptors?: number };
  /** True if it acts on the server's processes instead of its port. */
  readonly isInside?: boolean;
  /** Starts the attack in this process. Resolves when its first wave is connected. */
  start(target: Target): Promise<Running>;
}

/**
 * The answer to an unknown question. The shortest question has one byte, so the answer is 24 times
 * as long.
 */
const UNKNOWN = 'Error: unknown aphorism.';
const question = payload('Simple is better than?');
const ANSWER = 'Complex.';
const unfinished = payload('Simple is better than');
const manyUnknown = payload('?'.repeat(1024));
/** Questions in one send, from any offset in a question. */
const QUESTIONS_PER_SEND = 300;
const manyQuestions = payload('Simple is better than?'.repeat(QUESTIONS_PER_SEND + 1));
const noDelimiter = payload('a'.repeat(16_384));
const PIECE = 65_536;
const oversize = payload(`${'a'.repeat(2 ** 20 - 1)}?`);
const burning = payload('Burn?');

/** The same bytes in every run, so that a failure can be repeated. */
const garbage = payload(Uint8Array.from(pseudorandom(65_536)));

/** Receive buffer of a slow peer, in bytes: small enough that the server soon cannot send. */
const SMALL_BUFFER = 2048;
/**
 * Age in looks at which a peer that does not read leaves and comes again. The server may have
 * closed it long ago, but with a full buffer the peer cannot see that.
 */
const LEAVE_AGE = 200;
/** Descriptor limit of the server: low enough to run out. */
const FEW_DESCRIPTORS = 128;
const TOO_MANY = 200;
/** Clients of the thread bomb. */
const BOMB = 100;
/**
 * Interval between two kills, in ms. It is longer than a second, because a worker that lived for a
 * second is replaced at once. It is not a multiple of the interval between honest clients.
 * Otherwise each kill would meet the same phase of a client.
 */
const KILL_INTERVAL = 1130;
const FIRST_KILL_DELAY = 50;

/** Connects, sends nothing, and stays as long as possible. */
const silent = {
  unit: 'connections at once',
  act(peer: Peer) {
    peer.receive();
    peer.did = Number(peer.wasConnected);
  },
};

const BEHIND = 'connections 16 KiB of answers behind at once';
/** Whether the server has 16 KiB of answers to send, several times the peer's receive buffer. */
const isBehind = ({ step, received }: Peer): number =>
  Number(step * UNKNOWN.length - received >= 16_384);

export const attacks: readonly Attack[] = [
  {
    name: 'idle-crowd',
    title: 'idle crowd',
    what: 'Connects many times and says nothing; a client that was closed comes again.',
    takes: 'time',
    stoppedBy: 'idle, connections-per-address',
    isIdle: true,
    start: (target) => crowd(target, target.crowd, silent),
  },
  {
    name: 'slow-drip',
    title: 'slow drip',
    what: 'Sends one byte of a question every 100 ms and never its end, so it is never idle.',
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
        room: SMALL_BUFFER,
        expects: UNKNOWN,
        act(peer) {
          if (peer.age % 5 === 0) peer.step += peer.send(manyUnknown);
          if (peer.age % 10 === 0) peer.receive(16);
          peer.sense();
          peer.did = isBehind(peer);
          if (peer.age === LEAVE_AGE) peer.leave();
        },
      }),
  },
  {
    name: 'stops-reading',
    title: 'stops reading',
    what: 'Takes three answers as usual, then goes on asking and reads no more.',
    takes: 'time',
    stoppedBy: 'answer-time, unsent, connections-per-address',
    start: (target) =>
      crowd(target, target.crowd / 4, {
        unit: BEHIND,
        room: SMALL_BUFFER,
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
          if (peer.age === LEAVE_AGE) peer.leave();
        },
      }),
  },
  {
    name: 'connect-flood',
    title: 'connect flood',
    what: 'Connects as often as possible, says nothing, and leaves after half a second.',
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
    what: 'Connects and resets at once, before the server can accept.',
    takes: 'work',
    stoppedBy: 'accepts-per-second; accept ignores an aborted connection',
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
        room: SMALL_BUFFER,
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
    what: 'Asks, closes its own direction, and waits for the answer, which the server must send.',
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
    what: 'Sends a question that never ends, at up to 1.6 MB a second from each of 20 clients.',
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
    what: 'Asks questions of 1 MiB, complete with their end.',
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
    stoppedBy: 'questions, age, connections-per-address; a time slice for each connection',
    start: (target) =>
      crowd(target, 10, {
        unit: 'questions',
        perLook: QUESTIONS_PER_SEND,
        expects: ANSWER,
        act(peer) {
          // Continues inside a question that was sent in part. Otherwise the next bytes would not
          // be a question.
          const at = manyQuestions.at + (peer.step % question.length);
          const sent = peer.send({ at, length: QUESTIONS_PER_SEND * question.length });
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
    stoppedBy: 'question-size; a question may hold any bytes',
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
    what: `${TOO_MANY} silent clients attack a server that may have ${FEW_DESCRIPTORS} descriptors in a process.`,
    takes: 'time',
    stoppedBy: 'connections, connections-per-address; a spare descriptor',
    isIdle: true,
    server: { descriptors: FEW_DESCRIPTORS },
    start: (target) => crowd(target, TOO_MANY, silent),
  },
  {
    name: 'thread-bomb',
    title: 'thread bomb',
    what: 'A hundred clients ask once each and stay, so the server starts a thread or process for each.',
    takes: 'time',
    stoppedBy: 'connections-per-address, accepts-per-second, --max-threads',
    isFor: costsAThread,
    start: (target) =>
      crowd(target, target.bomb ?? BOMB, {
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
    what: 'Four clients ask a question that costs the service 300 ms of computing, again and again.',
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
    stoppedBy: 'the supervisor starts another on the same listener',
    isInside: true,
    start: killWorkers,
  },
];

/** The attack with that name, if there is one. */
export const attackNamed = (name: string): Attack | undefined =>
  attacks.find((attack) => attack.name === name);

/** Whether each connection takes its own thread or process, without a limit. */
export function costsAThread({ arrangement, capacity }: Traits): boolean {
  return arrangement === 'crew' && capacity === 'unbounded';
}

async function killWorkers(target: Target): Promise<Running> {
  const since = performance.now();
  let [killed, tried] = [0, 0];
  const killOne = () => {
    const pids = target.pids();
    const pid = pids[tried++ % Math.max(1, pids.length)];
    // A signal to a dead process that its parent has not waited for would succeed, and count.
    if (pid === undefined || !isRunning(pid)) return;
    try {
      kill(pid, 'SIGKILL');
      killed++;
    } catch {
      // The process ended just now: the attack misses one kill.
    }
  };
  const first = setTimeout(killOne, FIRST_KILL_DELAY);
  const others = setInterval(killOne, KILL_INTERVAL);
  return {
    intensity() {
      // Computed from the clock, so that a timer that did not fire counts as a missing kill.
      const passed = performance.now() - since - FIRST_KILL_DELAY;
      const wanted = 1 + Math.floor(Math.max(0, passed) / KILL_INTERVAL);
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
