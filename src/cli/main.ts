/** The command: what can be asked for, and how. Each command is a file beside this one, loaded when it is used. */
import { type Argument, Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import { architectureNames } from '../architectures/catalogue.ts';
import { DEFAULT_HOST, DEFAULT_PORT } from '../host/plan.ts';
import { version } from '../host/version.ts';
import { MS_IN } from '../limits/units.ts';
import { compareHelp, compareOptions } from './compare-options.ts';
import { loadHelp, loadOptions, outputOptions } from './load-options.ts';
import { outliveStandardError, quitOnBrokenPipe, report } from './report.ts';

/** Exit codes: 0 done, 1 could not be done, 2 asked for wrongly; `load` and `compare` have more. */
const USAGE = 2;

function whole(text: string): number {
  if (/^\d+$/.test(text)) return Number(text);
  throw new InvalidArgumentError('give a whole number.');
}

/** `setTimeout` takes no more, and a limit of no time is none. */
const LONGEST_TIMEOUT = 2 ** 31 - 1;

function milliseconds(text: string): number {
  const number = whole(text);
  if (number >= 1 && number <= LONGEST_TIMEOUT) return number;
  throw new InvalidArgumentError(`give a whole number of ms from 1 to ${LONGEST_TIMEOUT}.`);
}

/** As the limits on time are written; 0 is none. */
function duration(text: string): number {
  const [, digits, unit = 'ms'] = /^(\d{1,9})(ms|s|m)?$/.exec(text) ?? [];
  if (digits === undefined) throw new InvalidArgumentError('give a time such as 500ms, 10s or 0.');
  return Number(digits) * MS_IN[unit as 'ms' | 's' | 'm'];
}

function siegeSeconds(text: string): number {
  const number = /^\d+(\.\d)?$/.test(text) ? Number(text) : 0;
  if (number >= 1 && number <= 60) return number;
  throw new InvalidArgumentError('give seconds from 1 to 60.');
}

function wholeSeconds(text: string): number {
  const number = whole(text);
  if (number >= 1 && number <= 86_400) return number;
  throw new InvalidArgumentError('give whole seconds from 1 to 86400.');
}

function port(text: string): number {
  const number = whole(text);
  if (number <= 65_535) return number;
  throw new InvalidArgumentError('give a port from 0 to 65535.');
}

const argumentTerm = (argument: Argument): string => {
  const text = `${argument.name()}${argument.variadic ? '...' : ''}`;
  return argument.required ? `<${text}>` : `[${text}]`;
};

/** One example for each command, under its help. */
const example = (text: string) => `\nExample:\n  $ ${text}\n`;

const portOption = () =>
  new Option('-p, --port <port>', 'TCP port').argParser(port).default(DEFAULT_PORT);

const program = new Command('mondo')
  .description('One question-and-answer conversation over TCP, served by every server architecture')
  .version(version(), '--version', 'print the version')
  .exitOverride()
  .configureOutput({
    // One line, in the same form as every other complaint.
    outputError: (text, write) => write(`${usageError(text)}\n`),
  })
  .configureHelp({
    sortOptions: false,
    // Without "[options]", which all have: a line fits a terminal then.
    subcommandTerm: (command) =>
      [command.name(), ...command.registeredArguments.map(argumentTerm)].join(' '),
  })
  .addHelpText(
    'after',
    example('mondo serve single      # and in another terminal: mondo client 127.0.0.1'),
  );

/** The options of whatever starts a server: the same for `serve` and `trace`. */
function serving(command: Command): Command {
  return command
    .option('--service <module>', 'module of the service; default: the Zen questions')
    .option('--threads <n>', 'so many threads that serve', whole)
    .option('--processes <n>', 'so many processes that serve', whole)
    .option('--reuseport', 'a listener each, with SO_REUSEPORT, instead of one that they share')
    .option('--exclusive', 'epoll: a new client wakes one worker and not all (EPOLLEXCLUSIVE)')
    .option('--think <ms>', 'what each answer costs', whole)
    .addOption(
      new Option('--think-how <how>', 'hold the thread, or use timers').choices(['block', 'defer']),
    )
    .option('--backlog <n>', 'connections that the kernel keeps until accepted', whole)
    .option('--queue <n>', 'queued: sockets that may wait for a worker', whole)
    .option('--max-threads <n>', 'socketserver: the most threads at once; 0 is no cap', whole)
    .option(
      '--thread-cache <n>',
      'socketserver: threads that wait for the next client; default: as many as are needed',
      whole,
    )
    .addOption(
      new Option('--mixin <mixin>', 'socketserver: which mixin').choices(['threading', 'forking']),
    )
    .addOption(
      new Option('--inetd <mode>', 'inetd: a process per client, or one that accepts').choices([
        'nowait',
        'wait',
      ]),
    )
    .option(
      '--process-cache <n>',
      'inetd: processes that wait for the next client; default: as many as are needed',
      whole,
    )
    .option('--limit <name=value>', 'a limit, such as idle=30s (may be repeated)', collect, [])
    .addOption(
      new Option(
        '--when-full <policy>',
        'those who come then: wait, busy, reset, random or random:START:RATE:FULL',
      ).default('wait'),
    )
    .option('--dry-run', 'count whom limits would refuse or end, and let them be');
}

serving(program.command('serve'))
  .description('serve the conversation until Ctrl-C')
  .argument(
    '[architecture]',
    `which one: ${architectureNames.join(', ')}; default: the fastest that this machine supports`,
  )
  .argument('[host]', 'name, address, "" for all interfaces, or unix:PATH', DEFAULT_HOST)
  .addOption(portOption())
  .option(
    '--drain <time>',
    'when it stops: how long those have who are owed an answer; default: 10s',
    duration,
  )
  .option('--user <name>', 'as whom the workers serve, where root has started it')
  .option('--group <name>', "likewise; default: the user's own group")
  .option('--stuck <time>', 'tell of a worker with work that makes no turn; default: 5s', duration)
  .addOption(
    new Option('--log <form>', 'the account on standard output')
      .choices(['text', 'json', 'none'])
      .default('text'),
  )
  .addHelpText(
    'after',
    '\nCtrl-C stops it, a second one at once. kill -HUP replaces the workers and loses\nno client; kill -USR2 has it print what each worker is doing.',
  )
  .addHelpText('after', example('mondo serve threaded localhost -p 1060 --threads 2'))
  .action(async (architecture: string | undefined, host: string, options) => {
    const { serveCommand } = await import('./serve.ts');
    await serveCommand(architecture, host, options);
  });

program
  .command('client')
  .description('ask the three questions in random order and print the answers')
  .argument('<host>', 'name, address, or unix:PATH')
  .addOption(portOption())
  .option('-e, --error', 'send a question without its last character, and leave')
  .option('--ask <question>', 'ask this instead (may be repeated)', collect, [])
  .option('--timeout <ms>', 'how long to wait for the server at each step', milliseconds, 5000)
  .addHelpText('after', example("mondo client 127.0.0.1 --ask 'Simple is better than?'"))
  .action(async (host: string, options) => {
    const { clientCommand } = await import('./client.ts');
    await clientCommand(host, options);
  });

program
  .command('architectures')
  .description('the catalogue: who serves, how it waits, and what defeats it')
  .option('--json', 'as JSON')
  .addHelpText('after', example('mondo architectures --json'))
  .action(async (options) => {
    const { architecturesCommand } = await import('./architectures.ts');
    await architecturesCommand(options);
  });

serving(program.command('trace'))
  .description('serve, and print each line or system call as it is executed, until Ctrl-C')
  .argument('[architecture]', 'which one; see mondo architectures')
  .argument('[host]', 'name, address, "" for all interfaces, or unix:PATH', DEFAULT_HOST)
  .addOption(portOption())
  .option('--lines', 'print the lines; the default where nothing else is asked for')
  .option('--calls', 'print the system calls')
  .option('--summary', 'at the end: how often each line was executed, and how long')
  .option('--quiet', 'print nothing before the end')
  .option('--all', 'lines of the layers below the pages, too')
  .option('--include <path>', 'lines of these files, too (may be repeated)', collect, [])
  .option('--ignore-dir <path>', 'no lines of these files (may be repeated)', collect, [])
  .option('--seconds <s>', 'stop by itself after so many', wholeSeconds)
  .option('--out <file>', 'write all as Chrome trace, for ui.perfetto.dev')
  .option('--svg <file>', 'draw the threads and connections over time')
  .option('--html <file>', 'the same as a page, with tables')
  .option('--compare <architecture...>', 'the same clients with each of these, one after the other')
  .addHelpText(
    'after',
    "\nLines are those of the pages and of the service's folder; --all and --include\nshow more. What they cost is in the times: a traced server is many times slower.",
  )
  .addHelpText(
    'after',
    example('mondo trace single --summary   # in another terminal: mondo client 127.0.0.1'),
  )
  .action(async (architecture: string | undefined, host: string, options) => {
    const { traceCommand } = await import('./trace.ts');
    await traceCommand(architecture, host, options);
  });

program
  .command('siege')
  .description('attack servers that it starts itself, beside an honest client, and grade them')
  .argument('[architecture...]', 'which ones; default: all')
  .option('--attack <name>', 'only this attack (may be repeated)', collect, [])
  .addOption(
    new Option(
      '--limits <mode>',
      'servers without limits, with all of them, or one after the other',
    )
      .choices(['off', 'on', 'both'])
      .default('both'),
  )
  .option('--seconds <s>', 'how long each attack goes on, 1 to 60', siegeSeconds, 2.5)
  .option('--html <file>', 'write the matrix as a page, too')
  .option('--json', 'all that was measured, as JSON')
  .option('--list', 'print the attacks, and what stops them')
  .addHelpText(
    'after',
    '\nAll of it takes half an hour. Exit code 1 if a server with limits fell that\ncould have stood.',
  )
  .addHelpText('after', example('mondo siege epoll single --attack idle-crowd'))
  .action(async (architectures: string[], options) => {
    const { siegeCommand } = await import('./siege.ts');
    await siegeCommand(architectures, options);
  });

const load = loadOptions(
  program
    .command('load')
    .description(
      'measure a server: what its clients feel, and whether the figures are to be believed',
    )
    .argument('[host]', 'name, address, or unix:PATH'),
)
  .addHelpText('after', loadHelp)
  .addHelpText(
    'after',
    example("mondo load 127.0.0.1 --rate 5k --fail-if 'p99>5ms' --html load.html"),
  )
  .action(async (host: string | undefined, options) => {
    const { loadCommand } = await import('./load.ts');
    await loadCommand(host, options);
  });

// So that merge has for itself the options that load has, too.
program.enablePositionalOptions();
load.enablePositionalOptions().helpCommand(false);
outputOptions(load.command('merge'))
  .description('add the shards of one load, from the files that --hlog has written')
  .argument('<files...>', 'one for each shard')
  .addHelpText('after', example('mondo load merge 1.hlog 2.hlog 3.hlog 4.hlog'))
  .action(async (files: string[], options) => {
    const { mergeCommand } = await import('./load.ts');
    await mergeCommand(files, options);
  });

compareOptions(
  program
    .command('compare')
    .description('measure architectures side by side, and say which to choose')
    .argument('[architecture...]', 'which ones; default: one of each kind'),
  whole,
)
  .addHelpText('after', compareHelp)
  .addHelpText('after', example('mondo compare --quick --html report.html'))
  .action(async (architectures: string[], options) => {
    const { compareCommand } = await import('./compare.ts');
    await compareCommand(architectures, options);
  });

program
  .command('this')
  .description('print the Zen of Python, by Tim Peters')
  .addHelpText('after', example('mondo this'))
  .action(async () => {
    const { thisCommand } = await import('./this.ts');
    thisCommand();
  });

function collect(value: string, earlier: string[]): string[] {
  return [...earlier, value];
}

function usageError(text: string): string {
  const plain = text
    .trim()
    .replace(/^error: /, '')
    .replace(/ is invalid\. /, ' is invalid: ')
    .replace(/\.$/, '')
    .replaceAll('\n', ' ');
  return `mondo: ${plain}; add --help for what there is`;
}

outliveStandardError();
quitOnBrokenPipe();
try {
  if (process.argv.length > 2) await program.parseAsync();
  // Whoever has asked for nothing is shown what there is: no mistake, so on standard output.
  else program.outputHelp();
} catch (error) {
  // Commander has printed its own complaint, and help or a version are no error.
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : USAGE;
  else process.exitCode = report(error);
}
