/** What can be asked of `mondo load`: its options, without what carries them out. */
import { type Command, Option } from 'commander';

/** As they stand on the command line: files and words are read when the command runs, and refused in its own words. */
export interface LoadOptions extends LoadOutput {
  readonly port?: number;
  readonly plan?: string;
  readonly savePlan?: string;
  readonly connections?: number;
  readonly pipeline?: number;
  readonly rate?: string;
  readonly poisson?: boolean;
  readonly duration?: string;
  readonly warmUp?: string;
  readonly stage?: readonly string[];
  readonly questionsPerConnection?: number;
  readonly think?: string;
  readonly thinkHow?: 'constant' | 'exponential';
  readonly connectRate?: string;
  readonly timeout?: string;
  readonly connectTimeout?: string;
  readonly deadline?: string;
  readonly grace?: string;
  readonly questions?: string;
  readonly framing?: string;
  readonly seed?: number;
  readonly shard?: string;
  readonly startAt?: string;
  readonly maxLag?: string;
  readonly pid?: number;
  readonly engine?: 'auto' | 'uring' | 'epoll';
  readonly findKnee?: readonly string[];
  readonly quiet?: boolean;
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

export function loadOptions(command: Command, whole: (text: string) => number): Command {
  command
    .option('-c, --connections <n>', 'connections at once; default: 64', whole)
    .option('--rate <n>', 'open loop: so many questions per second, such as 500 or 2.5k')
    .option('--poisson', 'open loop: at random times with that rate, and not evenly')
    .option('--duration <time>', 'how long to measure; default: 10s')
    .option('--warm-up <time>', 'how long to drive before that, counting nothing; default: 2s')
    .option(
      '--stage <stage>',
      'KIND:TIME, KIND:TIME:RATE or KIND:TIME:FROM..TO (may be repeated)',
      collect,
    )
    .option('--pipeline <n>', 'questions in flight on each connection; default: 1', whole)
    .option(
      '--questions-per-connection <n>',
      'then it is closed and opened again; 1: connect for each question',
      whole,
    )
    .option('--think <time>', 'closed loop: from an answer to the next question, such as 5ms')
    .addOption(
      new Option('--think-how <how>', 'always so long, or at random with that mean').choices([
        'constant',
        'exponential',
      ]),
    )
    .option('--connect-rate <n>', 'connections opened per second at most')
    .option('--timeout <time>', 'after that a question is given up; default: 10s')
    .option('--connect-timeout <time>', 'after that a connection is given up; default: 5s')
    .option('--deadline <time>', 'an answer that comes later counts as late; default: 10s')
    .option('--grace <time>', 'how long answers are waited for at the end; default: 2s')
    .option('--questions <file>', 'what to ask and what must come back; default: the Zen questions')
    .option('--framing <form>', 'delimiter:END, line, length:1, length:2 or length:4')
    .option('--seed <n>', 'of all that is random; default: 1', whole)
    .option('--shard <i/n>', 'be the i-th of n parts of this load, each on a machine of its own')
    .option('--start-at <time>', 'when to begin: 2030-01-31T12:00:00Z, s since 1970, or +10s')
    .option('--pid <pid>', "the server's process here, to see what it costs", whole)
    .addOption(
      new Option('--engine <engine>', 'which loop asks; default: auto').choices([
        'auto',
        'uring',
        'epoll',
      ]),
    )
    .option('--max-lag <time>', 'our own lag (p99) from which a run is not trusted; default: 10ms')
    .option('--plan <file>', 'all of this from a file; options override it')
    .option('--save-plan <file>', 'write all of this into a file, and ask nothing')
    .option(
      '--find-knee <target>',
      "look for the highest rate with, for example, 'p99<10ms' (may be repeated)",
      collect,
    )
    .option('--quiet', 'no word of how it goes');
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
