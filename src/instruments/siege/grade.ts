/** What a cell of the matrix is worth: one rule for all, made of what was measured and of nothing else. */

import type { Look } from '../../os/processes.ts';
import { count, mebibytes, percent, time } from '../report/figures.ts';
import { ENOUGH, type Intensity, isEnough } from './intensity.ts';
import type { Outcome } from './probe.ts';

export type Grade = 'A' | 'B' | 'C' | 'D' | 'E' | 'F';

/** What a siege saw of one attack. */
export interface Seen {
  /** Honest clients while it went on, and how many were answered in time. */
  readonly probes: { readonly sent: number; readonly answered: number; readonly wrong: number };
  /** ms from the end of the attack until honest clients were answered again; undefined: not within 5 s. */
  readonly recovery: number | undefined;
  /** Before the attack, at its worst, and a while after it. */
  readonly calm: Look;
  readonly peak: Look;
  readonly after: Look;
  /** Processors kept busy during the attack, beyond those of a calm server under the same honest clients. */
  readonly cores: number;
  readonly lines: number;
  readonly accepted: number;
  /** Whether its supervisor was there to the end. */
  readonly isAlive: boolean;
  /** Workers that ended by themselves. */
  readonly deaths: number;
  readonly intensity: Intensity;
  /** Whether the attack leaves a healthy server next to nothing to do. */
  readonly isIdle: boolean;
}

export interface Verdict {
  /** Undefined where the cell is void: it would have passed, and was not attacked as hard as was meant. */
  readonly grade: Grade | undefined;
  /** Why it is not better. */
  readonly reasons: readonly string[];
}

const MIB = 2 ** 20;
const MOST_MEMORY = 512 * MIB;
/** Log lines for each connection, and besides. */
const LINES_EACH = 3;
const LINES = 50;
/** More descriptors or threads than before is a leak. Node keeps a few of each for itself. */
const SLACK = 12;
const SPIN = 0.5;

export const rule: readonly string[] = [
  'A  at least 99 % of the honest clients were answered in time (1 s for connection, three questions and three answers), and again at most 1 s after the attack',
  'B  at least 90 %, and again at most 2 s after it',
  'C  at least 50 %, and again at most 5 s after it; as D and E',
  'D  at least 10 %',
  'E  fewer',
  'F  a wrong answer, a worker or supervisor that died by itself, or no honest client answered 5 s after the attack',
  `At most C: more than ${MOST_MEMORY / MIB} MiB beyond the calm before; more than ${LINES_EACH} log lines for each connection and ${LINES}; more than ${SLACK} descriptors or threads still held 2 s after it; or more than ${SPIN} processors busy under an attack that is idle itself`,
  `Void (-): worse than B, but without any attack the honest clients would be graded worse than B as well: the machine is too slow for them; or it would be A or B, but the attack reached less than ${ENOUGH * 100} % of its intensity, what the server prevented included; or with limits it was worse, twice, while others kept half a processor of this machine busy`,
];

export function grade(seen: Seen): Verdict {
  const { probes, recovery, calm, peak, after, intensity } = seen;
  const fatal: string[] = [];
  if (probes.wrong + intensity.wrong > 0)
    fatal.push(`${probes.wrong + intensity.wrong} wrong answers`);
  if (!seen.isAlive) fatal.push('the server has died');
  else if (seen.deaths > 0) fatal.push(`${seen.deaths} workers died by themselves`);
  if (recovery === undefined) fatal.push('no honest client answered 5 s after the attack');
  if (recovery === undefined || fatal.length > 0) return { grade: 'F', reasons: fatal };

  const share = shareOf(probes);
  const reasons: string[] = [];
  if (share < 0.99) reasons.push(`${percent(share)} of the honest clients answered in time`);
  if (recovery > 1000) reasons.push(`well again ${time(recovery)} after the attack`);
  let worth = served(seen);

  const excesses: string[] = [];
  const memory = peak.memory - calm.memory;
  if (memory > MOST_MEMORY) excesses.push(`${mebibytes(memory)} more memory than before`);
  const lines = LINES_EACH * seen.accepted + LINES;
  if (seen.lines > lines) excesses.push(`${seen.lines} log lines for ${seen.accepted} connections`);
  const descriptors = after.descriptors - calm.descriptors;
  if (descriptors > SLACK) excesses.push(`${descriptors} descriptors not given back`);
  const threads = after.threads - calm.threads;
  if (threads > SLACK) excesses.push(`${threads} threads not given back`);
  if (seen.isIdle && seen.cores > SPIN) {
    excesses.push(`${seen.cores.toFixed(1)} processors busy with an attack that is idle itself`);
  }
  if (excesses.length > 0 && worth < 'C') worth = 'C';
  reasons.push(...excesses);

  if (worth < 'C' && !isEnough(intensity)) {
    return { grade: undefined, reasons: [`the attack reached ${intensityText(intensity)}`] };
  }
  return { grade: worth, reasons };
}

type Served = Pick<Seen, 'probes' | 'recovery'>;

const shareOf = ({ sent, answered }: Served['probes']) => (sent === 0 ? 0 : answered / sent);

/** How honest clients were served, in time and soon again, whatever it cost. */
function served({ probes, recovery }: Served): Grade {
  if (recovery === undefined) return 'F';
  const share = shareOf(probes);
  if (share >= 0.99 && recovery <= 1000) return 'A';
  if (share >= 0.9 && recovery <= 2000) return 'B';
  if (share >= 0.5) return 'C';
  return share >= 0.1 ? 'D' : 'E';
}

/** Whether honest clients were served worse than B. A slow machine alone can be the reason. */
export const isSlow = (seen: Served): boolean => served(seen) > 'B';

/** What the same server did for the honest clients alone, without an attack. */
export interface Calm extends Served {
  /** How it drained; undefined: not measured. */
  readonly drain: DrainVerdict | undefined;
}

/**
 * The verdict on an attack, given what the server did without one. Void if the server is too slow even without
 * an attack, but for what no slow machine explains: wrong answers and processes that died.
 */
export function gradeBeside(seen: Seen, calm: Calm | undefined): Verdict {
  const verdict = grade(seen);
  const { probes, intensity, isAlive, deaths } = seen;
  const isOwnFault = probes.wrong + intensity.wrong > 0 || !isAlive || deaths > 0;
  if (calm === undefined || isOwnFault || !isSlow(seen) || !isSlow(calm)) return verdict;
  return voidFor(verdict, tooSlowText(calm));
}

/** Such as `this machine is too slow for the honest clients alone: without an attack, 12 of 25 were answered in time`. */
export function tooSlowText({ probes, recovery }: Served): string {
  const later = recovery === undefined ? ', and none soon after' : '';
  return `this machine is too slow for the honest clients alone: without an attack, ${probes.answered} of ${probes.sent} were answered in time${later}`;
}

/** A verdict that says nothing about the attack, for a reason. What it was is in its reasons. */
export function voidFor<T extends Pick<Verdict | DrainVerdict, 'grade' | 'reasons'>>(
  verdict: T,
  why: string,
): T & { readonly grade: undefined } {
  const { grade: was, reasons } = verdict;
  const told = was === undefined ? [] : [`it was ${[was, ...reasons].join(', ')}`];
  return { ...verdict, grade: undefined, reasons: [why, ...told] };
}

/** Such as `32 of 400 connections at once, 368 prevented by the server`. */
export function intensityText({ reached, prevented, wanted, unit }: Intensity): string {
  if (wanted === 0) return 'nobody';
  const all = `${count(reached)} of ${count(wanted)} ${unit}`;
  return prevented === 0 ? all : `${all}, ${count(prevented)} prevented by the server`;
}

/** The drain that is asked of a server while an attack goes on, in ms, and what its end may take beyond that. */
export const DRAIN = 1000;
const DRAIN_SLACK = 2000;

/** What a siege saw of one drain. */
export interface DrainSeen {
  /** How long it took; undefined: it had to be killed. */
  readonly ms: number | undefined;
  /** Processes of it that are still there. */
  readonly left: number;
  /** The honest client that had asked before it was told to stop; undefined: none had got in. */
  readonly guest: Outcome | undefined;
  /** Workers that the attack has killed meanwhile. */
  readonly kills: number;
  /** Why nobody can be answered under this attack, if that is so. */
  readonly byDesign?: string | undefined;
}

export interface DrainVerdict {
  /** Undefined where it is void: no honest client was there to be answered. */
  readonly grade: 'A' | 'F' | undefined;
  readonly reasons: readonly string[];
  /** Why the honest client could not be answered, where that is all that is wrong. */
  readonly byDesign?: string;
}

export const drainRule = `drain: A = within its deadline of ${time(DRAIN)} and ${time(DRAIN_SLACK)}, nothing left, and what had been asked was answered within the deadline; F = not; - = no honest client had got in before it, or it does not drain so without an attack either`;

export function gradeDrain({ ms, left, guest, kills, byDesign }: DrainSeen): DrainVerdict {
  const reasons: string[] = [];
  if (ms === undefined) reasons.push('it had to be killed');
  else if (ms > DRAIN + DRAIN_SLACK) reasons.push(`it took ${ms} ms`);
  else if (left > 0) reasons.push(`${left} processes are left`);
  if (guest === 'wrong') reasons.push('a question that had been asked got a wrong answer');
  // Who is with a worker that is killed is lost with it.
  else if (guest !== undefined && guest !== 'answered' && kills === 0) {
    const why = `a question that had been asked was not answered (${guest})`;
    if (reasons.length === 0 && byDesign !== undefined) {
      return { grade: 'F', reasons: [why], byDesign };
    }
    reasons.push(why);
  }
  if (reasons.length > 0) return { grade: 'F', reasons };
  if (guest === undefined) {
    return { grade: undefined, reasons: ['no honest client had got in before it'] };
  }
  return { grade: 'A', reasons };
}

/** The verdict on a drain under an attack: void if the same server did not drain well without one. */
export function drainBeside<T extends DrainVerdict>(verdict: T, calm: DrainVerdict | undefined): T {
  if (verdict.grade !== 'F' || calm === undefined || calm.grade === 'A') return verdict;
  const how = calm.reasons.join('; ');
  return voidFor(verdict, `this machine is too slow: without an attack, ${how}`);
}
