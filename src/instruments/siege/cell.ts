/** One cell of the matrix: a server, an attack, and honest clients ten times a second, before, during and after. */

import { busy, type Look, look } from '../../os/processes.ts';
import type { Traits } from '../../worker/contract.ts';
import type { Attacker } from './apart.ts';
import type { Attack } from './attacks.ts';
import { Defence } from './defence.ts';
import { type Drained, drained } from './drain.ts';
import {
  drainBeside,
  type Grade,
  gradeBeside,
  isSlow,
  type Seen,
  tooSlowText,
  voidFor,
} from './grade.ts';
import type { Running, Target } from './hostile.ts';
import type { Intensity } from './intensity.ts';
import { type Outcome, probe } from './probe.ts';
import { byDesign, forceOf, limitsOf, type Mode, noAnswerByDesign } from './settings.ts';

/** One honest client in so many ms. */
const EVERY = 100;
/** Honest clients before the attack. If not all are answered, in a few tries, the server is not attacked. */
const CALM = 5;
const CALM_TRIES = 4;
/** How often the processes are looked at, in ms. */
const LOOK = 200;
/** How long a server has to be well again, in ms; so many honest clients in a row show it. */
const RECOVERY = 5000;
const IN_A_ROW = 3;
/** How long it has to give back what it took, in ms. */
const GIVE_BACK = 2000;
const GIVEN_BACK = 12;

export interface CellPlan {
  readonly traits: Traits;
  readonly attack: Attack;
  readonly mode: Mode;
  /** How long honest clients come while the attack goes on, in ms. */
  readonly duration: number;
}

export interface Cell {
  readonly architecture: string;
  readonly attack: string;
  readonly limits: Mode;
  readonly grade: Grade | undefined;
  readonly reasons: readonly string[];
  /** Whether it, or its drain, is void since the server is too slow without an attack as well. */
  readonly tooSlow: boolean;
  /** Why it could not be survived, whatever the grade. */
  readonly byDesign?: string;
  readonly probes: { readonly sent: number } & Readonly<Record<Outcome, number>>;
  /** Share of honest clients answered in time. */
  readonly availability: number;
  /** ms; undefined: not within 5 s. */
  readonly recovery: number | undefined;
  /** Bytes. */
  readonly peakMemory: number;
  readonly calmMemory: number;
  readonly peakDescriptors: number;
  readonly peakThreads: number;
  /** Processors kept busy during the attack, on average. */
  readonly cores: number;
  /** Processors that others on this machine kept busy meanwhile: they may be why it did badly. */
  readonly others: number;
  readonly wrong: number;
  readonly lines: number;
  readonly accepted: number;
  readonly isAlive: boolean;
  readonly deaths: number;
  readonly intensity: Intensity;
  /** Whom limits ended or refused during the attack, by reason. */
  readonly ended: Readonly<Record<string, number>>;
  readonly drain: Drained | undefined;
}

/**
 * Runs one cell. If the server did badly, the same is measured again without the attack, at a new server: what the
 * machine alone explains is void. Bounded in time: a few seconds for each of its parts.
 */
export async function runCell(plan: CellPlan, attacker: Attacker): Promise<Cell> {
  const { traits, attack, mode } = plan;
  const begin = (target: Target) => attacker.attack(attack, target);
  const { seen, drain, ...more } = await observed(plan, attacker, begin);
  const isAttacked = seen.intensity.wanted > 0;
  const needsCalm = isAttacked && (isSlow(seen) || drain?.grade === 'F');
  const calm = needsCalm ? await observed(plan, attacker, leftAlone) : undefined;
  const beside = calm && { ...calm.seen, drain: calm.drain };
  const excuse = mode === 'on' ? byDesign(attack, traits) : undefined;
  // A server that was not attacked shows what it does without an attack.
  const graded = gradeBeside(seen, isAttacked ? beside : { ...seen, drain });
  const drainGraded = drain && drainBeside(drain, calm?.drain);
  const { probes, recovery, peak, intensity } = seen;
  return {
    architecture: traits.name,
    attack: attack.name,
    limits: mode,
    ...graded,
    tooSlow: (graded.grade === undefined && isSlow(seen)) || drainGraded !== drain,
    ...(excuse === undefined ? {} : { byDesign: excuse }),
    probes: more.outcomes,
    availability: probes.answered / probes.sent,
    recovery,
    peakMemory: peak.memory,
    calmMemory: seen.calm.memory,
    peakDescriptors: peak.descriptors,
    peakThreads: peak.threads,
    cores: more.cores,
    others: more.others,
    wrong: probes.wrong + intensity.wrong,
    lines: seen.lines,
    accepted: seen.accepted,
    isAlive: seen.isAlive,
    deaths: seen.deaths,
    intensity,
    ended: more.ended,
    drain: drainGraded,
  };
}

/** No attack at all. */
const leftAlone = async (): Promise<Running> => ({
  intensity: () => ({ reached: 0, prevented: 0, wanted: 0, unit: '', wrong: 0 }),
  stop: async () => {},
});

/** A new server, honest clients before, during and after an attack, and a drain while the attack goes on again. */
async function observed(
  { traits, attack, mode, duration }: CellPlan,
  attacker: Attacker,
  begin: (target: Target) => Promise<Running>,
) {
  const { service, descriptors } = attack.server ?? {};
  await using defence = await Defence.start({
    architecture: traits.name,
    limits: limitsOf(mode, traits),
    ...(service === undefined ? {} : { service: service.href }),
    ...(descriptors === undefined ? {} : { descriptors }),
  });
  const { port } = defence.account;
  const target: Target = { port, ...forceOf(traits), pids: () => defence.account.pids };

  const before = await calmOf(defence, attacker);
  const calm = look(defence.pid);
  // A server that does not answer the honest clients alone is not attacked: that would say nothing.
  const laid = before.isCalm ? begin : leftAlone;
  const attacking = await laid(target);
  const during = before.isCalm ? await under(defence, attacker, duration) : before;
  const intensity = attacking.intensity();
  await attacking.stop();
  const recovery = await recoveryOf(port);
  const after = await givenBack(defence, calm);

  const { account } = defence;
  const kills = attack.isInside ? intensity.reached : 0;
  const outcomes = counted(during.outcomes);
  const seen: Seen = {
    probes: outcomes,
    recovery,
    calm,
    peak: during.peak,
    after,
    cores: during.cores - before.cores,
    lines: account.lines,
    accepted: account.accepted,
    isAlive: defence.isAlive,
    deaths: Math.max(0, account.deaths - kills),
    intensity,
    isIdle: attack.isIdle ?? false,
  };
  const excuse = mode === 'on' ? noAnswerByDesign(attack, traits) : undefined;
  const drain = defence.isAlive
    ? await drained(defence, attack, () => laid(target), excuse)
    : undefined;
  return {
    seen,
    outcomes,
    cores: during.cores,
    others: during.others,
    ended: account.counts,
    drain:
      drain === undefined || before.isCalm || drain.grade === 'A'
        ? drain
        : voidFor(drain, tooSlowText({ probes: outcomes, recovery })),
  };
}

function counted(all: readonly Outcome[]): Cell['probes'] {
  const count = (wanted: Outcome) => all.filter((outcome) => outcome === wanted).length;
  return {
    sent: all.length,
    answered: count('answered'),
    late: count('late'),
    refused: count('refused'),
    cut: count('cut'),
    wrong: count('wrong'),
  };
}

/** Honest clients alone, before the attack, until all of a few in a row are answered. */
async function calmOf(defence: Defence, attacker: Attacker) {
  for (let tries = 1; ; tries++) {
    const seen = await under(defence, attacker, CALM * EVERY);
    const isCalm = seen.outcomes.every((outcome) => outcome === 'answered');
    if (isCalm || tries === CALM_TRIES) return { ...seen, isCalm };
  }
}

/** Honest clients for so long, and what the server's processes had at the worst. */
async function under(defence: Defence, attacker: Attacker, duration: number) {
  const { port } = defence.account;
  const first = look(defence.pid);
  const own = () => look(attacker.pid).cpu + sum(process.cpuUsage()) / 1000;
  const firstOwn = own();
  const firstBusy = busy();
  const from = performance.now();
  let peak = first;
  const looking = setInterval(() => {
    peak = worse(peak, look(defence.pid));
  }, LOOK);
  const asked: Promise<Outcome>[] = [];
  const count = Math.round(duration / EVERY);
  for (let i = 0; i < count; i++) {
    asked.push(probe(port));
    await until(from + (i + 1) * EVERY);
  }
  const last = look(defence.pid);
  // Processes that ended unwaited took their time along: then it is less than it was, never more.
  const passed = performance.now() - from;
  const spent = Math.max(0, last.cpu - first.cpu);
  const others = Math.max(0, busy() - firstBusy - spent - (own() - firstOwn)) / passed;
  // The attack goes on while the last of them wait: it is to be survived, not sat out.
  const outcomes = await Promise.all(asked);
  clearInterval(looking);
  return { outcomes, peak: worse(peak, last), cores: spent / passed, others };
}

const sum = ({ user, system }: NodeJS.CpuUsage) => user + system;

const worse = (a: Look, b: Look): Look => ({
  memory: Math.max(a.memory, b.memory),
  descriptors: Math.max(a.descriptors, b.descriptors),
  threads: Math.max(a.threads, b.threads),
  cpu: Math.max(a.cpu, b.cpu),
});

/** ms until the first of three honest clients in a row was answered; undefined: not within 5 s. */
async function recoveryOf(port: number): Promise<number | undefined> {
  const from = performance.now();
  // Each is asked for on its own: one that waits a second is not to hold up the next.
  const run: { readonly at: number; outcome?: Outcome; done?: number }[] = [];
  for (let i = 0; performance.now() - from < RECOVERY; i++) {
    const one: { at: number; outcome?: Outcome; done?: number } = { at: performance.now() };
    run.push(one);
    void probe(port).then((outcome) => {
      one.outcome = outcome;
      one.done = performance.now();
    });
    await until(from + (i + 1) * EVERY);
    for (let j = 0; j + IN_A_ROW <= run.length; j++) {
      if (run.slice(j, j + IN_A_ROW).some(({ outcome }) => outcome !== 'answered')) continue;
      return Math.round(run[j]!.done! - from);
    }
  }
  return undefined;
}

/** What it holds once it has given back what it took, or has had long enough to. */
async function givenBack(defence: Defence, calm: Look): Promise<Look> {
  const end = performance.now() + GIVE_BACK;
  for (;;) {
    const now = look(defence.pid);
    const isBack =
      now.descriptors <= calm.descriptors + GIVEN_BACK && now.threads <= calm.threads + GIVEN_BACK;
    if (isBack || performance.now() > end) return now;
    await until(performance.now() + EVERY);
  }
}

const until = (time: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, Math.max(0, time - performance.now())));
