/** The command line: its options and commands. Each command is a file beside this one, loaded when it is used. */
import { Argument, Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import { architectureNames } from '../architectures/catalogue.ts';
import { DEFAULT_HOST } from '../host/plan.ts';
import { version } from '../host/version.ts';
import { compareOptions } from './compare-options.ts';
import { FIRST, helpText, optionDescription, optionGroups } from './help.ts';
import { loadOptions, mergeOptions } from './load-options.ts';
import { outliveStandardError, quitOnBrokenPipe, report } from './report.ts';
import {
  adminGroup,
  balancerGroup,
  fileGroup,
  firstServingOptions,
  limitsHelp,
  servingGroups,
  stoppingGroup,
} from './serve-options.ts';
import { portOption, repeated, whole } from './words.ts';

/** Exit codes: 0 done, 1 could not be done, 2 invalid command; `load` and `compare` have more. */
const USAGE = 2;

/** The longest time that `setTimeout` takes. A limit of 0 would be no limit. */
const LONGEST_TIMEOUT = 2 ** 31 - 1;

function milliseconds(text: string): number {
  const number = whole(text);
  if (number >= 1 && number <= LONGEST_TIMEOUT) return number;
  throw new InvalidArgumentError(`give a whole number of ms from 1 to ${LONGEST_TIMEOUT}.`);
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

function seed(text: string): number {
  const number = whole(text);
  if (number < 2 ** 32) return number;
  throw new InvalidArgumentError('give a whole number below 4294967296.');
}

/** The most clients of each kind that `trace --compare` plays: a picture has room for their rows. */
const MOST_CLIENTS = 50;

function silentClients(text: string): number {
  const number = whole(text);
  if (number <= MOST_CLIENTS) return number;
  throw new InvalidArgumentError(`give a number of clients from 0 to ${MOST_CLIENTS}.`);
}

function otherClients(text: string): number {
  const number = whole(text);
  if (number >= 1 && number <= MOST_CLIENTS) return number;
  throw new InvalidArgumentError(`give a number of clients from 1 to ${MOST_CLIENTS}.`);
}

const argumentTerm = (argument: Argument): string => {
  const text = `${argument.name()}${argument.variadic ? '...' : ''}`;
  return argument.required ? `<${text}>` : `[${text}]`;
};

/** One example for each command, under its help. */
const example = (text: string) => `\nExample:\n  $ ${text}\n`;

const program = new Command('mondo')
  .description('One question-and-answer conversation over TCP, served by every server architecture')
  .version(version(), '--version', 'print the version')
  .exitOverride()
  .configureOutput({
    // One line, in the same form as all other errors.
    outputError: (text, write) => write(`${usageError(text)}\n`),
  })
  .configureHelp({
    sortOptions: false,
    optionDescription,
    // Without "[options]", which all commands have: so a line fits a terminal.
    subcommandTerm: (command) =>
      [command.name(), ...command.registeredArguments.map(argumentTerm)].join(' '),
  })
  .addHelpText(
    'after',
    example('mondo serve single      # and in another terminal: mondo client 127.0.0.1'),
  );

/** The address to listen at, for `serve` and `trace`. */
const LISTEN_AT = 'where to listen: a name, an address, "" for all interfaces, or unix:PATH';

/** Groups of options of `serve`, and of the unit files for it. */
const serveGroups = [...servingGroups, balancerGroup, stoppingGroup, adminGroup, fileGroup];

const serve = program
  .command('serve')
  .description('serve the conversation until Ctrl-C')
  .argument(
    '[architecture]',
    `which one serves: ${architectureNames.join(', ')}; or fastest: the fastest that this machine supports (default)`,
  )
  .addArgument(new Argument('[host]', LISTEN_AT).default(DEFAULT_HOST, DEFAULT_HOST));
optionGroups(serve, [
  [FIRST, 'mondo serve threaded --threads 2 --think 1000', firstServingOptions],
  ...serveGroups.map(([heading, words, add]) => [heading, `mondo serve ${words}`, add] as const),
])
  .addHelpText('after', () => limitsHelp())
  .addHelpText(
    'after',
    helpText(
      'Ctrl-C stops the server, a second Ctrl-C ends its lame duck, or stops it at once. kill -HUP replaces the workers and loses no client. kill -USR2 prints what each worker does.',
    ),
  )
  .action(async (_architecture, _host, _options, command: Command) => {
    const { serveCommand } = await import('./serve.ts');
    await serveCommand(command);
  });

const config = program
  .command('config')
  .description('check a configuration of mondo serve, or show the options in effect')
  .argument('[architecture]', 'as for mondo serve')
  .argument('[host]', 'as for mondo serve');
optionGroups(config, [
  [
    'What to do:',
    'mondo config --check mondo.toml',
    (command) => {
      command
        .option('--check <file>', 'read this file, and report its first mistake (exit code 2)')
        .option('--show', 'print the options in effect as TOML, each with its origin')
        .option('--schema', 'print the JSON Schema of the file, for editors');
    },
  ],
  [
    'The server, as for mondo serve:',
    'mondo config threaded --threads 2 --show',
    (command) => {
      firstServingOptions(command);
      for (const [, , add] of serveGroups) add(command);
    },
  ],
]).action(async (_architecture, _host, _options, command: Command) => {
  const { configCommand } = await import('./config.ts');
  await configCommand(command, serve);
});

const unit = program
  .command('unit')
  .description('print unit files for systemd that serve with these options')
  .argument('[architecture]', 'which one serves; see mondo architectures')
  .addArgument(new Argument('[host]', LISTEN_AT).default(DEFAULT_HOST, DEFAULT_HOST));
optionGroups(unit, [
  [
    'The units:',
    'mondo unit epoll 0.0.0.0 --write /etc/systemd/system',
    (command) => {
      command
        .option('--name <name>', 'the name of the units', 'mondo')
        .option('--write <folder>', 'write the files into this folder, and print their names')
        .option(
          '--per-connection',
          'inetd: systemd accepts, and starts a process for each connection (Accept=yes)',
        );
    },
  ],
  ['The server:', 'mondo unit threaded --threads 8', firstServingOptions],
  ...serveGroups.map(([heading, words, add]) => [heading, `mondo unit ${words}`, add] as const),
])
  .addHelpText(
    'after',
    helpText(
      'The socket unit opens the port, so the server needs no rights of root, and a restart refuses no client. docs/deploy.md explains the lines.',
    ),
  )
  .action(async (_architecture, _host, _options, command: Command) => {
    const { unitCommand } = await import('./unit.ts');
    await unitCommand(command);
  });

program
  .command('client')
  .description('ask the three questions in random order and print the answers')
  .argument('<host>', 'the server: a name, an address, or unix:PATH')
  .addOption(portOption('TCP port of the server'))
  .option('-e, --error', 'send a question without its last character, and leave')
  .addOption(repeated('--ask <question>', 'ask this question', 'three questions of the Zen'))
  .option(
    '--timeout <ms>',
    'longest time to wait for the connection, and for each answer, in ms',
    milliseconds,
    5000,
  )
  .addHelpText('after', example("mondo client 127.0.0.1 --ask 'Simple is better than?'"))
  .action(async (host: string, options) => {
    const { clientCommand } = await import('./client.ts');
    await clientCommand(host, options);
  });

program
  .command('architectures')
  .description('the catalogue: who serves, how it waits, and what defeats it')
  .option('--json', 'print JSON instead of a table')
  .addHelpText('after', example('mondo architectures --json'))
  .action(async (options) => {
    const { architecturesCommand } = await import('./architectures.ts');
    await architecturesCommand(options);
  });

const trace = program
  .command('trace')
  .description('serve, and print each line or system call as it is executed, until Ctrl-C')
  .argument('[architecture]', 'which one serves; see mondo architectures')
  .addArgument(new Argument('[host]', LISTEN_AT).default(DEFAULT_HOST, DEFAULT_HOST));
optionGroups(trace, [
  [
    'What to print:',
    'mondo trace single --summary   # then: mondo client 127.0.0.1',
    (command) => {
      command
        .option('--lines', 'print the lines (default, unless another output is chosen)')
        .option('--calls', 'print the system calls')
        .option('--summary', 'at the end: how often each line was executed, and how long')
        .option('--quiet', 'print nothing before the end')
        .option('--all', 'also lines of the layers below the pages')
        .addOption(repeated('--include <path>', 'also lines of these files', 'none'))
        .addOption(repeated('--ignore-dir <path>', 'no lines of these files', 'none'))
        .option('--seconds <s>', 'stop after this many seconds (default: at Ctrl-C)', wholeSeconds);
    },
  ],
  [
    'Pictures and files:',
    'mondo trace single --html trace.html',
    (command) => {
      command
        .option('--svg <file>', 'draw the threads and connections over time')
        .option('--html <file>', 'the same as a page, with tables')
        .option('--out <file>', 'write a Chrome trace, for ui.perfetto.dev');
    },
  ],
  [
    'Several architectures:',
    'mondo trace --compare threaded poll --silent 4',
    (command) => {
      command
        .option(
          '--compare <architecture...>',
          'trace several architectures, one after the other, with the same clients',
        )
        .option('--silent <n>', 'clients that keep silent for 600 ms (default: 1)', silentClients)
        .option('--clients <n>', 'clients that come during that time (default: 3)', otherClients);
    },
  ],
  ['The server:', 'mondo trace threaded --threads 2', firstServingOptions],
  ...servingGroups.map(([heading, words, add]) => [heading, `mondo trace ${words}`, add] as const),
])
  .addHelpText(
    'after',
    helpText(
      "Without --all and --include it shows the lines of the pages and of the service's folder. Tracing takes time: a traced server is many times slower.",
    ),
  )
  .action(async (architecture: string | undefined, host: string, options) => {
    const { traceCommand } = await import('./trace.ts');
    await traceCommand(architecture, host, options);
  });

program
  .command('siege')
  .description('start servers, attack them beside an honest client, and grade them')
  .argument('[architecture...]', 'which ones to attack (default: all)')
  .addOption(repeated('--attack <name>', 'only this attack', 'all'))
  .addOption(
    new Option(
      '--limits <mode>',
      'off: attack servers that have no limits; on: servers that have all of them; both: first the one, then the other',
    )
      .choices(['off', 'on', 'both'])
      .default('both', 'both'),
  )
  .option('--seconds <s>', 'how long each attack lasts, 1 to 60', siegeSeconds, 2.5)
  .option('--html <file>', 'also write the table of grades as a page')
  .option('--json', 'print all measurements as JSON')
  .option('--list', 'print the attacks and what stops each of them, and attack nothing')
  .addHelpText(
    'after',
    helpText(
      'All attacks at all architectures take half an hour. Exit code 1: a server with limits fell to an attack that its limits should stop.',
    ),
  )
  .addHelpText('after', example('mondo siege epoll single --attack idle-crowd'))
  .action(async (architectures: string[], options) => {
    const { siegeCommand } = await import('./siege.ts');
    await siegeCommand(architectures, options);
  });

program
  .command('lab')
  .description('show servers, their clients and who waits for what, live on a page in a browser')
  .argument('[architecture...]', 'up to four, side by side (default: those of the scene)')
  .option('--scene <name>', 'what happens; the page lists the scenes (default: silent)')
  .option('--seed <n>', 'another number makes other clients (default: that of the scene)', seed)
  .addOption(portOption('port of the page on 127.0.0.1; 0: any free one', 0))
  .option('--open', 'also open the page in a browser')
  .option('--record <file>', 'at the end, write all that happened as a recording')
  .option('--replay <file>', 'play a recording instead, without servers')
  .option('--static <file>', 'write the recording of --replay as a page for any browser, and end')
  .option('--duration <s>', 'stop after this many seconds (default: at Ctrl-C)', wholeSeconds)
  .addHelpText(
    'after',
    helpText(
      'Only programs of this machine reach the page, and only with the address that the command prints. From another machine, use ssh -L.',
    ),
  )
  .addHelpText('after', example('mondo lab single poll --record monday.mondolab'))
  .action(async (architectures: string[], options) => {
    const { labCommand } = await import('./lab.ts');
    await labCommand(architectures, options);
  });

const load = loadOptions(
  program
    .command('load')
    .description('measure a server: what its clients experience, and whether to trust the figures')
    .argument('[host]', 'the server: a name, an address, or unix:PATH'),
).action(async (host: string | undefined, options) => {
  const { loadCommand } = await import('./load.ts');
  await loadCommand(host, options);
});

// Allows merge to have options with the same names as those of load.
program.enablePositionalOptions();
load.enablePositionalOptions().helpCommand(false);
mergeOptions(load.command('merge'))
  .description('add up the shards of one load, from the files that their --hlog wrote')
  .argument('<files...>', 'one file for each shard')
  .action(async (files: string[], options) => {
    const { mergeCommand } = await import('./load.ts');
    await mergeCommand(files, options);
  });

compareOptions(
  program
    .command('compare')
    .description('measure architectures side by side, and say which to choose')
    .argument('[architecture...]', 'which ones to compare (default: one of each kind)'),
).action(async (architectures: string[], options) => {
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

function usageError(text: string): string {
  const plain = text
    .trim()
    .replace(/^error: /, '')
    .replace(/ is invalid\. /, ' is invalid: ')
    .replace(/\.$/, '')
    .replaceAll('\n', ' ');
  return `mondo: ${plain}; add --help to see what there is`;
}

outliveStandardError();
quitOnBrokenPipe();
try {
  if (process.argv.length > 2) await program.parseAsync();
  // A call without a command shows the help: this is not an error, so it goes to standard output.
  else program.outputHelp();
} catch (error) {
  // Commander has printed its own message. Help and version are not errors.
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : USAGE;
  else process.exitCode = report(error);
}
