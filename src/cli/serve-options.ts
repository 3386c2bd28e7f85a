/** The options of a server, for `mondo serve` and `mondo trace`, without the code that runs them. */
import { type Command, InvalidArgumentError, Option } from 'commander';
import { ServeError } from '../host/errors.ts';
import { checkedLimits, type ServeOptions } from '../host/plan.ts';
import { type Limits, limitDefaults, parseLimits } from '../limits/limits.ts';
import { parseTrusted } from '../limits/trusted.ts';
import { MS_IN } from '../limits/units.ts';
import { helpList } from './help.ts';
import { collect, portOption, repeated, whole } from './words.ts';

/** A time in the form of limits; 0: none. */
function duration(text: string): number {
  const [, digits, unit = 'ms'] = /^(\d{1,9})(ms|s|m)?$/.exec(text) ?? [];
  if (digits === undefined) throw new InvalidArgumentError('give a time such as 500ms, 10s or 0.');
  return Number(digits) * MS_IN[unit as 'ms' | 's' | 'm'];
}

/** Heading, example without the command, and the function that adds the options. */
type Group = readonly [heading: string, example: string, add: (command: Command) => void];

export const firstServingOptions = (command: Command): void => {
  command
    .addOption(portOption('TCP port to listen on; 0: any free one'))
    .option('--threads <n>', 'threads that serve (default: 4 in a pool, else 1)', whole)
    .option(
      '--think <ms>',
      'make each answer take this long, in ms, like an expensive operation (default: 0)',
      whole,
    )
    .option('--service <module>', 'file with a service of your own (default: the Zen questions)');
};

/** All groups except the first one. */
export const servingGroups: readonly Group[] = [
  [
    'Workers:',
    'epoll --processes 2 --reuseport',
    (command) => {
      command
        .option('--processes <n>', 'processes that serve (default: 4 for prefork, else 1)', whole)
        .option(
          '--reuseport',
          'a listener for each worker, with SO_REUSEPORT (default: workers share one listener)',
        )
        .addOption(
          new Option(
            '--think-how <how>',
            'what a worker does during --think. block: its thread sleeps; defer: it sets a timer and serves other clients (default: block)',
          ).choices(['block', 'defer']),
        )
        .option(
          '--backlog <n>',
          'length of the accept queue, where the kernel keeps new connections until a worker accepts them (default: 1024)',
          whole,
        );
    },
  ],
  [
    'For one architecture:',
    'socketserver --mixin forking --max-threads 100',
    (command) => {
      command
        .option(
          '--queue <n>',
          'queued: most clients that wait in the queue for a thread (default: 64)',
          whole,
        )
        .option(
          '--max-threads <n>',
          'socketserver: most threads or processes at once; 0: no limit (default: 0)',
          whole,
        )
        .option(
          '--thread-cache <n>',
          'socketserver: most threads without a client that wait for one (default: as many as had a client at the same time in the last minute)',
          whole,
        )
        .addOption(
          new Option(
            '--mixin <mixin>',
            'socketserver: what each client gets. threading: a thread; forking: a process (default: threading)',
          ).choices(['threading', 'forking']),
        )
        .option(
          '--exclusive',
          'epoll: a new client wakes one worker, with EPOLLEXCLUSIVE (default: it wakes all that sleep)',
        )
        .addOption(
          new Option(
            '--inetd <mode>',
            'inetd: nowait: one process for each client; wait: one process that accepts all of them (default: nowait)',
          ).choices(['nowait', 'wait']),
        )
        .option(
          '--process-cache <n>',
          'inetd: most processes without a client that wait for one (default: as many as had a client at the same time in the last minute, and one more)',
          whole,
        );
    },
  ],
  [
    'Limits:',
    'epoll --limit connections=9 --when-full busy',
    (command) => {
      command
        .addOption(
          repeated(
            '--limit <name=value>',
            'change one of the limits that are listed below',
            'as listed',
          ),
        )
        .addOption(
          new Option(
            '--when-full <policy>',
            'what a new client meets when the limit "connections" is reached. wait: it waits in the accept queue; busy: it gets one line that says so, and is closed; reset: it is reset; random: some are refused before, more and more until it is reached; random:START:RATE:FULL: the same from START connections on, with RATE per cent, up to FULL',
          ).default('wait', 'wait'),
        )
        .option(
          '--dry-run',
          'close and refuse no client for a limit: only count those that would be (default: off)',
        );
    },
  ],
];

export const stoppingGroup: Group = [
  'Stop, restart and log:',
  'threaded --drain 30s --log json',
  (command) => {
    command
      .option(
        '--drain <time>',
        'how long a stop or a restart waits for clients that have asked and have no answer yet; then it closes them (default: 10s)',
        duration,
      )
      .option(
        '--lame-duck <time>',
        'before a stop, answer "not ready" to health checks and still accept clients for this long (default: 0)',
        duration,
      )
      .option(
        '--stuck <time>',
        'log a worker that has work and gets nowhere for this long; 0: never (default: 5s)',
        duration,
      )
      .option(
        '--user <name>',
        'run the workers as this user; only root can (default: the user that starts the server)',
      )
      .option('--group <name>', "run the workers with this group (default: that user's own)")
      .addOption(
        new Option('--log <form>', 'form of the log on standard output: text, json or none')
          .choices(['text', 'json', 'none'])
          .default('text', 'text'),
      );
  },
];

export const adminGroup: Group = [
  'Health and metrics:',
  'epoll --admin 9106 --agent-check 9107 --lame-duck 5s',
  (command) => {
    command
      .option(
        '--admin <address>',
        'show /livez, /readyz, /status and /metrics by HTTP at PORT, HOST:PORT or unix:PATH (default: nowhere)',
      )
      .option(
        '--admin-anywhere',
        'let other machines reach --admin (default: it must be an address of this machine only)',
      )
      .option(
        '--metrics-latency',
        'time one answer in 64, for the metric mondo_answer_seconds (default: off)',
      )
      .option(
        '--agent-check <address>',
        "answer HAProxy's agent-check at PORT, HOST:PORT or unix:PATH (default: nowhere)",
      );
  },
];

export const balancerGroup: Group = [
  'Behind a balancer:',
  'epoll 10.0.0.5 --proxy-protocol --trusted 10.0.0.0/24',
  (command) => {
    command
      .option(
        '--proxy-protocol',
        'each connection begins with a header of the PROXY protocol, version 1 or 2; log, limits and service then see the address of the client (default: no connection has one)',
      )
      .option(
        '--trusted <networks>',
        'balancers that may connect, such as 10.0.0.0/24,fd00::/8; unix: peers of a unix socket; required with --proxy-protocol (default: none)',
        collect,
      );
  },
];

export const fileGroup: Group = [
  'Options from a file:',
  'epoll --config mondo.toml',
  (command) => {
    command.option(
      '--config <file>',
      'TOML or JSON with options that neither the command line nor variables such as MONDO_THREADS give; SIGHUP reads it again (default: none)',
    );
  },
];

/** The command's options besides those of `serve`, as commander gives them. */
export interface CommandOptions extends ServeOptions {
  readonly limit: readonly string[];
  readonly proxyProtocol?: boolean;
  readonly trusted?: readonly string[];
}

/** The options of `serve` for those of the command. @throws ServeError */
export function serveOptionsOf(given: CommandOptions): ServeOptions {
  const { limit, proxyProtocol = false, trusted, ...rest } = given;
  const limits = checkedLimits(() => parseLimits(limit));
  return { ...rest, ...proxyOf(proxyProtocol, trusted), limits };
}

function proxyOf(proxyProtocol: boolean, trusted: readonly string[] | undefined): ServeOptions {
  if (!proxyProtocol && trusted === undefined) return {};
  if (!proxyProtocol) {
    throw new ServeError('usage', 'Cannot use --trusted alone: it goes with --proxy-protocol');
  }
  if (trusted === undefined) {
    throw new ServeError(
      'usage',
      'Cannot use --proxy-protocol alone: a client could give itself any address; name the balancers, such as --trusted 10.0.0.0/24',
    );
  }
  return { proxy: { trusted: trusted.flatMap((list) => checkedLimits(() => parseTrusted(list))) } };
}

/** The meaning of each limit. */
const bounded: Readonly<Record<keyof Limits, string>> = {
  connections: 'connections of all workers together',
  connectionsPerAddress: 'connections of one client address',
  acceptsPerSecond: 'new connections per second of one client address',
  idle: 'time between two questions',
  questionTime: 'time to finish a question, from its first byte',
  answerTime: 'time to take an answer',
  questionSize: 'size of a question',
  unsent: 'answers that one client has not taken',
  unsentTotal: 'answers that all clients together have not taken',
  questions: 'questions on one connection',
  age: 'age of a connection',
  ageJitter: 'a connection may reach its age earlier by a random time up to this',
  proxyHeader: 'time for the header of a proxy to be complete, with --proxy-protocol',
  allow: 'networks that may connect, such as 10.0.0.0/8',
  deny: 'networks that may not connect',
};

export const limitsHelp = (): string =>
  helpList(
    'Limits (name=off removes one):',
    limitDefaults().map(
      ([name, word, value]) => [word, `${bounded[name]} (default: ${value})`] as const,
    ),
  );
