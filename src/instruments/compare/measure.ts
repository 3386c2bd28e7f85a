/** Measures one cell: a new server, silent clients, and the load. */
import { cpus } from 'node:os';
import type { ServeOptions } from '../../host/plan.ts';
import { watchOthers } from '../../os/processes.ts';
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
  /** Result of the load; undefined if no load ran. */
  readonly result?: LoadResult;
}

/** The options of each architecture's server under `plan`; only adjustable ones are set. */
export type OptionsOf = (variant: Variant) => ServeOptions;

/**
 * Starts a new server for each cell. A shared server would keep memory, threads and compiled code
 * of earlier cells, so results would depend on the order. And one cell could ruin the server of the
 * next.
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
    const others = watchOthers([pid]);
    const { result } = await run(loadPlanOf(variant, plan, port, pid), {
      signal: AbortSignal.any([signal, longest]),
    });
    // Not availableParallelism(), which counts only the processors that this process is pinned to.
    const othersCpu = Math.min(1, others() / cpus().length);
    return { cell: cellOf(variant, round, result, silent.held, othersCpu), result };
  } catch (error) {
    const reasons = [`The measurement failed: ${(error as Error).message}`];
    return { cell: { variant, round, state: 'failed', reasons, figures: null } };
  } finally {
    await servers.stop();
  }
}

/**
 * Timeout for connecting and for the last answers, in ms. After it, the load is cut short and says
 * so.
 */
const PATIENCE = 30_000;

/** Idle clients are part of the comparison, so no idle limit may close them. */
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
    // Grace for the connections that wait behind all others: a served connection needs no longer.
    grace: Math.min(2000, 100 + think * connections),
    framing,
    exchanges,
    seed,
    // Delays of a busy machine affect all variants alike, because rounds alternate, and the
    // intervals show them. A lag of more than a second is too much.
    maxLag: 1000,
  });
}

export function cellOf(
  variant: Variant,
  round: number,
  result: LoadResult,
  silentHeld: number,
  othersCpu = 0,
): Cell {
  const { wrong, extraBytes } = result.outcomes;
  const doubts = isSilenced(result) ? [] : [...result.validity.reasons];
  if (silentHeld < variant.silent) {
    doubts.push(
      `Only ${silentHeld} of ${variant.silent} silent clients stayed connected to the end`,
    );
  }
  const faults = wrong + extraBytes;
  if (faults > 0) doubts.unshift(`${faults} answers were not as expected`);
  const state = faults > 0 ? 'wrong' : doubts.length > 0 ? 'doubtful' : 'good';
  return { variant, round, state, reasons: doubts, figures: { ...figuresOf(result), othersCpu } };
}

/**
 * True if connections asked and got no answer to the end. The load itself distrusts such a run, but
 * here it is a finding.
 */
function isSilenced({ totals, outcomes, validity }: LoadResult): boolean {
  const { neverServed, timedOut, connectTimeout, noPorts, noDescriptors } = outcomes;
  const isOurs = validity.interrupted || noPorts + noDescriptors > 0;
  // A server that sends other bytes than an answer is not silent.
  const isSilent = totals.answers + totals.bytesReceived === 0;
  return isSilent && !isOurs && neverServed + timedOut + connectTimeout > 0;
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
