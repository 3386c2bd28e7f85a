/** One cell of the matrix: a server, an attack, and honest clients ten times a second, before, during and after. */

import { busy, type Look, look } from '../../os/processes.ts';
import type { Traits } from '../../worker/contract.ts';
import type { Attacker } from './apart.ts';
import type { Attack } from './attacks.ts';
import { Defence } from './defence.ts';
import { type Drained, drained } from './drain.ts';
import { type Grade, grade, type Seen } from './grade.ts';
import type { Target } from './hostile.ts';
import type { Intensity } from './intensity.ts';
import { type Outcome, probe } from './probe.ts';
import { byDesign, forceOf, limitsOf, type Mode, noAnswerByDesign } from './settings.ts';

/** One honest client in so many ms. */
const EVERY = 100;
/** Honest clients before the attack, all of whom have to be answered. */
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

/** Runs one cell. Never longer than its parts may take, the most of which are a few seconds. */
export async function runCell(plan: CellPlan, attacker: Attacker): Promise<Cell> {
  const { traits, attack, mode, duration } = plan;
  const { service, descriptors } = attack.server ?? {};
  await using defence = await Defence.start({
    architecture: traits.name,
    limits: limitsOf(mode, traits),
    ...(service === undefined ? {} : { service: service.href }),
    ...(descriptors === undefined ? {} : { descriptors }),
  });
  const { port } = defence.account;
  const target: Target = { port, ...forceOf(traits), pids: () => defence.account.pids };

  const calmCores = await calmOf(defence, attacker, traits.name);
  const calm = look(defence.pid);

  const attacking = await attacker.attack(attack, target);
  const { outcomes, peak, cores, others } = await under(defence, attacker, duration);
  const intensity = attacking.intensity();
  await attacking.stop();
  const recovery = await recoveryOf(port);
  const after = await givenBack(defence, calm);

  const { account } = defence;
  const kills = attack.isInside ? intensity.reached : 0;
  const count = (wanted: Outcome) => outcomes.filter((outcome) => outcome === wanted).length;
  const probes = {
    sent: outcomes.length,
    answered: count('answered'),
    late: count('late'),
    refused: count('refused'),
    cut: count('cut'),
    wrong: count('wrong'),
  };
  const seen: Seen = {
    probes,
    recovery,
    calm,
    peak,
    after,
    cores: cores - calmCores,
    lines: account.lines,
    accepted: account.accepted,
    isAlive: defence.isAlive,
    deaths: Math.max(0, account.deaths - kills),
    intensity,
    isIdle: attack.isIdle ?? false,
  };
  const drain = defence.isAlive
    ? await drained(
        defence,
        attack,
        () => attacker.attack(attack, target),
        mode === 'on' ? noAnswerByDesign(attack, traits) : undefined,
      )
    : undefined;
  const excuse = mode === 'on' ? byDesign(attack, traits) : undefined;
  return {
    architecture: traits.name,
    attack: attack.name,
    limits: mode,
    ...grade(seen),
    ...(excuse === undefined ? {} : { byDesign: excuse }),
    probes,
    availability: probes.answered / probes.sent,
    recovery,
    peakMemory: peak.memory,
    calmMemory: calm.memory,
    peakDescriptors: peak.descriptors,
    peakThreads: peak.threads,
    cores,
    others,
    wrong: probes.wrong + intensity.wrong,
    lines: seen.lines,
    accepted: seen.accepted,
    isAlive: seen.isAlive,
    deaths: seen.deaths,
    intensity,
    ended: account.counts,
    drain,
  };
}

/** Processors that honest clients alone keep busy; all of them have to be answered. */
async function calmOf(defence: Defence, attacker: Attacker, name: string): Promise<number> {
  let outcomes: readonly Outcome[] = [];
  for (let tries = 0; tries < CALM_TRIES; tries++) {
    const seen = await under(defence, attacker, CALM * EVERY);
    outcomes = seen.outcomes;
    if (outcomes.every((outcome) => outcome === 'answered')) return seen.cores;
  }
  throw new Error(
    `Cannot lay siege to ${name}: honest clients were ${outcomes.join(', ')} before the attack; leave the machine alone meanwhile, and try again`,
  );
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
