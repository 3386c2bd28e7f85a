/** The options of `mondo compare`, without the code that runs it. */
import { type Command, InvalidArgumentError } from 'commander';
import { FIRST, helpList, helpText, optionGroups } from './help.ts';
import { whole } from './words.ts';

export interface CompareOptions {
  readonly architectures?: readonly string[];
  readonly reference?: string;
  readonly connections?: readonly number[];
  readonly think?: readonly number[];
  readonly thinkHow?: readonly ('block' | 'defer')[];
  readonly silent?: readonly number[];
  readonly rounds?: number;
  readonly seconds?: number;
  readonly warmUp?: number;
  readonly threads?: number;
  readonly processes?: number;
  readonly service?: string;
  readonly questions?: string;
  readonly framing?: string;
  readonly unpinned?: boolean;
  readonly seed?: number;
  readonly quick?: boolean;
  readonly json?: string;
  readonly html?: string;
  readonly against?: string;
}

const MOST_VALUES = 20;

const list = (text: string): string[] => text.split(',');

/** A list such as `1,16,64`. */
const numbers =
  (least: number, most: number) =>
  (text: string): number[] => {
    const values = list(text).map((one) => (/^\d{1,9}$/.test(one) ? Number(one) : -1));
    const fit = values.every((value) => value >= least && value <= most);
    if (fit && values.length <= MOST_VALUES) return values;
    throw new InvalidArgumentError(
      `give up to ${MOST_VALUES} whole numbers from ${least} to ${most}, such as ${least},${least + 4}.`,
    );
  };

function hows(text: string): ('block' | 'defer')[] {
  const values = list(text);
  if (values.every((value) => value === 'block' || value === 'defer')) return values;
  throw new InvalidArgumentError('give block, defer or block,defer.');
}

const secondsFrom = (least: number) => (text: string) => {
  const number = /^\d{1,2}(\.\d{1,3})?$/.test(text) ? Number(text) : -1;
  if (number >= least && number <= 60) return number;
  throw new InvalidArgumentError(`give seconds from ${least} to 60.`);
};

function rounds(text: string): number {
  const number = whole(text);
  if (number >= 1 && number <= 100) return number;
  throw new InvalidArgumentError('give a whole number from 1 to 100.');
}

export const compareOptions = (command: Command): Command =>
  optionGroups(command, [
    [
      FIRST,
      'mondo compare --quick --html report.html',
      (first) => {
        first
          .option('--quick', 'compare five architectures in a minute')
          .option(
            '--connections <list>',
            'connections that ask at the same time; a value, or several to compare (default: 1,10,100,1000)',
            numbers(1, 10_000),
          )
          .option(
            '--silent <list>',
            'clients that connect and ask nothing (default: 0,4)',
            numbers(0, 1000),
          )
          .option('--html <file>', 'write a report as a page (needs the package echarts)');
      },
    ],
    [
      'The servers:',
      'mondo compare epoll uring --think 0,10 --think-how block,defer',
      (servers) => {
        servers
          .option('--architectures <list>', 'the same as names, such as epoll,uring; or all', list)
          .option('--reference <name>', 'compare the others with this one (default: epoll)')
          .option(
            '--think <list>',
            'time that each answer takes, in ms (default: 0)',
            numbers(0, 10_000),
          )
          .option(
            '--think-how <list>',
            'block: the thread sleeps; defer: a timer, and others are served; or block,defer (default: block)',
            hows,
          )
          .option('--threads <n>', 'threads that serve (default: 4 in a pool, else 1)', whole)
          .option(
            '--processes <n>',
            'processes that serve (default: 4 for prefork, else 1)',
            whole,
          );
      },
    ],
    [
      'A service of your own:',
      'mondo compare --service ./my-service.ts --questions my-questions.txt',
      (service) => {
        service
          .option(
            '--service <module>',
            'file with the service; needs --questions (default: the Zen questions)',
          )
          .option(
            '--questions <file>',
            'a line for each question: the question, a tab, and its answer; or a .json file',
          )
          .option(
            '--framing <form>',
            'how an answer ends: delimiter:END, line, length:1, length:2 or length:4 (default: as the service says)',
          );
      },
    ],
    [
      'Measurement:',
      'mondo compare epoll uring --rounds 10 --seconds 2',
      (measurement) => {
        measurement
          .option('--rounds <n>', 'how often to measure each server (default: 5)', rounds)
          .option(
            '--seconds <s>',
            'how long to measure each time, 0.1 to 60 (default: 1)',
            secondsFrom(0.1),
          )
          .option(
            '--warm-up <s>',
            'how long to ask before, counting nothing (default: 0.5)',
            secondsFrom(0),
          )
          .option(
            '--unpinned',
            'let the kernel choose processors (default: server and load have their own)',
          )
          .option(
            '--seed <n>',
            'seed of the order in which servers are measured (default: 1)',
            whole,
          );
      },
    ],
    [
      'Stored runs:',
      'mondo compare --against base.json',
      (stored) => {
        stored
          .option('--json <file>', 'write all that was measured as JSON; -: to standard output')
          .option(
            '--against <file>',
            'measure again what an earlier run measured that --json wrote, and report what became faster or slower since',
          );
      },
    ],
  ])
    .addHelpText(
      'after',
      helpText('Without options it takes a quarter of an hour; --quick takes a minute.'),
    )
    .addHelpText(
      'after',
      helpList('Exit codes:', [
        ['0', 'all is well'],
        ['1', 'it could not be done'],
        ['2', 'the command makes no sense'],
        ['3', 'a server is slower or costlier than in the run of --against'],
        ['4', 'some figures are not to be trusted'],
        ['130', 'interrupted by Ctrl-C'],
      ]),
    );
