/**
 * One cell of the matrix: a server, an attack, and ten honest clients a second, before, during and
 * after it.
 */

import { type Look, look, watchOthers } from '../../os/processes.ts';
import type { Traits } from '../../worker/contract.ts';
import type { Attacker } from './apart.ts';
import type { Attack } from './attacks.ts';
import { Defence } from './defence.ts';
import { type Drained, drained } from './drain.ts';
import {
  drainBeside,
  type Grade,
  gradeBeside,
  heldBeyond,
  isSlow,
  type Seen,
  tooSlowText,
  voidFor,
} from './grade.ts';
import type { Running, Target } from './hostile.ts';
import type { Intensity } from './intensity.ts';
import { type Outcome, probe } from './probe.ts';
import { PROBE_INTERVAL, recoveryOf } from './recovery.ts';
import { byDesign, forceOf, limitsOf, type Mode, noAnswerByDesign } from './settings.ts';

/**
 * Honest clients before the attack. If they are not all answered within a few tries, the server is
 * not attacked.
 */
const CALM_PROBES = 5;
const CALM_TRIES = 4;
/** Interval between looks at the server's processes, in ms. */
const LOOK_INTERVAL = 200;
/**
 * Time that a server has to release its resources, in ms, and the number of each that it may keep.
 */
const RELEASE_TIME = 2000;
const MOST_KEPT = 12;

export interface CellPlan {
  readonly traits: Traits;
  readonly attack: Attack;
  readonly mode: Mode;
  /** How long honest clients connect during the attack, in ms. */
  readonly duration: number;
}

export interface Cell {
  readonly architecture: string;
  readonly attack: string;
  readonly limits: Mode;
  readonly grade: Grade | undefined;
  readonly reasons: readonly string[];
  /** True if the cell or its drain is void because the server is too slow without an attack too. */
  readonly tooSlow: boolean;
  /** Why this architecture cannot survive the attack, whatever the grade. */
  readonly byDesign?: string;
  readonly probes: { readonly sent: number } & Readonly<Record<Outcome, number>>;
  /** Share of honest clients answered in time. */
  readonly availability: number;
  /** Time to recovery, in ms; undefined if it took more than 5 s. */
  readonly recovery: number | undefined;
  /** In bytes. */
  readonly peakMemory: number;
  readonly calmMemory: number;
  readonly peakDescriptors: number;
  readonly peakThreads: number;
  /** Processors that the server used during the attack, on average. */
  readonly cores: number;
  /** Processors that other programs used at the same time. They may explain a bad grade. */
  readonly others: number;
  readonly wrong: number;
  readonly lines: number;
  readonly accepted: number;
  readonly isAlive: boolean;
  readonly deaths: number;
  readonly intensity: Intensity;
  /** Connections that limits closed or refused during the attack, by reason. */
  readonly ended: Readonly<Record<string, number>>;
  readonly drain: Drained | undefined;
}

/**
 * Runs one cell. If the server did badly, a new server is measured without the attack. If it does
 * as badly, the machine is the reason, and the cell is void. Each part takes a few seconds at most.
 */
export async function runCell(plan: CellPlan, attacker: Attacker): Promise<Cell> {
  const { traits, attack, mode } = plan;
  const begin = (target: Target) => attacker.attack(attack, target);
  const { seen, drain, ...more } = await observed(plan, attacker, begin);
  const isAttacked = seen.intensity.wanted > 0;
  const needsCalm = isAttacked && (isSlow(seen) || drain?.grade === 'F');
  const calm = needsCalm ? await observed(plan, attacker, noAttack) : undefined;
  const beside = calm && { ...calm.seen, drain: calm.drain };
  const excuse = mode === 'on' ? byDesign(attack, traits) : undefined;
  // If the server was not attacked, its own run is the one without an attack.
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

/** Stands for an attack that does nothing. */
const noAttack = async (): Promise<Running> => ({
  intensity: () => ({ reached: 0, prevented: 0, wanted: 0, unit: '', wrong: 0 }),
  stop: async () => {},
});

/**
 * Starts a server, sends honest clients before, during and after an attack, and drains the server
 * during a second attack.
 */
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
  // If honest clients alone are not answered, an attack would show nothing.
  const laid = before.isCalm ? begin : noAttack;
  const attacking = await laid(target);
  const during = before.isCalm ? await under(defence, attacker, duration) : before;
  const intensity = attacking.intensity();
  await attacking.stop();
  const recovery = await recoveryOf(port);
  const after = await released(defence, calm);

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

/** Sends honest clients before the attack, until all of a few in a row are answered. */
async function calmOf(defence: Defence, attacker: Attacker) {
  for (let tries = 1; ; tries++) {
    const seen = await under(defence, attacker, CALM_PROBES * PROBE_INTERVAL);
    const isCalm = seen.outcomes.every((outcome) => outcome === 'answered');
    if (isCalm || tries === CALM_TRIES) return { ...seen, isCalm };
  }
}

/** Sends honest clients for `duration` ms, and records the peak use of the server's processes. */
async function under(defence: Defence, attacker: Attacker, duration: number) {
  const { port } = defence.account;
  const first = look(defence.pid);
  const others = watchOthers([defence.pid, attacker.pid]);
  const from = performance.now();
  let peak = first;
  const looking = setInterval(() => {
    peak = worse(peak, look(defence.pid));
  }, LOOK_INTERVAL);
  const asked: Promise<Outcome>[] = [];
  const count = Math.round(duration / PROBE_INTERVAL);
  for (let i = 0; i < count; i++) {
    asked.push(probe(port));
    await until(from + (i + 1) * PROBE_INTERVAL);
  }
  const last = look(defence.pid);
  // A process that ended takes its CPU time out of the sum, so the result may be too low but never
  // too high.
  const passed = performance.now() - from;
  const spent = Math.max(0, last.cpu - first.cpu);
  const byOthers = others();
  // The attack must go on while the last clients wait, so that they are measured under attack.
  const outcomes = await Promise.all(asked);
  clearInterval(looking);
  return { outcomes, peak: worse(peak, last), cores: spent / passed, others: byOthers };
}

const worse = (a: Look, b: Look): Look => ({
  memory: Math.max(a.memory, b.memory),
  descriptors: Math.max(a.descriptors, b.descriptors),
  threads: Math.max(a.threads, b.threads),
  processes: Math.max(a.processes, b.processes),
  cpu: Math.max(a.cpu, b.cpu),
});

/** The server's use after it has released what the attack cost, or after the time for that. */
async function released(defence: Defence, calm: Look): Promise<Look> {
  const end = performance.now() + RELEASE_TIME;
  for (;;) {
    const now = look(defence.pid);
    const isBack = Object.values(heldBeyond(calm, now)).every((count) => count <= MOST_KEPT);
    if (isBack || performance.now() > end) return now;
    await until(performance.now() + PROBE_INTERVAL);
  }
}

const until = (time: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, Math.max(0, time - performance.now())));
