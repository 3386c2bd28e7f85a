/** What can be asked of `mondo compare`: its options, without what carries them out. */
import { type Command, InvalidArgumentError } from 'commander';

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

export function compareOptions(command: Command, whole: (text: string) => number): Command {
  const rounds = (text: string): number => {
    const number = whole(text);
    if (number >= 1 && number <= 100) return number;
    throw new InvalidArgumentError('give a whole number from 1 to 100.');
  };
  return command
    .option('--architectures <list>', 'the same as a list, such as epoll,uring; or all', list)
    .option('--reference <name>', 'the one that others are compared with; default: epoll')
    .option(
      '--connections <list>',
      'how many ask at once; default: 1,10,100,1000',
      numbers(1, 10_000),
    )
    .option('--silent <list>', 'clients that say nothing; default: 0,4', numbers(0, 1000))
    .option('--think <list>', 'what each answer costs, in ms; default: 0', numbers(0, 10_000))
    .option('--think-how <list>', 'block, defer or block,defer; default: block', hows)
    .option('--rounds <n>', 'how often each is measured; default: 5', rounds)
    .option('--seconds <s>', 'how long each time, 0.1 to 60; default: 1', secondsFrom(0.1))
    .option('--warm-up <s>', 'how long before that, counting nothing; default: 0.5', secondsFrom(0))
    .option('--threads <n>', 'threads of those that may have several', whole)
    .option('--processes <n>', 'processes of those that may have several', whole)
    .option('--service <module>', 'your own service; needs --questions')
    .option('--questions <file>', 'a question, a tab and its answer in each line; or .json')
    .option('--framing <words>', 'what ends an answer: delimiter:END, line, length:1, 2 or 4')
    .option('--unpinned', 'let the kernel choose cores: on a machine that is busy anyway')
    .option('--seed <n>', 'of the order in which they are measured; default: 1', whole)
    .option('--quick', 'the matrix that shows most in a minute')
    .option('--json <file>', 'all that was measured, as JSON; - is standard output')
    .option('--html <file>', 'write a report')
    .option('--against <file>', 'the plan of a run that --json has written, and how it changed');
}

export const compareHelp = `
Without options it takes a quarter of an hour. Exit code 3: a variant is slower or
costlier than in the stored run; 4: parts of the run are not to be trusted.`;
