/** One cell: a server that has just been started, silent clients, and the load. */
import type { ServeOptions } from '../../host/plan.ts';
import type { LoadPlan } from '../load/plan.ts';
import type { LoadResult, Outcomes, RunOptions } from '../load/result.ts';
import { planOf } from '../load/schema.ts';
import type { Run as LoadRun } from '../load/state.ts';
import type { ComparePlan, Variant } from './plan.ts';
import type { Cell, Figures } from './result.ts';
import type { Servers } from './servers.ts';
import { SilentClients } from './silent.ts';

export type RunLoad = (plan: LoadPlan, options?: RunOptions) => Promise<LoadRun>;

export interface Measured {
  readonly cell: Cell;
  /** Of the load; nothing where there was none. */
  readonly result?: LoadResult;
}

/** What each architecture is given of `plan`, by what can be adjusted in it. */
export type OptionsOf = (variant: Variant) => ServeOptions;

/**
 * A server is started for each cell: none inherits the memory, the threads or the compiled code that another
 * one left, which would depend on the order; and one that a cell has ruined is not the next one's.
 */
export async function measure(
  { variant, round }: Pick<Cell, 'variant' | 'round'>,
  {
    plan,
    servers,
    optionsOf,
    run,
    signal,
  }: {
    readonly plan: ComparePlan;
    readonly servers: Servers;
    readonly optionsOf: OptionsOf;
    readonly run: RunLoad;
    readonly signal: AbortSignal;
  },
): Promise<Measured> {
  try {
    const { port, pid } = await servers.start(optionsOf(variant));
    using silent = await SilentClients.connect(port, variant.silent);
    const longest = AbortSignal.timeout(1000 * (plan.seconds + plan.warmUp) + PATIENCE);
    const { result } = await run(loadPlanOf(variant, plan, port, pid), {
      signal: AbortSignal.any([signal, longest]),
    });
    return { cell: cellOf(variant, round, result, silent.held), result };
  } catch (error) {
    const reasons = [`It could not be measured: ${(error as Error).message}`];
    return { cell: { variant, round, state: 'failed', reasons, figures: null } };
  } finally {
    await servers.stop();
  }
}

/** How long connecting and the last answers may take, in ms: then the load is cut short, and says so. */
const PATIENCE = 30_000;

/** Idle clients are part of the comparison: no limit ends them meanwhile. */
export const limits = { idle: 0 } as const;

export function loadPlanOf(
  { connections, think }: Variant,
  { seconds, warmUp, framing, exchanges, seed }: ComparePlan,
  port: number,
  pid: number,
): LoadPlan {
  return planOf({
    port,
    pid,
    loop: 'closed',
    connections,
    stages: [
      ...(warmUp > 0 ? [{ kind: 'warm-up' as const, seconds: warmUp }] : []),
      { kind: 'steady', seconds },
    ],
    // Of those that wait behind all others; who is served at all has had that time.
    grace: Math.min(2000, 100 + think * connections),
    framing,
    exchanges,
    seed,
    // Rounds take turns, so that a busy machine keeps all from asking alike: intervals tell of that. A second is too much.
    maxLag: 1000,
  });
}

export function cellOf(
  variant: Variant,
  round: number,
  result: LoadResult,
  silentHeld: number,
): Cell {
  const { wrong, extraBytes } = result.outcomes;
  const doubts = isSilenced(result) ? [] : [...result.validity.reasons];
  if (silentHeld < variant.silent) {
    doubts.push(`Only ${silentHeld} of ${variant.silent} silent clients were there to the end`);
  }
  const faults = wrong + extraBytes;
  if (faults > 0) doubts.unshift(`${faults} answers were not what they should have been`);
  const state = faults > 0 ? 'wrong' : doubts.length > 0 ? 'doubtful' : 'good';
  return { variant, round, state, reasons: doubts, figures: figuresOf(result) };
}

/** Connected, asked, and heard nothing to the end: a load with no answer doubts itself, but here that is a finding. */
function isSilenced({ totals, outcomes, validity }: LoadResult): boolean {
  const { neverServed, timedOut, connectTimeout, noPorts, noDescriptors } = outcomes;
  const isOurs = validity.interrupted || noPorts + noDescriptors > 0;
  return totals.answers === 0 && !isOurs && neverServed + timedOut + connectTimeout > 0;
}

function figuresOf({
  totals,
  response,
  connections,
  outcomes,
  server,
  seconds,
  validity,
}: LoadResult): Figures {
  const isAnswered = totals.answers > 0;
  const troubles = Object.fromEntries(
    Object.entries(outcomes).filter(([name, count]) => name !== 'answered' && count > 0),
  ) as Partial<Outcomes>;
  return {
    rate: totals.rate,
    p50: isAnswered ? response.p50 : null,
    p99: isAnswered ? response.p99 : null,
    cpu: server?.totals.cpuMicrosecondsPerAnswer ?? null,
    switches: server?.totals.switchesPerAnswer ?? null,
    memory: server?.totals.peakMemory ?? null,
    connections: connections.count,
    neverAnswered: connections.neverAnswered,
    mostAnswers: connections.answers.most,
    fairness: connections.fairness,
    answers: totals.answers,
    troubles,
    serverCores: server === null || seconds === 0 ? null : server.totals.cpuSeconds / seconds,
    loadCpu: validity.cpu,
  };
}
