/** `mondo load`: asks a server as many questions as requested, and reports the results and whether to trust them. */
import { readFileSync } from 'node:fs';
import { ServeError } from '../host/errors.ts';
import { requireSystemCalls } from '../host/system-calls.ts';
import {
  type Condition,
  checkConditions,
  checkedText,
  failures,
  parseCondition,
} from '../instruments/load/conditions.ts';
import { csvOf } from '../instruments/load/csv.ts';
import { hlogOf, logsIn, parseHlog } from '../instruments/load/hlog.ts';
import {
  findKnee,
  type Knee,
  type KneeStep,
  kneeLines,
  stepText,
} from '../instruments/load/knee.ts';
import { merged } from '../instruments/load/merge.ts';
import type { LoadPlan } from '../instruments/load/plan.ts';
import { parsePlan, planFile, wholePlan } from '../instruments/load/plan-file.ts';
import {
  parseDuration,
  parseRate,
  parseStartIn,
  stagesOf,
} from '../instruments/load/plan-words.ts';
import { rehearse } from '../instruments/load/rehearsal.ts';
import type { LoadResult } from '../instruments/load/result.ts';
import { runLoad } from '../instruments/load/run.ts';
import { planGiven } from '../instruments/load/schema.ts';
import { shardOf } from '../instruments/load/shard-auto.ts';
import type { Run } from '../instruments/load/state.ts';
import { summaryLines } from '../instruments/load/text.ts';
import { requireCharts } from '../instruments/report/require-charts.ts';
import { onInterrupt } from './interrupt.ts';
import { type LoadOptions, type LoadOutput, wordsOf } from './load-options.ts';
import { checkOutputs, writeOutput, writeOutputs } from './output.ts';
import { ProgressReport } from './progress.ts';
import { CommandError, INTERRUPTED } from './report.ts';

const FAILED_CONDITION = 3;
const NOT_TRUSTED = 4;

export async function loadCommand(host: string | undefined, options: LoadOptions): Promise<void> {
  const plan = planFrom(host, options, Date.now());
  const conditions = conditionsOf(options.failIf);
  const target = conditionsOf(options.findKnee);
  if (options.savePlan !== undefined) {
    writeOutput(options.savePlan, planFile(plan));
    return;
  }
  if (options.shard === 'auto' && options.quiet !== true) {
    const { shard, by } = shardOf(process.env);
    console.error(`This is shard ${shard.index} of ${shard.of}, by ${by}`);
  }
  checkConditions(conditions, target.length > 0 ? { ...plan, loop: 'open' } : plan);
  // Check it before the run: the run may be impossible to repeat.
  checkOutputs(filesOf(options));
  requireCharts(options.html);
  requireSystemCalls('drive load');
  const { signal } = onInterrupt();
  // A run that begins later may be waiting for its server.
  if (plan.startAt === undefined) await rehearse(plan, signal);
  if (target.length > 0) await knee(plan, target, conditions, options, signal);
  else await once(plan, conditions, options, signal);
}

/** Name of standard input and standard output. */
const STANDARD = '-';

function filesOf({ csv, hlog, html, json }: LoadOutput): (string | undefined)[] {
  if (hlog !== STANDARD) return [csv, hlog, html];
  if (json === true) {
    throw new ServeError(
      'usage',
      'Cannot print both --json and --hlog - on standard output; name a file for --hlog',
    );
  }
  return [csv, html];
}

const conditionsOf = (texts: readonly string[] = []): Condition[] => texts.map(parseCondition);

async function once(
  plan: LoadPlan,
  conditions: readonly Condition[],
  options: LoadOptions,
  signal: AbortSignal,
): Promise<void> {
  const progress = options.quiet === true ? undefined : new ProgressReport(process.stderr);
  const run = await runLoad(plan, { signal, onProgress: (one) => progress?.show(one) }).finally(
    () => progress?.clear(),
  );
  await put(run, options);
  judge(run.result, conditions, options);
}

export async function mergeCommand(files: readonly string[], options: LoadOutput): Promise<void> {
  const conditions = conditionsOf(options.failIf);
  const logs = files.flatMap((name) =>
    name === STANDARD ? logsIn(readFileSync(0, 'utf8')) : [{ name, text: readInput(name) }],
  );
  const run = merged(logs.map(({ name, text }) => ({ name, run: parseHlog(text, name) })));
  checkConditions(conditions, run.result.plan);
  checkOutputs(filesOf(options));
  requireCharts(options.html);
  await put(run, options);
  judge(run.result, conditions, options);
}

async function put(run: Run, options: LoadOutput): Promise<void> {
  const { result } = run;
  const fault = await putFiles(run, options, async () => {
    const { loadPage } = await import('../instruments/load/html.ts');
    return loadPage(result);
  });
  if (options.hlog === STANDARD) {
    process.stdout.write(hlogOf(run));
    console.error(summaryLines(result).join('\n'));
  } else {
    console.log(
      options.json === true ? JSON.stringify(result, null, 2) : summaryLines(result).join('\n'),
    );
  }
  if (fault !== undefined) throw fault;
}

/** @returns the first fault: a fault of a file must not lose the printed results */
const putFiles = (
  run: Run | undefined,
  { csv, hlog, html }: LoadOutput,
  page: () => Promise<string>,
): Promise<unknown> =>
  writeOutputs([
    ...(run === undefined
      ? []
      : [
          { file: csv, text: () => csvOf(run.result) },
          { file: hlog === STANDARD ? undefined : hlog, text: () => hlogOf(run) },
        ]),
    { file: html, text: page },
  ]);

/** @throws CommandError with the exit code of the most serious fault */
function judge(result: LoadResult, conditions: readonly Condition[], { json }: LoadOutput): void {
  const { interrupted, trusted, reasons } = result.validity;
  if (interrupted) {
    throw new CommandError('Interrupted: an interrupted run never passes', {
      exitCode: INTERRUPTED,
    });
  }
  if (!trusted) {
    throw new CommandError(
      json === true
        ? `This run is not to be trusted: ${reasons.join(' ')}`
        : 'This run is not to be trusted, for the reasons above',
      {
        exitCode: NOT_TRUSTED,
      },
    );
  }
  const failed = failures(conditions, result);
  if (failed.length === 0) return;
  throw new CommandError(`Failed by --fail-if ${failed.map(checkedText).join('; ')}`, {
    exitCode: FAILED_CONDITION,
  });
}

/** Warm-up of each step of the search, in s. */
const WARM_UP = 1;
const STEP = 5;
const FIRST_RATE = 1000;

async function knee(
  plan: LoadPlan,
  target: readonly Condition[],
  conditions: readonly Condition[],
  options: LoadOptions,
  signal: AbortSignal,
): Promise<void> {
  const seconds = options.duration === undefined ? STEP : parseDuration(options.duration) / 1000;
  const start = options.rate === undefined ? FIRST_RATE : parseRate(options.rate, '--rate');
  const runs = new Map<LoadResult, Run>();
  const told = (step: KneeStep) => {
    if (options.quiet !== true) console.error(stepText(step));
  };
  const found = await findKnee(
    async (rate) => {
      const progress =
        options.quiet === true
          ? undefined
          : new ProgressReport(
              process.stderr.isTTY ? process.stderr : { write: () => {} },
              `${rate}/s: `,
            );
      const stages = [
        { kind: 'warm-up', seconds: WARM_UP, from: rate, to: rate },
        { kind: 'steady', seconds, from: rate, to: rate },
      ] as const;
      const run = await runLoad(
        { ...plan, loop: 'open', stages },
        { signal, onProgress: (one) => progress?.show(one) },
      ).finally(() => progress?.clear());
      runs.set(run.result, run);
      return run.result;
    },
    { target, start, signal, onStep: told },
  );
  const best = found.steps.findLast(
    ({ rate, verdict }) => verdict === 'kept' && rate === found.rate,
  );
  const run = best === undefined ? undefined : runs.get(best.result);
  const page = async () => {
    const { kneePage } = await import('../instruments/load/html.ts');
    return kneePage(found, target);
  };
  const fault = await putFiles(run, options, page);
  const texts = target.map(({ text }) => text);
  console.log(
    options.json === true
      ? JSON.stringify({ schema: 'mondo-knee-1', target: texts, ...found }, null, 2)
      : kneeLines(found, target).join('\n'),
  );
  if (fault !== undefined) throw fault;
  judgeKnee(found, conditions, best?.result, options);
}

function judgeKnee(
  found: Knee,
  conditions: readonly Condition[],
  best: LoadResult | undefined,
  options: LoadOutput,
): void {
  if (found.interrupted) {
    throw new CommandError('Interrupted: the knee was not found', { exitCode: INTERRUPTED });
  }
  if (best !== undefined) judge(best, conditions, options);
  else if (found.limit === 'ourselves') {
    throw new CommandError('No step of the search can be trusted', { exitCode: NOT_TRUSTED });
  } else {
    throw new CommandError('No rate met the target', { exitCode: FAILED_CONDITION });
  }
}

function readInput(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    throw new CommandError(`Cannot read "${file}": ${code ?? message}`);
  }
}

/** The plan file, with the values of the command line in place of its own. */
function planFrom(host: string | undefined, options: LoadOptions, now: number): LoadPlan {
  const file = options.plan === undefined ? {} : parsePlan(readInput(options.plan), options.plan);
  if (host === undefined && file.host === undefined) {
    throw new ServeError('usage', 'Cannot load: name the host, or a --plan that has one');
  }
  if (options.findKnee !== undefined) refuseForKnee(options);
  const given = planGiven((option) => wordsOf(options, option), {
    now,
    read: readInput,
    variables: process.env,
  });
  const schedule = options.findKnee !== undefined ? {} : stagesOf(options, file);
  const begin = startIn(options, now);
  return wholePlan({
    ...file,
    ...(host !== undefined && { host }),
    ...given,
    ...begin,
    ...schedule,
  });
}

function startIn({ startIn: words, startAt }: LoadOptions, now: number): Partial<LoadPlan> {
  if (words === undefined) return {};
  if (startAt !== undefined) {
    throw new ServeError('usage', '--start-at and --start-in: give one of them');
  }
  return { startAt: parseStartIn(words, performance.timeOrigin, now) };
}

function refuseForKnee({ stage, shard, startAt, startIn, plan, warmUp }: LoadOptions): void {
  const [named] =
    Object.entries({ shard, startAt, startIn, warmUp, stage: stage?.[0] }).find(
      ([, value]) => value !== undefined,
    ) ?? [];
  if (named === undefined) return;
  const option = {
    ...{ shard: '--shard', startAt: '--start-at', startIn: '--start-in' },
    ...{ warmUp: '--warm-up', stage: '--stage' },
  }[named];
  throw new ServeError(
    'usage',
    `${option} and --find-knee${plan === undefined ? '' : ' (with --plan)'}: the search makes its own stages, one after the other; leave out ${option}`,
  );
}
