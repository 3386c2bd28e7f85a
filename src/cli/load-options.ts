/** What can be asked of `mondo load`: its options, without what carries them out. */
import { type Command, Option } from 'commander';
import type { ScheduleWords } from '../instruments/load/plan-words.ts';
import { type PlanOption, planOptions } from '../instruments/load/schema.ts';

/**
 * As they stand on the command line: files and words are read when the command runs, and refused in its own words.
 * Those that give a part of the plan are found with `wordsOf`.
 */
export interface LoadOptions extends LoadOutput, ScheduleWords {
  readonly plan?: string;
  readonly savePlan?: string;
  readonly findKnee?: readonly string[];
  readonly quiet?: boolean;
  readonly shard?: string;
  readonly startAt?: string;
}

const optionOf = ({ flags, help, choices }: PlanOption): Option => {
  const option = new Option(flags, help);
  return choices === undefined ? option : option.choices(choices);
};

/** What was given for an option of the plan; an option without words is given as its name. */
export function wordsOf(options: LoadOptions, option: PlanOption): string | undefined {
  const name = optionOf(option).attributeName();
  const given = (options as Readonly<Record<string, unknown>>)[name];
  return given === undefined ? undefined : String(given);
}

/** What is done with a result, whether it was measured or added up. */
export interface LoadOutput {
  readonly failIf?: readonly string[];
  readonly json?: boolean;
  readonly csv?: string;
  readonly hlog?: string;
  readonly html?: string;
}

const collect = (value: string, earlier: string[] = []): string[] => [...earlier, value];

export function loadOptions(command: Command): Command {
  const [port, connections, ...others] = planOptions.map(optionOf);
  command
    .addOption(port!)
    .addOption(connections!)
    .option('--rate <n>', 'open loop: ask N questions per second, such as 500 or 2.5k')
    .option('--duration <time>', 'how long to measure; default: 10s')
    .option('--warm-up <time>', 'how long to drive before that, counting nothing; default: 2s')
    .option(
      '--stage <stage>',
      'KIND:TIME, KIND:TIME:RATE or KIND:TIME:FROM..TO (may be repeated)',
      collect,
    );
  for (const option of others) command.addOption(option);
  command
    .option('--plan <file>', 'all of this from a file; options override it')
    .option('--save-plan <file>', 'write all of this into a file, and ask nothing')
    .option(
      '--find-knee <target>',
      "look for the highest rate with, for example, 'p99<10ms' (may be repeated)",
      collect,
    )
    .option('--quiet', 'do not show progress');
  return outputOptions(command);
}

export const outputOptions = (command: Command): Command =>
  command
    .option(
      '--fail-if <condition>',
      "exit code 3 if, for example, 'p99>5ms' (may be repeated)",
      collect,
    )
    .option('--json', 'all that was measured, as JSON')
    .option('--csv <file>', 'write each second')
    .option('--hlog <file>', 'write the histograms of each second, for others and for merge')
    .option('--html <file>', 'write a page with plots');

export const loadHelp = `
Without --rate, each connection asks when it has its answer (closed loop). With it, questions follow
the clock whatever comes back (open loop), and response time counts from when each was due.
Stages: warm-up, steady, ramp, step, spike; as in --stage warm-up:2s:100 --stage ramp:10s:100..1000
--stage spike:1s:5000 --stage steady:10s:1000.
Conditions: p50 … p9999, min, mean, max (service.p99: of service time), errors, rate, rate-ratio,
fairness, never-answered, starved, first-answer, and each outcome, with ns, us, ms, s or %.
Questions: a line each, then a tab and the answer; or .json, a list of {"question", "answer"}.
Exit codes: 0 all is well, 1 could not be done, 2 asked for wrongly, 3 --fail-if, 4 the run is not
to be trusted, 130 interrupted (what was measured is printed).`;
