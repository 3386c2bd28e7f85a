/**
 * `mondo compare`: measures architectures side by side, round after round, and reports the result and its
 * certainty.
 */
import { readFileSync } from 'node:fs';
import { availableParallelism, loadavg } from 'node:os';
import { basename } from 'node:path';
import { architectureNames } from '../architectures/catalogue.ts';
import { ServeError } from '../host/errors.ts';
import { serviceUrl } from '../host/load-service.ts';
import { architectureNamed } from '../host/plan.ts';
import { requireSystemCalls } from '../host/system-calls.ts';
import {
  type Against,
  againstOf,
  isUnjudged,
  regressionsOf,
  storedRunOf,
  whyUnlike,
} from '../instruments/compare/against.ts';
import {
  type Comparison,
  compare,
  outlineOf,
  type Progress,
  rehearseOnce,
  withServiceFraming,
} from '../instruments/compare/compare.ts';
import { htmlPage } from '../instruments/compare/html.ts';
import {
  axesOf,
  type ComparePlan,
  cellSeconds,
  conditionsOf,
  defaultPlan,
  estimatedSeconds,
  quick,
} from '../instruments/compare/plan.ts';
import type { Cell, Run } from '../instruments/compare/result.ts';
import {
  againstNotes,
  againstTable,
  notesOf,
  recommendationTables,
  silenceTables,
  tablesOf,
} from '../instruments/compare/tables.ts';
import { busyText, conditionText, figureWords } from '../instruments/compare/words.ts';
import { wholePlan } from '../instruments/load/plan-file.ts';
import { parseFraming, parseQuestions } from '../instruments/load/plan-words.ts';
import { minutes, several } from '../instruments/report/figures.ts';
import { requireCharts } from '../instruments/report/require-charts.ts';
import { type Table, tableText } from '../instruments/report/table.ts';
import type { CompareOptions } from './compare-options.ts';
import { onInterrupt } from './interrupt.ts';
import { checkOutputs, writeOutputs } from './output.ts';
import { CommandError, INTERRUPTED } from './report.ts';

/** Exit codes besides 1 (could not be done) and 2 (invalid command). */
const REGRESSION = 3;
const UNTRUSTED = 4;
/** A larger number would not be a comparison, and would only keep the machine busy. */
const MOST_CELLS = 10_000;
const LONGEST = 12 * 3600;

export async function compareCommand(
  names: readonly string[],
  options: CompareOptions,
): Promise<void> {
  requireSystemCalls('compare');
  const stored = options.against === undefined ? undefined : readStored(options.against);
  const given = planFrom([...names, ...(options.architectures ?? [])], options, stored?.plan);
  const isNew = options.service !== undefined || options.questions !== undefined;
  const plan = isNew && options.framing === undefined ? await withServiceFraming(given) : given;
  if (stored !== undefined) checkAlike(plan, stored, options.against!);
  await checkSize(plan);
  // Check it before the run: after the run, minutes would be lost.
  const json = options.json === '-' ? undefined : options.json;
  checkOutputs([options.html, json]);
  requireCharts(options.html);
  const outline = await outlineOf(plan);
  console.error(outlineText(plan, outline.variants.length));
  const busy = busyText(loadavg()[0]!, availableParallelism());
  if (busy !== undefined) console.error(busy);
  const { signal } = onInterrupt({
    first() {
      clearLine();
      console.error('Stopping; Ctrl-C again stops at once');
    },
  });
  // The answers to the Zen questions are known.
  if (plan.service !== null) await rehearseOnce(plan, signal);
  const found = await compare(plan, { signal, onProgress: telling() }).finally(clearLine);
  const against = stored === undefined ? undefined : againstOf(found, stored);
  const whole = () => `${JSON.stringify({ ...found, ...(against && { against }) }, null, 2)}\n`;
  const fault = await writeOutputs([
    { file: json, text: whole },
    { file: options.html, text: () => htmlPage(found, against) },
  ]);
  if (options.json === '-') process.stdout.write(whole());
  else print(found, against);
  if (fault !== undefined) throw fault;
  judge(found, against);
}

/** @throws CommandError with the exit code of the most serious fault */
function judge(found: Comparison, against: Against | undefined): void {
  const { cells, planned, end, findings } = found;
  if (end === 'interrupted') {
    throw new CommandError(
      `Interrupted after ${cells.length} of ${planned} measurements: an interrupted run never passes`,
      { exitCode: INTERRUPTED },
    );
  }
  if (findings.doubts.length > 0) {
    const more = findings.doubts.length > 1 ? `, and ${findings.doubts.length - 1} more` : '';
    throw new CommandError(`This run is not to be trusted: ${findings.doubts[0]}${more}`, {
      exitCode: UNTRUSTED,
    });
  }
  const regressions = against === undefined ? 0 : regressionsOf(against);
  if (regressions === 0 && against !== undefined && isUnjudged(against)) {
    throw new CommandError(
      'Cannot judge this run against the stored one: other programs kept the machine busy; end them and measure again',
      { exitCode: UNTRUSTED },
    );
  }
  if (regressions === 0) return;
  throw new CommandError(`${several(regressions, 'regression')} against the stored run`, {
    exitCode: REGRESSION,
  });
}

function readStored(file: string): Run {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    throw new CommandError(
      `Cannot read "${file}": ${code ?? message}; mondo compare --json ${basename(file)} writes such a file`,
    );
  }
  try {
    return storedRunOf(text);
  } catch (error) {
    throw new ServeError('usage', `Cannot compare with "${file}": ${(error as Error).message}`);
  }
}

function checkAlike(plan: ComparePlan, stored: Run, file: string): void {
  const why = whyUnlike(plan, stored.plan);
  if (why === undefined) return;
  throw new ServeError(
    'usage',
    `Cannot compare with "${file}": ${why}; leave these options out to use those of the stored run`,
  );
}

/** The given options, then those of the stored run, then the defaults, of `--quick` or of no option. */
function planFrom(
  names: readonly string[],
  options: CompareOptions,
  stored: ComparePlan | undefined,
): ComparePlan {
  const base: ComparePlan = {
    ...defaultPlan,
    ...stored,
    ...(options.quick === true && quick),
  };
  const asked = options.architectures?.includes('all') === true ? architectureNames : names;
  const architectures =
    asked.length > 0 ? [...new Set(asked.map(architectureNamed))] : base.architectures;
  if (options.service !== undefined && options.questions === undefined) {
    throw new ServeError(
      'usage',
      `Cannot measure "${options.service}" without questions: add --questions FILE, with a question and its answer in each line`,
    );
  }
  const { connections, think, thinkHow, silent } = options;
  const axes = Object.entries({ connections, think, thinkHow, silent }).filter(
    ([, values]) => values !== undefined,
  );
  return {
    ...base,
    architectures,
    reference: referenceOf(options.reference, architectures, base.reference),
    conditions:
      axes.length > 0
        ? conditionsOf({ ...axesOf(base.conditions), ...Object.fromEntries(axes) })
        : base.conditions,
    ...(options.rounds !== undefined && { rounds: options.rounds }),
    ...(options.seconds !== undefined && { seconds: options.seconds }),
    ...(options.warmUp !== undefined && { warmUp: options.warmUp }),
    ...(options.threads !== undefined && { threads: options.threads }),
    ...(options.processes !== undefined && { processes: options.processes }),
    ...(options.unpinned === true && { pinned: false }),
    ...(options.seed !== undefined && { seed: options.seed }),
    ...(options.service !== undefined && { service: serviceUrl(options.service) }),
    ...questionsFrom(options, base),
  };
}

function questionsFrom(
  { questions: file, framing: words }: CompareOptions,
  base: ComparePlan,
): Pick<ComparePlan, 'framing' | 'exchanges'> {
  const framing = words === undefined ? base.framing : parseFraming(words);
  if (file === undefined) return { framing, exchanges: base.exchanges };
  let content: string;
  try {
    content = readFileSync(file, 'utf8');
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    throw new CommandError(
      `Cannot read "${file}": ${code ?? message}; name a file with a question and its answer in each line`,
    );
  }
  const exchanges = parseQuestions(content, file);
  wholePlan({ framing, exchanges }, `ask what "${file}" says`);
  return { framing, exchanges };
}

/** The requested reference; otherwise the plan's, if it is among the architectures; otherwise the first. */
function referenceOf(
  asked: string | undefined,
  architectures: readonly string[],
  usual: string,
): string {
  if (asked === undefined) return architectures.includes(usual) ? usual : architectures[0]!;
  if (architectures.includes(asked)) return asked;
  throw new ServeError(
    'usage',
    `Cannot compare with "${asked}": it is not measured; give --reference one of ${architectures.join(', ')}`,
  );
}

async function checkSize(plan: ComparePlan): Promise<void> {
  const { variants, left } = await outlineOf(plan);
  if (variants.length === 0) {
    throw new ServeError(
      'usage',
      `Nothing can be measured: ${left[0]?.variant.architecture}: ${left[0]?.why}`,
    );
  }
  const cells = variants.length * plan.rounds;
  const seconds = estimatedSeconds({ ...plan, longest: 0 }, variants.length);
  if (cells <= MOST_CELLS && seconds <= LONGEST) return;
  throw new ServeError(
    'usage',
    `Cannot make ${cells} measurements in ${minutes(seconds)}: the most is ${MOST_CELLS}, in ${minutes(LONGEST)}; give fewer architectures, conditions or rounds`,
  );
}

function outlineText(plan: ComparePlan, variants: number): string {
  const cells = variants * plan.rounds;
  const most = plan.longest > 0 ? `, ${plan.longest} s at most` : '';
  return `${several(variants, 'variant')} in ${several(plan.rounds, 'round')}: ${several(cells, 'measurement')} of about ${cellSeconds(plan).toFixed(1)} s, about ${minutes(estimatedSeconds(plan, variants))}${most}`;
}

/** Shows progress, and says once that the run takes longer than its limit on time. */
function telling(): (progress: Progress) => void {
  let isTold = false;
  return (progress) => {
    if (progress.isExtended && !isTold) {
      isTold = true;
      clearLine();
      console.error(
        `This machine is slow: the rounds that a verdict needs take about ${minutes(progress.left)}; Ctrl-C stops`,
      );
    }
    tell(progress);
  };
}

/** One changing line on a terminal; otherwise a line for each measurement. */
function tell({ done, planned, round, now, last, left }: Progress): void {
  if (process.stderr.isTTY) {
    if (now === undefined) return;
    const where = `round ${round}, ${done + 1} of ${planned}, ${minutes(left)} left: `;
    const line = `${where}${now.architecture}, ${conditionText(now)}`;
    process.stderr.write(`\r\x1b[K${line.slice(0, (process.stderr.columns || 80) - 1)}`);
    return;
  }
  if (last !== undefined) {
    console.error(`[${done}/${planned}] ${cellText(last)}; ${minutes(left)} left`);
  }
}

function clearLine(): void {
  if (process.stderr.isTTY) process.stderr.write('\r\x1b[K');
}

function cellText({ variant, state, reasons, figures }: Cell): string {
  const which = `${variant.architecture}, ${conditionText(variant)}`;
  const what =
    figures === null
      ? ''
      : `: ${figureWords.rate.text(figures.rate)} answers/s, p99 ${figures.p99 === null ? '–' : figureWords.p99.text(figures.p99)} ms, ${figures.neverAnswered} never answered`;
  return `${which}${what}${state === 'good' ? '' : ` (${state}: ${reasons[0]})`}`;
}

function print(found: Comparison, against: Against | undefined): void {
  const width = process.stdout.isTTY ? process.stdout.columns || 80 : undefined;
  // Wrapped figures are hard to read; words may wrap.
  const show = (table: Table, isUnbroken = true) => {
    console.log(`${tableText(table, { width, isUnbroken }).join('\n')}\n`);
  };
  for (const table of tablesOf(found)) show(table);
  for (const table of silenceTables(found)) show(table);
  if (against !== undefined) {
    show(againstTable(against));
    for (const note of againstNotes(against)) console.log(note);
  }
  for (const note of notesOf(found)) console.log(note);
  console.log(`\n${found.recommendation.headline}\n`);
  for (const table of recommendationTables(found.recommendation)) show(table, false);
}
