/** Runs a whole comparison: every variant, round after round, and the findings. */
import { readFileSync } from 'node:fs';
import { loadavg } from 'node:os';
import { loadArchitecture } from '../../architectures/catalogue.ts';
import { ServeError } from '../../host/errors.ts';
import { architectureNamed, planOf, type ServeOptions } from '../../host/plan.ts';
import { coresOf, keepTo } from '../../os/affinity.ts';
import { descriptorLimit } from '../../os/descriptors.ts';
import type { Traits } from '../../worker/contract.ts';
import { rehearse } from '../load/rehearsal.ts';
import type { Environment } from '../load/result.ts';
import { runLoad } from '../load/run.ts';
import { type Findings, findingsOf } from './findings.ts';
import { whyNot } from './fit.ts';
import { limits, loadPlanOf, type Measured, measure, type RunLoad } from './measure.ts';
import { orderOf } from './order.ts';
import {
  type ComparePlan,
  cellSeconds,
  estimatedSeconds,
  hasTimeFor,
  longestUntil,
  type Variant,
  variantKey,
  variantsOf,
} from './plan.ts';
import { type Recommendation, recommendationOf } from './recommend.ts';
import type { Cell, Run } from './result.ts';
import { Servers } from './servers.ts';
import { framed } from './service-framing.ts';
import { MIN_ROUNDS } from './verdict.ts';

/** All measurements, and the findings from them. */
export interface Comparison extends Run {
  readonly schema: 'mondo-compare-1';
  readonly findings: Findings;
  readonly recommendation: Recommendation;
}

export interface Progress {
  readonly round: number;
  /** Cells that have ended, and planned cells. */
  readonly done: number;
  readonly planned: number;
  /** The variant that is measured now; undefined after the last. */
  readonly now: Variant | undefined;
  /** The cell that has just ended. */
  readonly last: Cell | undefined;
  /** Expected remaining time, in s. */
  readonly left: number;
  /** True if the rounds that a verdict needs take longer than the plan's limit on time. */
  readonly isExtended: boolean;
}

export interface CompareOptions {
  /** Ends the comparison; the result then has the cells so far. */
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: Progress) => void;
  /** Drives the load; tests replace it. */
  readonly run?: RunLoad;
}

/** Failures after which a variant is not tried again. */
const MOST_FAILURES = 2;

export async function compare(
  plan: ComparePlan,
  {
    signal = new AbortController().signal,
    onProgress = () => {},
    run = runLoad,
  }: CompareOptions = {},
): Promise<Comparison> {
  const began = performance.now();
  const startedAt = Date.now();
  const before = loadavg()[0]!;
  const elapsed = () => (performance.now() - began) / 1000;
  const { variants, left, optionsOf } = await prepared(plan);
  const own = coresOf();
  const cores =
    plan.pinned && own.length > 1 ? { server: own.slice(0, -1), load: own.slice(-1) } : null;
  const cells: Cell[] = [];
  const failures = new Map<string, number>();
  let environment: Environment | null = null;
  let end: Run['end'] = 'done';
  const planned = variants.length * plan.rounds;
  const tell = (round: number, now: Variant | undefined, last: Cell | undefined) => {
    const each = cells.length > 0 ? elapsed() / cells.length : cellSeconds(plan);
    const rest = (planned - cells.length) * each;
    const needed = (variants.length * Math.min(plan.rounds, MIN_ROUNDS) - cells.length) * each;
    const cap = plan.longest > 0 ? Math.max(needed, plan.longest - elapsed()) : rest;
    const isExtended = cells.length >= 3 && plan.longest > 0 && elapsed() + needed > plan.longest;
    const left = Math.max(0, Math.min(rest, cap));
    onProgress({ round, done: cells.length, planned, now, last, left, isExtended });
  };

  await using servers = new Servers(cores?.server ?? []);
  let lastRound = 0;
  try {
    // A thread inherits the cores of the thread that starts it, and this thread starts the load's.
    if (cores !== null) keepTo(cores.load);
    rounds: for (let round = 1; round <= plan.rounds; round++) {
      const from = elapsed();
      const longest = longestUntil(round, plan.longest);
      if (!hasTimeFor(round, { elapsed: from, lastRound, longest: plan.longest })) {
        end = 'out of time';
        break;
      }
      for (const variant of orderOf(variants, round, plan.seed)) {
        const key = variantKey(variant);
        if ((failures.get(key) ?? 0) >= MOST_FAILURES) continue;
        if (longest > 0 && elapsed() > longest) {
          end = 'out of time';
          break rounds;
        }
        tell(round, variant, undefined);
        const context = { plan, servers, optionsOf, run, signal };
        const { cell, result }: Measured = await measure({ variant, round }, context);
        // A load that was cut short is not a measurement.
        if (signal.aborted) {
          end = 'interrupted';
          break rounds;
        }
        environment ??= result?.environment ?? null;
        cells.push(cell);
        if (cell.state === 'failed') failures.set(key, (failures.get(key) ?? 0) + 1);
        tell(round, undefined, cell);
      }
      lastRound = elapsed() - from;
    }
  } finally {
    if (cores !== null) keepTo(own);
  }
  const found = {
    startedAt,
    seconds: elapsed(),
    plan,
    environment,
    cores,
    load: [before, loadavg()[0]!] as const,
    end,
    planned,
    cells,
    left,
  };
  const findings = findingsOf(found);
  const recommendation = recommendationOf(found, findings);
  return { schema: 'mondo-compare-1', ...found, findings, recommendation };
}

/** Which variants will run, which will not and why, and the expected duration, in s. */
export async function outlineOf(plan: ComparePlan) {
  const { variants, left } = await prepared(plan);
  return { variants, left, seconds: estimatedSeconds(plan, variants.length) };
}

/**
 * Returns the plan with the framing of its service. The module is loaded in a separate process, as for the servers.
 *
 * @throws ServeError if it cannot be loaded
 */
export async function withServiceFraming(plan: ComparePlan): Promise<ComparePlan> {
  if (plan.service === null) return plan;
  await using servers = new Servers([]);
  const questions = plan.exchanges.map(({ question }) => question);
  const sample = await servers.sample(plan.service, questions).catch((error: Error) => {
    throw new ServeError('failed', error.message, { cause: error });
  });
  return { ...plan, ...framed(sample, plan) };
}

/**
 * Asks one question of a server with the measured options.
 *
 * @throws ServeError if the server cannot be started, or if the answer is not the one of the plan
 */
export async function rehearseOnce(plan: ComparePlan, signal: AbortSignal): Promise<void> {
  const { variants, optionsOf } = await prepared(plan);
  const [variant] = variants;
  if (variant === undefined) return;
  await using servers = new Servers([]);
  const { port, pid } = await servers
    .start(optionsOf({ ...variant, think: 0 }))
    .catch((error: Error) => {
      throw new ServeError('failed', `Cannot measure ${variant.architecture}: ${error.message}`, {
        cause: error,
      });
    });
  await rehearse(loadPlanOf(variant, plan, port, pid), signal);
}

async function prepared(plan: ComparePlan) {
  const traits = new Map<string, Traits>();
  for (const name of plan.architectures) {
    traits.set(name, await loadArchitecture(architectureNamed(name)));
  }
  const machine = { descriptors: descriptorLimit(), queue: longestQueue() };
  const missing = await unavailable(plan.architectures);
  const left: Run['left'][number][] = [];
  const variants: Variant[] = [];
  for (const variant of variantsOf(plan)) {
    const why =
      missing.get(variant.architecture) ??
      whyNot(traits.get(variant.architecture)!, variant, machine);
    if (why === undefined) variants.push(variant);
    else left.push({ variant, why });
  }
  const optionsOf = (variant: Variant): ServeOptions => {
    const { threads, processes } = traits.get(variant.architecture)!;
    return {
      architecture: variant.architecture,
      port: 0,
      // The kernel lowers it to its maximum.
      backlog: 65_535,
      limits,
      think: variant.think,
      thinkHow: variant.thinkHow,
      ...(plan.service !== null && { service: plan.service }),
      ...(plan.threads !== null && threads.adjustable && { threads: plan.threads }),
      ...(plan.processes !== null && processes.adjustable && { processes: plan.processes }),
    };
  };
  // Checks options that no server allows, such as 5,000 threads, once before the first cell.
  for (const variant of variants) planOf(traits.get(variant.architecture)!, optionsOf(variant));
  return { variants, left, optionsOf };
}

function longestQueue(): number {
  try {
    return Number(readFileSync('/proc/sys/net/core/somaxconn', 'latin1'));
  } catch {
    return 4096;
  }
}

async function unavailable(names: readonly string[]): Promise<Map<string, string>> {
  if (!names.includes('uring')) return new Map();
  const { whyNoUring } = await import('../../os/uring.ts');
  const why = whyNoUring();
  return new Map(why === undefined ? [] : [['uring', `as to io_uring, ${why}`]]);
}
