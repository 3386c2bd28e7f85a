/** The options of `mondo load`, without the code that runs it. */
import { type Command, Option } from 'commander';
import type { ScheduleWords } from '../instruments/load/plan-words.ts';
import { type PlanOption, planOptions } from '../instruments/load/schema.ts';
import { outcomeWords } from '../instruments/load/words.ts';
import { FIRST, helpList, helpText, optionGroups } from './help.ts';
import { collect } from './words.ts';

/**
 * The options as given on the command line. Files and words are read when the command runs, and refused with its
 * own messages. `wordsOf` finds the options that give a part of the plan.
 */
export interface LoadOptions extends LoadOutput, ScheduleWords {
  readonly plan?: string;
  readonly savePlan?: string;
  readonly findKnee?: readonly string[];
  readonly quiet?: boolean;
  readonly shard?: string;
  readonly startAt?: string;
  readonly startIn?: string;
}

const optionOf = ({ flags, help, choices }: PlanOption): Option => {
  const option = new Option(flags, help);
  return choices === undefined ? option : option.choices(choices);
};

/** The words of an option of the plan; for an option without words, its name. */
export function wordsOf(options: LoadOptions, option: PlanOption): string | undefined {
  const name = optionOf(option).attributeName();
  const given = (options as Readonly<Record<string, unknown>>)[name];
  return given === undefined ? undefined : String(given);
}

/** Options for a result, measured or merged. */
export interface LoadOutput {
  readonly failIf?: readonly string[];
  readonly json?: boolean;
  readonly csv?: string;
  readonly hlog?: string;
  readonly html?: string;
}

/** The option of the plan with that long name. */
function planOption(name: string): Option {
  const found = planOptions.find(({ flags }) => flags.split(/[ ,]+/).includes(name));
  if (found === undefined) throw new Error(`a load plan has no option ${name}`);
  return optionOf(found);
}

const withPlanOptions =
  (...names: readonly string[]) =>
  (command: Command): void => {
    for (const name of names) command.addOption(planOption(name));
  };

export function loadOptions(command: Command): Command {
  return optionGroups(command, [
    [
      FIRST,
      'mondo load 127.0.0.1 --rate 500 --duration 30s',
      (first) => {
        withPlanOptions('--port', '--connections')(first);
        first
          .option(
            '--rate <n>',
            'ask n questions per second, such as 500 or 2.5k, whether answers come or not: open loop (default: each connection asks when it has its answer: closed loop)',
          )
          .option('--duration <time>', 'how long to measure (default: 10s)');
      },
    ],
    [
      'Schedule:',
      'mondo load 127.0.0.1 --stage ramp:5s:10..500 --stage steady:5s:500',
      (schedule) => {
        schedule
          .option('--warm-up <time>', 'ask this long before, and count nothing of it (default: 2s)')
          .option(
            '--stage <stage>',
            'one stage of the schedule, instead of --duration and --rate; may be repeated. KIND:TIME (closed loop), KIND:TIME:RATE, or KIND:TIME:FROM..TO for a rate that changes evenly. KIND is warm-up, steady, ramp, step or spike: warm-up is not counted, the others only name the stage',
            collect,
          );
        withPlanOptions('--poisson', '--think', '--think-how', '--seed')(schedule);
        schedule.option(
          '--find-knee <target>',
          "search the highest rate at which a target holds, such as 'p99<10ms'; may be repeated",
          collect,
        );
      },
    ],
    [
      'Connections:',
      'mondo load 127.0.0.1 --questions-per-connection 1 --timeout 2s',
      withPlanOptions(
        ...['--pipeline', '--questions-per-connection', '--connect-rate', '--connect-timeout'],
        ...['--timeout', '--deadline', '--grace'],
      ),
    ],
    [
      'A service of your own:',
      'mondo load 127.0.0.1 --questions sums.txt --framing line',
      withPlanOptions('--questions', '--framing'),
    ],
    resultsGroup('mondo load 127.0.0.1 --html load.html'),
    [
      'This run:',
      'mondo load 127.0.0.1 --pid 31360 --quiet',
      (run) => {
        withPlanOptions('--pid', '--max-lag', '--engine')(run);
        run.option('--quiet', 'do not show progress');
      },
    ],
    [
      'Plans and shards:',
      'mondo load --plan plan.json --shard 1/4 --start-at +10s --hlog 1.hlog',
      (plans) => {
        plans
          .option('--plan <file>', 'read these options from a file; options given here win')
          .option('--save-plan <file>', 'write these options to a file, and ask nothing');
        withPlanOptions('--shard', '--start-at')(plans);
        plans.option(
          '--start-in <time>',
          'begin this long after the start of this process, such as 20s: a scheduler starts all shards together (default: at once)',
        );
      },
    ],
  ]).addHelpText('after', loadHelp);
}

export const mergeOptions = (command: Command): Command =>
  optionGroups(command, [resultsGroup('mondo load merge 1.hlog 2.hlog --html all.html')]);

const resultsGroup = (example: string) =>
  [
    'Results:',
    example,
    (command: Command) => {
      command
        .option(
          '--fail-if <condition>',
          "end with exit code 3 if it is true, such as 'p99>5ms'; may be repeated",
          collect,
        )
        .option('--json', 'print all that was measured as JSON')
        .option('--csv <file>', 'write a line for each second')
        .option(
          '--hlog <file>',
          'write the histograms of each second, for mondo load merge; -: to standard output, and the summary to standard error',
        )
        .option('--html <file>', 'write a page with charts (needs the package echarts)');
    },
  ] as const;

const loadHelp = (): string =>
  [
    helpList(
      'How a question or a connection can end (outcomes):',
      outcomeWords.map(([, name, what]) => [name, what] as const),
    ),
    helpText(
      'Conditions and targets compare p50 … p9999, min, mean or max of the response time (service.p99: of the service time), errors, rate, rate-ratio, fairness, never-answered, starved, first-answer or an outcome with a number, a share in %, or a time in ns, us, ms or s.',
    ),
    helpText(
      'A file of questions has a line for each: the question, a tab, and the answer. A .json file has a list of {"question", "answer"}.',
    ),
    helpList('Exit codes:', [
      ['0', 'all is well'],
      ['1', 'it could not be done: nothing listens there, or no answer is complete'],
      ['2', 'the command makes no sense'],
      ['3', 'a condition of --fail-if is true'],
      ['4', 'the figures are not to be trusted'],
      ['130', 'interrupted by Ctrl-C; what was measured until then is printed'],
    ]),
  ].join('\n');
