/** Grades a cell of the matrix. One rule holds for all cells, and uses only measured values. */

import type { Look } from '../../os/processes.ts';
import { count, mebibytes, percent, time } from '../report/figures.ts';
import { ENOUGH, type Intensity, isEnough } from './intensity.ts';
import type { Outcome } from './probe.ts';

export type Grade = 'A' | 'B' | 'C' | 'D' | 'E' | 'F';

/** What was measured during one attack. */
export interface Seen {
  /** Honest clients during the attack, and how many were answered in time. */
  readonly probes: { readonly sent: number; readonly answered: number; readonly wrong: number };
  /**
   * Time from the end of the attack until honest clients were answered, in ms; undefined if more
   * than 5 s.
   */
  readonly recovery: number | undefined;
  /** Resources before the attack, at the peak, and some time after it. */
  readonly calm: Look;
  readonly peak: Look;
  readonly after: Look;
  /**
   * Processors used during the attack, beyond the use of the same server with only the honest
   * clients.
   */
  readonly cores: number;
  readonly lines: number;
  readonly accepted: number;
  /** True if the supervisor ran to the end. */
  readonly isAlive: boolean;
  /** Workers that ended without an order or an attack on them. */
  readonly deaths: number;
  readonly intensity: Intensity;
  /** True if the attack leaves a healthy server almost nothing to do. */
  readonly isIdle: boolean;
}

export interface Verdict {
  /** Undefined if the cell is void: it would be A or B, but the attack was weaker than planned. */
  readonly grade: Grade | undefined;
  /** Why the grade is not better. */
  readonly reasons: readonly string[];
}

const MIB = 2 ** 20;
const MOST_MEMORY = 512 * MIB;
/** Allowed log lines: for each connection, and in addition. */
const LINES_EACH = 3;
const LINES = 50;
/**
 * Allowed extra processes, threads or descriptors after the attack. Node keeps a few of each; more is a leak.
 */
const SLACK = 12;
/** Descriptors of the event loop of a thread, counted on Node 26. */
const DESCRIPTORS_OF_A_THREAD = 5;
const SPIN = 0.5;

/**
 * What a server holds beyond what it held before the attack. Some keep threads or processes for their next clients:
 * such a thread counts without the descriptors of its event loop, and such a process without its own threads and
 * descriptors.
 */
export function heldBeyond(calm: Look, now: Look) {
  const processes = now.processes - calm.processes;
  const inProcesses = (total: number) =>
    Math.ceil(total / Math.max(1, calm.processes)) * Math.max(0, processes);
  const threads = now.threads - calm.threads - inProcesses(calm.threads);
  const descriptors =
    now.descriptors -
    calm.descriptors -
    inProcesses(calm.descriptors) -
    DESCRIPTORS_OF_A_THREAD * Math.max(0, threads);
  return { processes, threads, descriptors: Math.max(0, descriptors) };
}

export const rule: readonly string[] = [
  'A  at least 99 % of the honest clients were answered in time (1 s to connect, ask three questions and get the answers), and recovery within 1 s of the end of the attack',
  'B  at least 90 %, and recovery within 2 s',
  'C  at least 50 %, and recovery within 5 s, as for D and E',
  'D  at least 10 %',
  'E  less than 10 %',
  'F  a wrong answer, a worker or supervisor that died by itself, or no honest client answered 5 s after the attack',
  `At most C: more than ${MOST_MEMORY / MIB} MiB above the memory before the attack; more than ${LINES} log lines and ${LINES_EACH} for each connection; more than ${SLACK} processes, threads or descriptors still held 2 s after the attack (a thread or process that waits for its next client counts as 1); or more than ${SPIN} processors busy during an attack that is idle itself`,
  `Void (-): worse than B, but the honest clients alone would be graded worse than B too, so the machine is too slow for them; or it would be A or B, but the attack reached, including what the server prevented, less than ${ENOUGH * 100} % of its intensity; or worse than B, twice, with limits on, while other programs kept half a processor of this machine busy`,
];

export function grade(seen: Seen): Verdict {
  const { probes, recovery, calm, peak, after, intensity } = seen;
  const fatal: string[] = [];
  if (probes.wrong + intensity.wrong > 0)
    fatal.push(`${probes.wrong + intensity.wrong} wrong answers`);
  if (!seen.isAlive) fatal.push('the supervisor died');
  else if (seen.deaths > 0) fatal.push(`${seen.deaths} workers died by themselves`);
  if (recovery === undefined) fatal.push('no honest client answered 5 s after the attack');
  if (recovery === undefined || fatal.length > 0) return { grade: 'F', reasons: fatal };

  const share = shareOf(probes);
  const reasons: string[] = [];
  if (share < 0.99) reasons.push(`${percent(share)} of the honest clients answered in time`);
  if (recovery > 1000) reasons.push(`recovered ${time(recovery)} after the attack`);
  let worth = served(seen);

  const excesses: string[] = [];
  const memory = peak.memory - calm.memory;
  if (memory > MOST_MEMORY) excesses.push(`${mebibytes(memory)} more memory than before`);
  const lines = LINES_EACH * seen.accepted + LINES;
  if (seen.lines > lines) excesses.push(`${seen.lines} log lines for ${seen.accepted} connections`);
  const { processes, threads, descriptors } = heldBeyond(calm, after);
  if (processes > SLACK) excesses.push(`${processes} processes not given back`);
  if (descriptors > SLACK) excesses.push(`${descriptors} descriptors not given back`);
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

/** Grades how honest clients were served, during the attack and after it, whatever it cost. */
function served({ probes, recovery }: Served): Grade {
  if (recovery === undefined) return 'F';
  const share = shareOf(probes);
  if (share >= 0.99 && recovery <= 1000) return 'A';
  if (share >= 0.9 && recovery <= 2000) return 'B';
  if (share >= 0.5) return 'C';
  return share >= 0.1 ? 'D' : 'E';
}

/** True if honest clients were served worse than B. A slow machine alone can be the reason. */
export const isSlow = (seen: Served): boolean => served(seen) > 'B';

/** What was measured on the same server with only the honest clients. */
export interface Calm extends Served {
  /** Its drain; undefined if not measured. */
  readonly drain: DrainVerdict | undefined;
}

/**
 * Grades an attack, given a run of the same server without one. The verdict is void if the server
 * is too slow without an attack too. Wrong answers and dead processes still count, because no slow
 * machine explains them.
 */
export function gradeBeside(seen: Seen, calm: Calm | undefined): Verdict {
  const verdict = grade(seen);
  const { probes, intensity, isAlive, deaths } = seen;
  const isOwnFault = probes.wrong + intensity.wrong > 0 || !isAlive || deaths > 0;
  if (calm === undefined || isOwnFault || !isSlow(seen) || !isSlow(calm)) return verdict;
  return voidFor(verdict, tooSlowText(calm));
}

/**
 * For example `this machine is too slow for the honest clients alone: without an attack, 12 of 25
 * were answered in time`.
 */
export function tooSlowText({ probes, recovery }: Served): string {
  const later = recovery === undefined ? ', and none soon after' : '';
  return `this machine is too slow for the honest clients alone: without an attack, ${probes.answered} of ${probes.sent} were answered in time${later}`;
}

/** Turns a verdict into a void one. Its reasons then include the original grade. */
export function voidFor<T extends Pick<Verdict | DrainVerdict, 'grade' | 'reasons'>>(
  verdict: T,
  why: string,
): T & { readonly grade: undefined } {
  const { grade: was, reasons } = verdict;
  const told = was === undefined ? [] : [`it was ${[was, ...reasons].join(', ')}`];
  return { ...verdict, grade: undefined, reasons: [why, ...told] };
}

/** For example `32 of 400 connections at once, 368 prevented by the server`. */
export function intensityText({ reached, prevented, wanted, unit }: Intensity): string {
  if (wanted === 0) return 'nothing';
  const all = `${count(reached)} of ${count(wanted)} ${unit}`;
  return prevented === 0 ? all : `${all}, ${count(prevented)} prevented by the server`;
}

/** Deadline of the drain during an attack, in ms, and the extra time that its end may take. */
export const DRAIN = 1000;
const DRAIN_SLACK = 2000;

/** What was measured during one drain. */
export interface DrainSeen {
  /** Duration; undefined if the server had to be killed. */
  readonly ms: number | undefined;
  /** Processes of the server that still run. */
  readonly left: number;
  /** The honest client that asked before the order to drain; undefined if none was served. */
  readonly guest: Outcome | undefined;
  /** Workers that the attack killed during the drain. */
  readonly kills: number;
  /** Why no client can be answered during this attack, if that is so. */
  readonly byDesign?: string | undefined;
}

export interface DrainVerdict {
  /** Undefined if the drain is void: no honest client was being served. */
  readonly grade: 'A' | 'F' | undefined;
  readonly reasons: readonly string[];
  /** Why the honest client could not be answered, if nothing else is wrong. */
  readonly byDesign?: string;
}

export const drainRule = `drain: A = ended within ${time(DRAIN_SLACK)} after its deadline of ${time(DRAIN)}, no process left, and the honest client's open question answered within the deadline; F = anything else; - = void: no honest client was connected before it, or the drain is not A without an attack either`;

export function gradeDrain({ ms, left, guest, kills, byDesign }: DrainSeen): DrainVerdict {
  const reasons: string[] = [];
  if (ms === undefined) reasons.push('it had to be killed');
  else if (ms > DRAIN + DRAIN_SLACK) reasons.push(`it took ${ms} ms`);
  else if (left > 0) reasons.push(`${left} processes are left`);
  if (guest === 'wrong') reasons.push('a question that had been asked got a wrong answer');
  // A killed worker loses its clients, so an unanswered one is no fault of the drain.
  else if (guest !== undefined && guest !== 'answered' && kills === 0) {
    const why = `a question that had been asked was not answered (${guest})`;
    if (reasons.length === 0 && byDesign !== undefined) {
      return { grade: 'F', reasons: [why], byDesign };
    }
    reasons.push(why);
  }
  if (reasons.length > 0) return { grade: 'F', reasons };
  if (guest === undefined) {
    return { grade: undefined, reasons: ['no honest client was connected before it'] };
  }
  return { grade: 'A', reasons };
}

/**
 * Grades a drain during an attack. It is void if the same server did not drain well without one.
 */
export function drainBeside<T extends DrainVerdict>(verdict: T, calm: DrainVerdict | undefined): T {
  if (verdict.grade !== 'F' || calm === undefined || calm.grade === 'A') return verdict;
  const how = calm.reasons.join('; ');
  return voidFor(verdict, `this machine is too slow: without an attack, ${how}`);
}
